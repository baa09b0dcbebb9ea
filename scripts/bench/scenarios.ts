/**
 * What the service is filled with, and the operation whose cost must not depend on how much there is.
 */
import type { Connection } from "./connection.js";
import { expectAnswer, textOf, type Workload } from "./workload.js";
import { lockIn } from "./workloads.js";

export interface Scenario {
  readonly name: string;
  /** The size the others are compared with. */
  readonly smallest: number;
  /** Where the curve ends, however much is asked for. */
  readonly largest: number;
  /** Body of a PUT that makes the items from `from` up to, but not with, `to`. */
  readonly batch: (from: number, to: number) => string;
  readonly probe: (connection: Connection, size: number) => Promise<void>;
}

const wait = "wait=30";

function spawn(from: number, to: number, state: (n: number) => string): string {
  return `{"Spawn":[${Array.from({ length: to - from }, (_, n) => state(from + n)).join(",")}]}`;
}

function anyOf(size: number): number {
  return Math.floor(Math.random() * size);
}

async function send(connection: Connection, chan: string): Promise<void> {
  const sent = await connection.request("POST", `/channel/${chan}/send?${wait}`, '{"Data":1}');
  expectAnswer(sent.status === 200 && sent.body.includes('"Ok":true'), `send to ${chan}`, sent.body);
}

/** Takes the oldest pending state below `prefix` and puts it back with `rest`. */
async function pollAndPutBack(connection: Connection, prefix: string, rest: (id: string) => string): Promise<void> {
  const polled = await connection.request("GET", `/state/poll?prefix=${prefix}&${wait}&lease=60`);
  const [lock, id] = [lockIn(polled.body), /"ID":"([^"]+)"/.exec(polled.body.toString("latin1"))?.[1]];
  expectAnswer(lock !== undefined && id?.startsWith(prefix) === true, "poll", polled.body);
  const put = await connection.request("PUT", `/state/${id}`, `{"Lock":"${lock}",${rest(id ?? "")}}`);
  expectAnswer(put.status === 200 && put.body.includes(`"ID":"${id}"`), "put back", put.body);
}

const receive = (chan: string) => `"Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"${chan}"}]}]`;
const atOnce = `"Data":"${textOf(256)}","Selects":[{"ID":"1","Cases":[{"Op":4}]}]`;

export const scenarios: readonly Scenario[] = [
  {
    ...{ name: "parked selects", smallest: 10_000, largest: 10_000_000 },
    batch: (from, to) => spawn(from, to, (n) => `{"ID":"parked-${n}.",${receive(`chan-${n}`)}}`),
    // One of them woken, handed out and parked again.
    probe: async (connection, size) => {
      const n = anyOf(size);
      await send(connection, `chan-${n}`);
      await pollAndPutBack(connection, `parked-${n}.`, () => receive(`chan-${n}`));
    },
  },
  {
    ...{ name: "pending states", smallest: 100, largest: 1_000_000 },
    batch: (from, to) => spawn(from, to, (n) => `{"ID":"backlog-${n}",${atOnce}}`),
    probe: (connection) => pollAndPutBack(connection, "backlog-", () => atOnce),
  },
  {
    ...{ name: "channels", smallest: 1000, largest: 100_000 },
    batch: (from, to) => {
      const made = Array.from({ length: to - from }, (_, n) => `{"Chan":"chan-${from + n}","Buffer":1}`);
      return `{"Make":[${made.join(",")}]}`;
    },
    probe: async (connection, size) => {
      const chan = `chan-${anyOf(size)}`;
      await send(connection, chan);
      const received = await connection.request("POST", `/channel/${chan}/recv?${wait}`);
      expectAnswer(received.status === 200 && received.body.includes('"Data":1'), "recv", received.body);
    },
  },
  {
    ...{ name: "waiters of one channel", smallest: 100, largest: 1_000_000 },
    batch: (from, to) => spawn(from, to, (n) => `{"ID":"waiter-${n}",${receive("hot")}}`),
    probe: async (connection) => {
      await send(connection, "hot");
      await pollAndPutBack(connection, "waiter-", () => receive("hot"));
    },
  },
];

/** From the smallest size by factors of ten to `wanted`, or to the largest that is drawn. */
export function sizesOf({ smallest, largest }: Pick<Scenario, "smallest" | "largest">, wanted: number): number[] {
  const last = Math.min(wanted, largest);
  const sizes: number[] = [];
  for (let size = smallest; size < last; size *= 10) sizes.push(size);
  return [...sizes, last];
}

export function probeOf({ name, probe }: Scenario, size: number, workers: number): Workload<Connection> {
  return {
    ...{ name, workers, writes: true, independent: true },
    step: async (connection) => {
      await probe(connection, size);
      return 1;
    },
  };
}
