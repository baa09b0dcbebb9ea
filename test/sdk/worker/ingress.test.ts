/**
 * Handlers called by plain HTTP: nothing on this side but requests that curl could make.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  accepts,
  Failure,
  ingress,
  nodeHandler,
  object,
  service,
  type Handler,
  type ObjectContext,
  type StandardSchema,
} from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let sent: string[] = [];
/** Takes text for a number, later. */
const count: StandardSchema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const n = Number(value);
      return Promise.resolve(Number.isInteger(n) ? { value: n } : { issues: [{ message: "not a whole number" }] });
    },
  },
};
const address: StandardSchema<unknown, { to: string }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const to = (value as { to?: unknown } | null)?.to;
      if (typeof to === "string") return { value: { to } };
      return {
        issues: [
          { message: "no address", path: ["to"] },
          { message: "not even text", path: [{ key: "to" }] },
        ],
      };
    },
  },
};
const mail = service(
  "mail",
  { version: 1 },
  {
    welcome: accepts(address, async (p, { to }) => p.step("send", () => `${sent.push(to)} sent`)),
    ping: async (p) => (await p.sleep("1h"), "pong"),
    digest: async (p, n: number) => Number(await p.call(account.of("alice").add, n)) + 1,
  },
);
const account = object(
  "account",
  { version: 1 },
  {
    initial: () => 0,
    handlers: {
      add: accepts(count, (o: ObjectContext<number>, n) => {
        if (n < 0) throw new Failure("not enough", { code: "overdrawn", details: { balance: o.state } });
        return (o.state += n);
      }),
      approve: async (o) => {
        const promise = o.promise<string>();
        o.vars["promise"] = promise.id;
        return promise;
      },
    },
  },
);

let cluster: TestCluster;
let handler: Handler;
beforeEach(() => {
  sent = [];
  cluster = createTestCluster();
  cluster.worker({ processes: [...mail.processes, ...account.processes] });
  handler = ingress({ services: [mail], objects: [account], client: cluster.client, clock: cluster.time });
});
afterEach(() => cluster.close());

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const init = {
    method,
    headers,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  };
  const response = await handler(new Request(`http://app${path}`, init));
  return { status: response.status, body: await response.json(), headers: response.headers };
}
const post = (path: string, body?: unknown, headers?: Record<string, string>) => call("POST", path, body, headers);

