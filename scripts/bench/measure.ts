/**
 * One workload on one subject, measured: what was done, how long it took, and what it cost.
 */
import type { Value } from "./figure.js";
import { summarize } from "./latency.js";
import { closedLoop, machineClock, openLoop, Samples } from "./load.js";
import { ownCpuSeconds, usageOf } from "./usage.js";
import { WrongAnswer, type Closable, type Subject, type Workload } from "./workload.js";

export interface Duration {
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Operations per second of an open loop; a closed one without it. */
  readonly rate?: number;
}

/** Workers that wait for a partner are cut off this long after the end. */
const graceMs = 2000;

/** @throws WrongAnswer when an answer was not right */
export async function measure<C extends Closable>(
  subject: Subject<C>,
  workload: Workload<C>,
  duration: Duration,
): Promise<Record<string, Value>> {
  const connections = await Promise.all(Array.from({ length: workload.workers }, (_, worker) => subject.open(worker)));
  try {
    if (connections[0] !== undefined) await workload.setup?.(connections[0]);
    return await underLoad(subject, workload, duration, connections);
  } finally {
    for (const connection of connections) connection.close();
    await workload.finish?.();
  }
}

async function underLoad<C extends Closable>(
  subject: Subject<C>,
  workload: Workload<C>,
  { seconds, warmupSeconds, rate }: Duration,
  connections: readonly C[],
): Promise<Record<string, Value>> {
  const startMs = performance.now();
  const fromMs = startMs + warmupSeconds * 1000;
  const samples = new Samples({ fromMs, toMs: fromMs + seconds * 1000 });
  const loop = { connections, workload, samples, clock: machineClock };
  let isOver = false;
  const work = (rate === undefined ? closedLoop(loop) : openLoop(loop, { perSecond: rate, startMs })).catch(
    (error: unknown) => {
      // What was cut off at the end is no failure of the subject.
      if (!isOver || error instanceof WrongAnswer) throw error;
    },
  );
  const until = (timeMs: number) => Promise.race([work, machineClock.untilMs(timeMs)]);
  await until(fromMs);
  const before = await snapshot(subject);
  await until(samples.toMs);
  const after = await snapshot(subject);
  isOver = true;
  // An open loop has its own patience.
  if (rate === undefined) await until(samples.toMs + graceMs);
  else await work;
  for (const connection of connections) connection.close();
  // A worker may wait for something else than its connection, and for ever.
  await until(performance.now() + graceMs);
  const syncs = after.syncs - before.syncs;
  if (workload.writes && samples.operations > 0 && syncs === 0)
    throw new Error(`${subject.name} acknowledged ${samples.operations} writes without one synced write`);
  return {
    ...{ perSecond: samples.operations / seconds, ...summarize(samples.latenciesMs) },
    ...(rate === undefined ? {} : { unanswered: samples.unanswered }),
    ...spent(before, after, samples.operations),
    ...workload.figures?.(),
  };
}

export interface Snapshot {
  readonly atMs: number;
  readonly cpuSeconds: readonly number[];
  readonly loadCpuSeconds: number;
  readonly rssMiB: readonly number[];
  readonly syncs: number;
}

export async function snapshot(subject: Pick<Subject<Closable>, "pids" | "syncs">): Promise<Snapshot> {
  const usages = subject.pids.map(usageOf);
  return {
    atMs: performance.now(),
    cpuSeconds: usages.map((one) => one.cpuSeconds),
    loadCpuSeconds: ownCpuSeconds(),
    rssMiB: usages.map((one) => one.rssMiB),
    syncs: await subject.syncs(),
  };
}

/** Cores of each node and of the load generator, CPU of all nodes and synced writes per operation, memory at the end. */
export function spent(before: Snapshot, after: Snapshot, operations: number): Record<string, Value> {
  const seconds = (after.atMs - before.atMs) / 1000;
  const cpu = after.cpuSeconds.map((one, n) => one - (before.cpuSeconds[n] ?? 0));
  return {
    nodeCores: cpu.map((one) => one / seconds),
    loadCores: (after.loadCpuSeconds - before.loadCpuSeconds) / seconds,
    cpuMicrosPerOp: (cpu.reduce((sum, one) => sum + one, 0) * 1e6) / operations,
    syncsPerOp: (after.syncs - before.syncs) / operations,
    rssMiB: after.rssMiB,
  };
}
