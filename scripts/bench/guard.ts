/**
 * Whether slct has become slower, in 20 seconds on whatever machine this is: creates in short rounds, in turns with the
 * same on a yardstick that is no part of slct. Only the ratio of the two counts.
 */
import { loadavg } from "node:os";
import type { Connection } from "./connection.js";
import type { Found, Value } from "./figure.js";
import { median } from "./latency.js";
import { measure } from "./measure.js";
import type { SlctCluster } from "./slct.js";
import { fight } from "./versus.js";
import type { Subject } from "./workload.js";
import { create } from "./workloads.js";
import { openYardstick } from "./yardstick.js";

const rounds = 3;
const duration = { seconds: 2, warmupSeconds: 1 };
const connections = 64;

/**
 * Creates per create of the yardstick. Less than half of the lowest of all runs, with and without other load, that are in
 * docs/performance.md: it catches what made slct several times slower, and nothing else.
 */
export const ratioMin = 0.1;

/** Once, or `runs` times to see how much the ratio differs. @throws Error when one is below the bound */
export async function guard(cluster: SlctCluster, dir: string, runs: number, found: Found): Promise<void> {
  const load = loadavg()[0] ?? NaN;
  const yardstick = await openYardstick(dir);
  const all: Record<string, Value>[] = [];
  try {
    for (let run = 0; run < runs; run++) all.push(await once(cluster, yardstick));
  } finally {
    await yardstick.stop();
  }
  const of = (name: string) => all.map((values) => Number(values[name]));
  const lowest = Math.min(...of("ratio"));
  found(`create 10 KB, c=${connections}${runs === 1 ? "" : `, ${runs} runs at load ${load.toFixed(0)}`}`, {
    ...{ runs, ratio: median(of("ratio")), lowest, highest: Math.max(...of("ratio")) },
    ...{ perSecond: median(of("perSecond")), peerPerSecond: median(of("peerPerSecond")) },
    ...{ cpuMicrosPerOp: median(of("cpuMicrosPerOp")), peerCpuMicrosPerOp: median(of("peerCpuMicrosPerOp")) },
    ...{ ratios: of("ratio"), loadAverage: load },
  });
  if (!(lowest >= ratioMin))
    throw new Error(`slct has become slower: ${lowest.toFixed(3)} of the yardstick, bound ${ratioMin}`);
}

function once(cluster: SlctCluster, yardstick: Subject<Connection>): Promise<Record<string, Value>> {
  const workload = () => create("create 10 KB", 10 * 1024, connections);
  const ours = () => measure(cluster, workload(), duration);
  const peers = () => measure(yardstick, workload(), duration);
  return fight({ name: "create 10 KB", ours, peers }, rounds);
}
