/**
 * Where the CPU of a PUT goes: each step done alone, many times, with the code that the nodes run, and what the whole takes
 * in a cluster.
 *
 * A step's time is CPU of the process, threads of the runtime and of LevelDB included. What the sum of the steps lacks
 * is Raft, wake-ups of threads and processes, and caches that are colder when three nodes share two cores.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeFrame } from "../../cluster/frame-decoder.js";
import { FrameParser } from "../../cluster/frame-parser.js";
import { encodeFrame } from "../../cluster/frames.js";
import { SegmentLog } from "../../cluster/log.js";
import { LevelStore } from "../../cluster/store.js";
import { decodeEntry, encodeEntry, stampEntry } from "../../src/codec.js";
import { Machine } from "../../src/select/machine.js";
import type { Entry } from "../../raft/types.js";
import type { PutCommand } from "../../src/select/command.js";
import { loopback } from "../free-ports.js";
import { Connection } from "./connection.js";
import type { Found } from "./figure.js";
import { measure } from "./measure.js";
import type { BenchOptions } from "./options.js";
import type { SlctCluster } from "./slct.js";
import { ownCpuSeconds } from "./usage.js";
import { create } from "./workloads.js";

/** Entries of one synced write and of one message, as many as 64 connections make of them. */
const batchEntries = 20;
const batches = 500;
const requests = 20_000;
const loaders = 32;
const connections = 64;
const server = fileURLToPath(new URL("budget-server.js", import.meta.url));
const sizes: readonly (readonly [name: string, bytes: number])[] = [
  ["10 KB", 10 * 1024],
  ["256 B", 256],
];

interface Step {
  readonly name: string;
  /** How often one PUT is through this in a cluster of three. */
  readonly times: number;
  readonly micros: number;
}

export async function budget(cluster: SlctCluster, dir: string, options: BenchOptions, found: Found): Promise<void> {
  for (const [size, bytes] of sizes) {
    const body = `{"Data":"${"x".repeat(bytes)}","Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"paid"}]}]}`;
    const bare = await ingress("bare", body);
    const steps: Step[] = [
      { name: "Node's HTTP server: read, answer", times: 1, micros: bare },
      { name: "API: route, parse, check, command, answer", times: 1, micros: (await ingress("api", body)) - bare },
      { name: "encode the entry", times: 1, micros: await encoding(bytes) },
      // Two of three requests come to a follower; the leader sends each entry to both.
      { name: "peer link: frame, checksum, socket, both ends", times: 2 + 2 / 3, micros: await link(bytes) },
      { name: "log: checksum, write, sync", times: 3, micros: await logging(join(dir, `log-${bytes}`), bytes) },
      ...(await applying(join(dir, `store-${bytes}`), bytes)),
    ];
    for (const { name, times, micros } of steps) found(`${size}: ${name}`, { micros, times, perPut: times * micros });
    const sum = steps.reduce((all, { times, micros }) => all + times * micros, 0);
    found(`${size}: all of these`, { perPut: sum });
    const whole = await measure(cluster, create(`create ${size}`, bytes, connections), options);
    found(`${size}: a PUT in the cluster, c=${connections}`, { perPut: whole.cpuMicrosPerOp ?? NaN });
  }
}

/** CPU of this process per item of `run`, which does `items`; a tenth of it before does not count. */
async function cost(times: number, items: number, run: (n: number) => Promise<void> | void): Promise<number> {
  let began = 0;
  const warmup = Math.ceil(times / 10);
  for (let n = 0; n < warmup + times; n++) {
    if (n === warmup) began = ownCpuSeconds();
    await run(n);
  }
  return ((ownCpuSeconds() - began) * 1e6) / (times * items);
}

async function ingress(kind: "bare" | "api", body: string): Promise<number> {
  const child = fork(server, [kind]);
  const told = async () => ((await once(child, "message")) as [number])[0];
  const cpuMicros = () => {
    child.send("cpu");
    return told();
  };
  const port = await told();
  const all = await Promise.all(Array.from({ length: loaders }, () => Connection.open(`http://${loopback}:${port}`)));
  let left = 0;
  const loader = async (connection: Connection) => {
    while (left-- > 0) await connection.request("PUT", `/state/budget-${left}`, body);
  };
  const work = (count: number) => {
    left = count;
    return Promise.all(all.map(loader));
  };
  await work(requests / 4);
  const before = await cpuMicros();
  await work(requests);
  const micros = ((await cpuMicros()) - before) / requests;
  for (const connection of all) connection.close();
  child.disconnect();
  await once(child, "exit");
  return micros;
}

