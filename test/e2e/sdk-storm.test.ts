/**
 * 200 processes of every kind on a real cluster, while workers and leaders are killed with SIGKILL as the work goes on: every
 * process ends with the right result, every effect outside has happened once, and nothing is left behind.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createClient,
  isSlctError,
  type Client,
  type Failure,
  type ProcessRef,
  type StateOut,
} from "../../sdk/client.js";
import { Random } from "../../sdk/process/random.js";
import { flows } from "../../sdk/sdk.js";
import { TestCluster, waitFor } from "./harness.js";
import { Outside } from "./outside.js";
import * as storm from "./storm-processes.js";

const program = join(import.meta.dirname, "../../dist/test/e2e/storm-worker.js");
const seed = "5709".padStart(32, "0");
const perKind = 20;
const workerCount = 3;
const objects = 2;
/** In this order, at points of progress between a twentieth and four fifths of all effects. */
const kills = ["worker", "worker", "leader", "worker", "worker", "leader", "worker", "worker"] as const;
const patienceMs = 160_000;

let cluster: TestCluster;
let client: Client;
let outside: Outside;
let endpoints: string[];
const workers: ChildProcess[] = [];

beforeAll(async () => {
  // Whoever is killed often enough would be paused: that is another test.
  cluster = await TestCluster.open(3, ["--attempts-max", "100"]);
  endpoints = cluster.ids.map((id) => cluster.member(id).api);
  client = createClient({ endpoints, retry: { timeoutMs: patienceMs } });
  outside = await Outside.open();
});
afterAll(async () => {
  for (const one of workers) one.kill("SIGKILL");
  await outside.close();
  await cluster.close();
});

interface Kind {
  /** Gives the ID of the process. */
  readonly start: (order: storm.Order) => Promise<string>;
  readonly result: (n: number) => unknown;
  readonly effects: (n: number) => readonly string[];
}

const parts = (name: string, ...all: readonly (string | number)[]) => all.map((part) => `${name}-${part}`);
const start = (process: ProcessRef<storm.Order, unknown>) => async (order: storm.Order) =>
  (await client.start(process, order, { id: String(order.n) })).id;
const raceEnds = ["given", "late", "done"] as const;

const kinds: readonly Kind[] = [
  {
    start: start(storm.sequence),
    result: (n) => 4 * n,
    effects: (n) => parts(`sequence-${n}`, "a", "b", "c", "d"),
  },
  {
    start: start(storm.race),
    result: (n) => raceEnds[n % 3],
    effects: (n) => [`race-${n}`, ...(n % 3 === 2 ? [`quick-${n}`] : [])],
  },
  {
    start: start(storm.threads),
    result: (n) => 6 * n,
    effects: (n) => parts(`threads-${n}`, 1, 2, 3),
  },
  {
    start: start(storm.family),
    result: (n) => 4 * n + 1,
    effects: (n) => parts("child", 2 * n, 2 * n + 1),
  },
  {
    start: start(storm.door),
    result: (n) => n,
    effects: (n) => parts(`door-${n}`, "open", "shut"),
  },
  {
    start: (order) => start(storm.counter.of(String(order.n % objects)).add)(order),
    // As many as came before it, and itself: see below.
    result: () => expect.any(Number) as unknown,
    effects: (n) => [`counter-${n}`],
  },
  {
    start: start(storm.rendering),
    result: (n) => 3 * n,
    effects: (n) => parts(`render-${n}`, 0, 1, 2),
  },
  {
    start: (order) => flows(client).execute(storm.trip, order, { id: String(order.n) }),
    result: (n) => (n % 2 === 1 ? "step_failed" : { mail: expect.anything() as unknown }),
    effects: (n) => parts(`trip-${n}`, "flight", ...(n % 2 === 1 ? ["cancel"] : ["room", "mail"])),
  },
  {
    start: start(storm.saga),
    result: () => "in_vain",
    effects: (n) => [`saga-${n}`, `saga-${n}-undone`],
  },
  {
    start: start(storm.sleeper),
    result: (n) => n,
    effects: (n) => [`sleeper-${n}`],
  },
];
const numbers = Array.from({ length: perKind }, (_, n) => n + 1);
const expected = kinds.flatMap(({ effects }) => numbers.flatMap(effects));

