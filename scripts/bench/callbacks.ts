/**
 * Process steps by callback: the service calls this process, whose answer puts the state back with a select that makes
 * it pending again.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { loopback } from "../free-ports.js";
import type { Connection } from "./connection.js";
import { expectAnswer, freshPrefix, textOf, WrongAnswer, type Workload } from "./workload.js";

/** A worker starts one process and then only counts what came for it. */
const countMs = 5;

export function callbacks(connections: number): Workload<Connection> {
  const data = textOf(10 * 1024);
  const prefix = `${freshPrefix("callback")}-`;
  const calls = new Array<number>(connections).fill(0);
  const counted = new Array<number>(connections).fill(0);
  const end = '{"Data":"end"}';
  let again = "";
  let isOver = false;
  let wrong: string | undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("latin1");
      const worker = Number(new RegExp(`"ID":"${prefix}(\\d+)"`).exec(body)?.[1]);
      if (Number.isNaN(worker) || !body.includes(data)) wrong ??= body;
      else calls[worker] = (calls[worker] ?? 0) + 1;
      response.setHeader("content-type", "application/json").end(isOver ? end : again);
    });
  });
  return {
    ...{ name: "process step by callback 10 KB", workers: connections, writes: true, independent: false },
    setup: async () => {
      const callback = `{"Type":1,"URI":"${await listen(server)}"}`;
      again = `{"Data":"${data}","Callback":${callback},"Selects":[{"ID":"1","Cases":[{"Op":4}]}]}`;
    },
    step: async (connection, worker, round) => {
      if (round === 0) {
        const made = await connection.request("PUT", `/state/${prefix}${worker}`, again);
        expectAnswer(made.status === 201, "create", made.body);
      }
      await pause(countMs);
      if (wrong !== undefined) throw new WrongAnswer(`wrong callback: ${wrong.slice(0, 300)}`);
      const done = (calls[worker] ?? 0) - (counted[worker] ?? 0);
      counted[worker] = calls[worker] ?? 0;
      return done;
    },
    finish: async () => {
      isOver = true;
      // One more round for each, so that nothing is called any more.
      for (let seen = -1, now = 0; seen !== now; now = calls.reduce((sum, one) => sum + one, 0)) {
        seen = now;
        await pause(quietMs);
      }
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** No callback for this long: the last one was answered. */
const quietMs = 200;

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  return `http://${loopback}:${(server.address() as AddressInfo).port}/`;
}
