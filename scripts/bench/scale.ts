/**
 * Cost of an operation, memory, disk, restart and idling as there is more and more in the service.
 *
 * A second cluster keeps the smallest size and is measured in turns with the growing one: minutes lie between two sizes,
 * in which a machine changes more than a size does.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Found, Value } from "./figure.js";
import { load } from "./loading.js";
import { watchLongest } from "./longest.js";
import { measure } from "./measure.js";
import { isChosen, type BenchOptions } from "./options.js";
import { probeOf, scenarios, sizesOf, type Scenario } from "./scenarios.js";
import type { SlctCluster } from "./slct.js";
import { timersAtOnce, timersOn } from "./timers-at-once.js";
import { usageOf } from "./usage.js";
import { fight } from "./versus.js";

const probers = 16;
const quietShare = 0.1;
const quietSecondsMax = 600;
/** Before idling is measured: V8 collects garbage up to 45 s after the work has ended, LevelDB merges in bursts. */
const calmSeconds = 60;
/** One collection of garbage takes up to half a second of CPU: 5 % of ten seconds, less than 1 % of these. */
const idleSeconds = 60;
const restartMsMax = 600_000;

/** Default: three nodes. */
export type OnCluster = (use: (cluster: SlctCluster) => Promise<void>, nodes?: number) => Promise<void>;

/** Each scenario on clusters of its own. */
export async function scale(onCluster: OnCluster, options: BenchOptions, found: Found): Promise<void> {
  for (const scenario of scenarios) {
    if (!isChosen(scenario.name, options.only)) continue;
    await onCluster((small) => onCluster((growing) => curve({ small, growing, scenario, options, found })));
  }
  for (const { name, nodes } of timersOn) {
    if (isChosen(name, options.only)) await onCluster((cluster) => timersAtOnce(cluster, name, options, found), nodes);
  }
}

interface Curve {
  readonly small: SlctCluster;
  readonly growing: SlctCluster;
  readonly scenario: Scenario;
  readonly options: BenchOptions;
  readonly found: Found;
}

async function curve({ small, growing, scenario, options, found }: Curve): Promise<void> {
  const { name, smallest, batch } = scenario;
  const [first = smallest, ...larger] = sizesOf(scenario, options.count);
  await load(small, { from: 0, to: first, body: batch });
  const probe = (cluster: SlctCluster, size: number) => () =>
    measure(cluster, probeOf(scenario, size, probers), options);
  let loaded = 0;
  for (const size of [first, ...larger]) {
    const longest = await watchLongest(growing);
    const beganMs = performance.now();
    await load(growing, { from: loaded, to: size, body: batch });
    const loadedPerSecond = (size - loaded) / ((performance.now() - beganMs) / 1000);
    loaded = size;
    await untilQuiet(growing);
    const duel = { name, ours: probe(growing, size), peers: probe(small, first) };
    const values = await fight(duel, options.rounds);
    const [cost, smallCost] = [Number(values.cpuMicrosPerOp), Number(values.peerCpuMicrosPerOp)];
    await untilQuiet(growing);
    const memory = growing.pids.map(usageOf);
    found(`${name} ${size}`, {
      ...{ ...values, size, costRatio: cost / smallCost, loadedPerSecond },
      ...{ rssMiB: memory.map((one) => one.rssMiB), rssMaxMiB: Math.max(...memory.map((one) => one.rssMiB)) },
      ...{ ownMiB: memory.map((one) => one.ownMiB) },
      diskGb: Math.max(...growing.disk()) / 1e9,
      ...(await idle(growing)),
      ...(await longest()),
      restartSeconds: await restart(growing),
    });
  }
}

/** Compaction and followers have caught up when every node uses less than a tenth of a core for `seconds` in a row. */
async function untilQuiet(cluster: SlctCluster, seconds = 1): Promise<void> {
  let quiet = 0;
  for (let second = 0; second < quietSecondsMax && quiet < seconds; second++) {
    const before = cpuSeconds(cluster);
    await pause(1000);
    const used = cpuSeconds(cluster).map((one, n) => one - (before[n] ?? 0));
    quiet = Math.max(...used) < quietShare ? quiet + 1 : 0;
  }
}

/** The busiest node, and what the log grew by. */
async function idle(cluster: SlctCluster): Promise<Record<string, Value>> {
  const lastIndex = async () => Math.max(...(await cluster.metrics("slct_raft_last_index")));
  await untilQuiet(cluster, calmSeconds);
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
