/**
 * Cost of an operation, memory, disk, restart and idling as there is more and more in the service.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Found, Value } from "./figure.js";
import { load } from "./loading.js";
import { measure } from "./measure.js";
import { isChosen, type BenchOptions } from "./options.js";
import { probeOf, scenarios, sizesOf, type Scenario } from "./scenarios.js";
import type { SlctCluster } from "./slct.js";
import { timersAtOnce, timersName } from "./timers-at-once.js";
import { usageOf } from "./usage.js";

const probers = 16;
const quietShare = 0.1;
const quietSecondsMax = 120;
const idleSeconds = 10;
const restartMsMax = 600_000;

export type OnCluster = (use: (cluster: SlctCluster) => Promise<void>) => Promise<void>;

/** Each scenario on a cluster of its own. */
export async function scale(onCluster: OnCluster, options: BenchOptions, found: Found): Promise<void> {
  for (const scenario of scenarios) {
    if (isChosen(scenario.name, options.only)) await onCluster((cluster) => curve(cluster, scenario, options, found));
  }
  if (isChosen(timersName, options.only)) await onCluster((cluster) => timersAtOnce(cluster, options, found));
}

async function curve(cluster: SlctCluster, scenario: Scenario, options: BenchOptions, found: Found): Promise<void> {
  let loaded = 0;
  let smallestCost = NaN;
  for (const size of sizesOf(scenario, options.count)) {
    const beganMs = performance.now();
    await load(cluster, { from: loaded, to: size, body: scenario.batch });
    const loadedPerSecond = (size - loaded) / ((performance.now() - beganMs) / 1000);
    loaded = size;
    await untilQuiet(cluster);
    const values = await measure(cluster, probeOf(scenario, size, probers), options);
    const cost = Number(values.cpuMicrosPerOp);
    if (Number.isNaN(smallestCost)) smallestCost = cost;
    await untilQuiet(cluster);
    found(`${scenario.name} ${size}`, {
      ...{ ...values, size, costRatio: cost / smallestCost, loadedPerSecond },
      ...{ rssMaxMiB: Math.max(...(values.rssMiB as readonly number[])) },
      diskGb: Math.max(...cluster.disk()) / 1e9,
      ...(await idle(cluster)),
      restartSeconds: await restart(cluster),
    });
  }
}

/** Compaction and followers have caught up when a node uses less than a tenth of a core for a second. */
async function untilQuiet(cluster: SlctCluster): Promise<void> {
  for (let second = 0; second < quietSecondsMax; second++) {
    const before = cpuSeconds(cluster);
    await pause(1000);
    const used = cpuSeconds(cluster).map((one, n) => one - (before[n] ?? 0));
    if (Math.max(...used) < quietShare) return;
  }
}

/** The busiest node, and what the log grew by. */
async function idle(cluster: SlctCluster): Promise<Record<string, Value>> {
  const lastIndex = async () => Math.max(...(await cluster.metrics("slct_raft_last_index")));
  const index = await lastIndex();
  const before = cpuSeconds(cluster);
  await pause(idleSeconds * 1000);
  const used = cpuSeconds(cluster).map((one, n) => one - (before[n] ?? 0));
  return { idlePercent: (Math.max(...used) / idleSeconds) * 100, idleEntries: (await lastIndex()) - index };
}

/** A follower killed and started again: seconds from there to `/readyz`. */
async function restart(cluster: SlctCluster): Promise<number> {
  const leader = await cluster.leader();
  const id = cluster.ids.find((one) => one !== leader) ?? "";
  await cluster.kill(id);
  const beganMs = performance.now();
  cluster.start(id);
  await cluster.untilReady(id, restartMsMax);
  return (performance.now() - beganMs) / 1000;
}

function cpuSeconds(cluster: SlctCluster): number[] {
  return cluster.pids.map((pid) => usageOf(pid).cpuSeconds);
}