function entryOf(index: number, bytes: number): Entry {
  const data = Buffer.from(`"${"x".repeat(bytes)}"`);
  const selects = [{ id: "1", choice: "random", cases: [{ op: "recv", chan: `paid-${index}` }] }] as const;
  const command: PutCommand = { kind: "put", id: `budget-${index}`, data, selects, digest: "" };
  const entry = encodeEntry({ node: "n1", epoch: 1, seq: index }, command);
  stampEntry(entry, 1.7e12 + index);
  return { index, term: 1, data: entry };
}

function batchOf(n: number, bytes: number): Entry[] {
  return Array.from({ length: batchEntries }, (_, at) => entryOf(2 + n * batchEntries + at, bytes));
}

function encoding(bytes: number): Promise<number> {
  return cost(batches, batchEntries, (n) => void batchOf(n, bytes));
}

/** The CPU of sending and of receiving, through the loopback interface. */
async function link(bytes: number): Promise<number> {
  const parser = new FrameParser();
  let onFrame: () => void = () => undefined;
  const listener = createServer((socket) => {
    socket.on("data", (chunk) => {
      parser.push(chunk);
      for (let frame = parser.next(); frame !== undefined; frame = parser.next()) {
        if (frame !== "ping") decodeFrame(frame);
        onFrame();
      }
    });
  });
  listener.listen(0, loopback);
  await once(listener, "listening");
  const socket = connect((listener.address() as AddressInfo).port, loopback);
  await once(socket, "connect");
  const entries = batchOf(0, bytes);
  const head = { type: "AppendEntries", from: "n1", to: "n2", term: 1, prevLogIndex: 1, prevLogTerm: 1 } as const;
  const micros = await cost(batches, batchEntries, async () => {
    const arrived = new Promise<void>((resolve) => (onFrame = resolve));
    socket.cork();
    const { pieces } = encodeFrame({ kind: "raft", message: { ...head, entries, leaderCommit: 1 } });
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
    await arrived;
  });
  socket.destroy();
  listener.close();
  return micros;
}

async function logging(dir: string, bytes: number): Promise<number> {
  const log = await SegmentLog.open({ dir, clusterId: "budget", nodeId: "n1", segmentBytes: 16 * 1024 * 1024 });
  const { data } = entryOf(1, bytes);
  const micros = await cost(batches, batchEntries, async (n) => {
    const first = n * batchEntries + 1;
    await log.append({
      entries: Array.from({ length: batchEntries }, (_, at) => ({ index: first + at, term: 1, data })),
    });
    // As often as it falls due when it is written that fast.
    if (n % 100 === 99) await log.compact(first, 0);
  });
  await log.close();
  return micros;
}

async function applying(dir: string, bytes: number): Promise<Step[]> {
  const fail = (error: unknown) => {
    throw error;
  };
  const store = await LevelStore.open({ dir, overlayBytesMax: 32 * 1024 * 1024, onError: fail });
  const machine = new Machine(store);
  const settings = { attemptsMax: 16, retentionMs: 1e9, requestMemoryMs: 1e9, selectsMax: 1024, callbackLeaseMs: 1e4 };
  machine.apply({ index: 1, nowMs: 1, command: { kind: "configure", settings, seed: new Uint8Array(16) } });
  store.advance(1, 1);
  // What an entry needs, without what it takes to make it.
  let encoded: Entry[] = [];
  let applying = 0;
  let all = 0;
  for (let n = 0; n < batches; n++) {
    encoded = batchOf(n, bytes);
    const began = ownCpuSeconds();
    for (const { index, data } of encoded) {
      const { nowMs, command } = decodeEntry(data);
      machine.apply({ index, nowMs, command });
      store.advance(index, 1);
    }
    applying += ownCpuSeconds() - began;
    // Flushes that fell due go on here.
    if (n % 100 === 99) await store.flush();
    else await nextTurn();
    all += ownCpuSeconds() - began;
  }
  await store.close();
  const micros = (seconds: number) => (seconds * 1e6) / (batches * batchEntries);
  return [
    { name: "decode and apply the entry", times: 3, micros: micros(applying) },
    { name: "records to LevelDB and value files", times: 3, micros: micros(all - applying) },
  ];
}
