/**
 * Many timers that are due in the same millisecond, while small requests go on.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Found, Value } from "./figure.js";
import { summarize } from "./latency.js";
import { machineClock, openLoop, Samples } from "./load.js";
import { snapshot, spent } from "./measure.js";
import type { BenchOptions } from "./options.js";
import { load } from "./loading.js";
import { watchLongest } from "./longest.js";
import { sizesOf } from "./scenarios.js";
import type { SlctCluster } from "./slct.js";
import { create } from "./workloads.js";

export const timersOn = [
  { name: "timers due at once", nodes: 3 },
  // Which does not wait for a core that another node has: what a step takes is what it does.
  { name: "timers due at once, one node", nodes: 1 },
];
const range = { smallest: 1000, largest: 1_000_000 };
/** The deadline must lie behind the end of loading: twice what loading took at the size before, and a while. */
const firstPerSecond = 2000;
const spareMs = 5000;
const probesPerSecond = 100;
const probers = 16;
const beforeMs = 1000;
const lookMs = 50;
const drainMsMax = 300_000;

export async function timersAtOnce(
  cluster: SlctCluster,
  name: string,
  options: BenchOptions,
  found: Found,
): Promise<void> {
  let perSecond = firstPerSecond;
  let smallestCost = NaN;
  for (const size of sizesOf(range, options.count)) {
    const atMs = Date.now() + (size / perSecond) * 2000 + spareMs;
    const selects = `"Selects":[{"ID":"1","Cases":[{"Op":3,"At":${Math.ceil(atMs)}}]}]`;
    const beganMs = performance.now();
    const body = (from: number, to: number) => {
      const states = Array.from({ length: to - from }, (_, n) => `{"ID":"timer-${size}-${from + n}",${selects}}`);
      return `{"Spawn":[${states.join(",")}]}`;
    };
    const longest = await watchLongest(cluster);
    await load(cluster, { from: 0, to: size, body });
    perSecond = size / ((performance.now() - beganMs) / 1000);
    if (Date.now() > atMs - beforeMs) throw new Error(`loading ${size} timers took until they were due`);
    await pause(atMs - beforeMs - Date.now());
    const values = await whileDue(cluster, size, atMs);
    const cost = Number(values.cpuMicrosPerOp);
    if (Number.isNaN(smallestCost)) smallestCost = cost;
    found(`${name} ${size}`, {
      ...{ ...values, size, costRatio: cost / smallestCost, loadedPerSecond: perSecond },
      ...(await longest()),
    });
  }
}

/** From a second before they are due until the last node has them all fired. */
async function whileDue(cluster: SlctCluster, size: number, atMs: number): Promise<Record<string, Value>> {
  const pending = async () => Math.min(...(await cluster.metrics('slct_states{status="pending"}')));
  const changes = async () => Math.max(...(await cluster.metrics("slct_leader_changes_total")));
  const [pendingBefore, changesBefore, before] = [await pending(), await changes(), await snapshot(cluster)];
  const startMs = performance.now();
  const samples = new Samples({ fromMs: startMs, toMs: startMs + drainMsMax });
  const connections = await Promise.all(Array.from({ length: probers }, (_, n) => cluster.open(n)));
  const workload = create("create 256 B", 256, probers);
  const loop = { connections, workload, samples, clock: machineClock };
  const probing = openLoop(loop, { perSecond: probesPerSecond, startMs });
  let drainedSeconds = NaN;
  const watch = (async () => {
    while (Number.isNaN(drainedSeconds) && performance.now() < samples.toMs) {
      await pause(lookMs);
      if ((await pending()) - pendingBefore >= size) drainedSeconds = Math.max(0, Date.now() - atMs) / 1000;
    }
    samples.toMs = Math.min(samples.toMs, performance.now());
  })();
  await Promise.all([probing, watch]);
  for (const connection of connections) connection.close();
  if (Number.isNaN(drainedSeconds)) throw new Error(`not all of ${size} timers fired within ${drainMsMax / 1000} s`);
  return {
    ...summarize(samples.latenciesMs),
    ...spent(before, await snapshot(cluster), size),
    ...{ drainedSeconds, leaderChanges: (await changes()) - changesBefore },
  };
}
