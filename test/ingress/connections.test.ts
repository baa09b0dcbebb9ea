import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { closeBeyond } from "../../ingress/connections.js";
import { startLocalServer } from "../api/local-server.js";
import { behindLine } from "./loop.js";

test("connections beyond the bound are closed, and served again once there is room", async () => {
  const local = await startLocalServer({}, behindLine);
  closeBeyond(local.server, 2);
  /** The status, or undefined when the connection was closed. */
  const ask = async () => {
    try {
      const [answer] = (await once(get(`${local.url}/healthz`, { agent: false }), "response")) as [IncomingMessage];
      return answer.resume().statusCode;
    } catch {
      return undefined;
    }
  };
  const inside = [0, 1].map(() => connect(local.port, "127.0.0.1"));
  await Promise.all(inside.map((socket) => once(socket, "connect")));
  expect([await ask(), await ask()]).toEqual([undefined, undefined]);
  expect(inside.map(({ closed }) => closed)).toEqual([false, false]);
  inside[0]?.destroy();
  while ((await ask()) !== 200);
  expect(local.logged).toEqual([]);
  inside[1]?.destroy();
  await local.close();
});