describe("R4 a handler is called by HTTP", () => {
  test("R4 under the names of its service and itself, of its object and key", async () => {
    expect(await post("/mail/welcome", { to: "a@b" })).toMatchObject({ status: 200, body: "1 sent" });
    expect(await post("/account/alice/add", 5)).toMatchObject({ status: 200, body: 5 });
    expect(await post("/account/b%2Fob/add", 7)).toMatchObject({ status: 200, body: 7 });
    expect(await post("/account/alice/add", 1)).toMatchObject({ status: 200, body: 6 });
  });

  test("R6 once under one idempotency key, for each handler of each key", async () => {
    const key = { "idempotency-key": "r1" };
    const answers = [await post("/mail/welcome", { to: "a" }, key), await post("/mail/welcome", { to: "a" }, key)];
    expect(answers.map(({ body }) => body)).toEqual(["1 sent", "1 sent"]);
    expect(sent).toEqual(["a"]);
    for (const path of ["/account/alice/add", "/account/alice/add", "/account/bob/add"]) {
      expect((await post(path, 2, key)).body).toBe(2);
    }
  });

  test("with 202 and where the result will be, when it takes longer than the caller waits", async () => {
    const started = await post("/mail/ping?wait=0", undefined, { "idempotency-key": "a b" });
    expect(started).toMatchObject({ status: 202, body: { ID: "mail.ping/a b", Location: "/mail/ping/a%20b" } });
    const location = started.headers.get("location") ?? "";
    expect(await call("GET", `${location}?wait=0`)).toMatchObject({ status: 202 });
    const waiting = call("GET", location);
    await cluster.advance("1h");
    expect(await waiting).toMatchObject({ status: 200, body: "pong" });
    expect(await post("/account/alice/add", 1, { prefer: "respond-async", "idempotency-key": "x" })).toMatchObject({
      status: 202,
      headers: expect.anything() as unknown,
    });
    expect(await call("GET", "/account/alice/add/x")).toMatchObject({ status: 200, body: 1 });
  });

  test("R11 R21 later, if it says so", async () => {
    const { status } = await post("/account/alice/add?delay=24h", 3, { "idempotency-key": "later" });
    expect(status).toBe(202);
    await cluster.advance("23h");
    expect((await post("/account/alice/add", 0)).body).toBe(0);
    await cluster.advance("1h");
    expect((await call("GET", "/account/alice/add/later")).body).toBe(3);
  });

  test("and meets what the handler throws as a problem", async () => {
    await post("/account/alice/add", 5);
    const { status, body, headers } = await post("/account/alice/add", -1);
    expect([status, headers.get("content-type"), body]).toEqual([
      422,
      "application/problem+json",
      { title: "not enough", status: 422, code: "overdrawn", details: { balance: 5 } },
    ]);
  });

  test("with an input that its schema takes, as the schema makes it", async () => {
    expect(await post("/account/alice/add", '"5"')).toMatchObject({ status: 200, body: 5 });
    expect(await post("/mail/welcome", { to: "a", more: 1 })).toMatchObject({ status: 200, body: "1 sent" });
  });

  test("and not at all with one that its schema refuses", async () => {
    const refused = await post("/mail/welcome", { to: 7 }, { "idempotency-key": "r1" });
    const Issues = [
      { Message: "no address", Path: ["to"] },
      { Message: "not even text", Path: ["to"] },
    ];
    const body = { title: "the input at to: no address", status: 400, code: "invalid_value", details: { Issues } };
    expect(refused).toMatchObject({ status: 400, body });
    expect(await post("/account/alice/add", 0.5)).toMatchObject({ status: 400, body: { code: "invalid_value" } });
    expect(await call("GET", "/mail/welcome/r1")).toMatchObject({ status: 404 });
    expect(sent).toEqual([]);
  });

  test.each([
    ["POST", "/mail/unknown", "1", 404],
    ["POST", "/unknown/welcome", "1", 404],
    ["POST", "/mail/welcome/r1", "1", 404],
    ["POST", "/account/alice/toString", "1", 404],
    ["POST", "/account//add", "1", 404],
    ["GET", "/mail/welcome", undefined, 404],
    ["GET", "/mail/welcome/never-called", undefined, 404],
    ["PUT", "/mail/welcome", "1", 405],
    ["POST", "/mail/welcome", "{", 400],
    ["POST", "/mail/welcome?wait=soon", "1", 400],
    ["POST", "/mail/%ff", "1", 400],
    ["POST", `/account/${"x".repeat(200)}/add`, "1", 400],
    ["POST", "/mail/welcome", `"${"x".repeat(4 * 1024 * 1024)}"`, 413],
  ])("%s %s is refused", async (method, path, body, status) => {
    expect(await call(method, path, body)).toMatchObject({ status, body: { status } });
    expect(sent).toEqual([]);
  });

  test("below a path of its own, by node:http", async () => {
    handler = ingress({ services: [mail], client: cluster.client, path: "/api" });
    expect((await post("/mail/welcome", { to: "a" })).status).toBe(404);
    const server = createServer(nodeHandler(handler));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/api/mail/welcome`, { method: "POST", body: '{"to": "b"}' });
    expect([response.status, await response.json()]).toEqual([200, "1 sent"]);
    await new Promise((resolve) => server.close(resolve));
  });
});

test("R7 a service calls an object, and both are called like processes", async () => {
  expect((await post("/mail/digest", 4)).body).toBe(5);
  const started = await cluster.client.start(mail.handlers.welcome, { to: "c" });
  expect(await cluster.client.result(started)).toBe("1 sent");
});

test("R15 R13 a handler waits for an awakeable, which a request without any client resolves", async () => {
  const { status } = await post("/account/alice/approve", null, { prefer: "respond-async", "idempotency-key": "a1" });
  expect(status).toBe(202);
  await cluster.untilQuiescent();
  const id = (await cluster.client.vars("account/alice"))["promise"] as string;
  const close = (value: string) =>
    cluster.fetch(`http://slct/channel/${encodeURIComponent(id)}/close`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ Value: { value } }),
    });
  expect((await close("granted")).status).toBe(200);
  expect(await call("GET", "/account/alice/approve/a1")).toMatchObject({ status: 200, body: "granted" });
  // The first one counts.
  expect((await close("refused")).status).toBe(409);
});
