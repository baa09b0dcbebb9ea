/**
 * Fills the service with many items, as fast as it takes them.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Answer, Connection } from "./connection.js";
import type { SlctCluster } from "./slct.js";
import { expectAnswer, freshPrefix } from "./workload.js";

/** Items of one entry: more would make a single step of applying too long. */
const batchItems = 200;
const loaders = 16;
/** What the nodes cannot write as fast as it comes they refuse with 503 `overloaded`, and have done nothing. */
const againMs = 100;
const refusedMsMax = 60_000;

export interface Loading {
  readonly from: number;
  readonly to: number;
  readonly body: (from: number, to: number) => string;
}

export async function load(cluster: SlctCluster, { from, to, body }: Loading): Promise<void> {
  const prefix = freshPrefix("loader");
  let next = from;
  const loader = async (connection: Connection): Promise<void> => {
    while (next < to) {
      const first = next;
      next = Math.min(to, first + batchItems);
      const answer = await untilTaken(connection, `/state/${prefix}-${first}`, body(first, next));
      expectAnswer(answer.status === 201 && !answer.body.includes('"Code"'), "load", answer.body);
    }
    connection.close();
  };
  const connections = await Promise.all(Array.from({ length: loaders }, (_, n) => cluster.open(n)));
  await Promise.all(connections.map(loader));
}

export async function untilTaken(connection: Connection, path: string, body: string): Promise<Answer> {
  const untilMs = performance.now() + refusedMsMax;
  for (;;) {
    const answer = await connection.request("PUT", path, body);
    const isRefused = answer.status === 503 && answer.body.includes('"overloaded"');
    if (!isRefused || performance.now() > untilMs) return answer;
    await pause(againMs);
  }
}