test("the storm", async () => {
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: workerCount }, startWorker));
  const killing = kill();
  const begun = kinds.flatMap(({ start }) => numbers.map((n) => start({ url: outside.url, n })));
  const given = numbers.filter((n) => n % 3 === 0).map((n) => client.send(storm.givenTo(n), n, { wait: patienceMs }));
  const ids = await Promise.all(begun);
  const results = await Promise.all(ids.map(outcome));
  await Promise.all([killing, ...given]);

  expect(results).toEqual(kinds.flatMap(({ result }) => numbers.map(result)));
  const counted = results.slice(5 * perKind, 6 * perKind) as number[];
  const half = numbers.slice(0, perKind / objects);
  expect([...counted].sort((a, b) => a - b)).toEqual(half.flatMap((n) => Array<number>(objects).fill(n)));
  expect([...outside.effects.values()].sort()).toEqual([...expected].sort());

  await expectNothingLeft();
  const { effects, attempts, refused, lost } = outside;
  console.log(
    `${ids.length} processes, ${kills.length} kills (${kills.filter((one) => one === "leader").length} leaders): ` +
      `${expected.length} effects, ${effects.size} keys, ${attempts} attempts (${refused} refused, ${lost} answers lost), ` +
      `${((performance.now() - beganMs) / 1000).toFixed(1)} s`,
  );
});

async function startWorker(): Promise<void> {
  const child = spawn(process.execPath, [program, endpoints.join(",")], { stdio: ["ignore", "pipe", "ignore"] });
  workers.push(child);
  await once(createInterface({ input: child.stdout }), "line");
}

/** One after the other, each as soon as enough has happened outside, whoever is killed is back before the next. */
async function kill(): Promise<void> {
  const random = new Random(seed, "kills");
  for (const [n, victim] of kills.entries()) {
    const share = 0.05 + (0.75 * (n + random.next())) / kills.length;
    await outside.reached(Math.floor(share * expected.length));
    if (victim === "leader") {
      const leader = await cluster.leader();
      await cluster.kill(leader, "SIGKILL");
      await cluster.start(leader);
    } else {
      const [worker] = workers.splice(Math.floor(random.next() * workers.length), 1);
      worker?.kill("SIGKILL");
      await startWorker();
    }
  }
}

/** The result, or the code of how it failed. */
async function outcome(id: string): Promise<unknown> {
  return client.result({ id, created: true }, { wait: patienceMs }).catch((error: Failure) => {
    if (isSlctError(error)) throw error;
    return error.code;
  });
}

/** Every state has ended and waits for nothing; when they are forgotten, no channel remains. */
async function expectNothingLeft(): Promise<void> {
  for (let n = 0; n < objects; n++) await client.cancel(`storm-counter/${n}`);
  const all = async () => {
    const states: StateOut[] = [];
    for await (const state of client.states({ limit: 1000 })) states.push(state);
    return states;
  };
  await waitFor(
    "the end of everything",
    async () => (await all()).every(({ Status }) => Status === "done"),
    patienceMs,
  );
  const stopped = workers.map((worker) => once(worker, "exit"));
  for (const worker of workers) worker.kill("SIGTERM");
  expect(await Promise.all(stopped)).toEqual(workers.map(() => [0, null]));

  const states = await all();
  expect(states.filter(({ Selects }) => Selects.length > 0)).toEqual([]);
  for await (const { Chan, Senders, Receivers, Values } of client.channels({ limit: 1000 })) {
    expect([Chan, Senders, Receivers, Values]).toEqual([Chan, 0, 0, 0]);
  }
  await Promise.all(states.map(({ ID }) => client.deleteState(ID, { force: true })));
  const names = [...new Set(states.map(({ ID }) => ID.slice(0, ID.indexOf("/"))))];
  await Promise.all(names.map((name) => client.collect(name)));
  expect(await client.listChannels()).toMatchObject({ Channels: [] });
}
