/**
 * Whether slct has become slower, in 20 seconds on whatever machine this is: creates in short rounds, in turns with a
 * calibration loop. Only the ratio of the two counts.
 */
import { calibrate } from "./calibration.js";
import type { Found } from "./figure.js";
import { median } from "./latency.js";
import { measure } from "./measure.js";
import type { SlctCluster } from "./slct.js";
import { create } from "./workloads.js";

const rounds = 4;
const calibrationSeconds = 1;
const duration = { seconds: 2.5, warmupSeconds: 1 };
const connections = 64;

/** Creates per calibration round. docs/performance.md tells what was measured, with and without other load. */
export const ratioMin = 0.5;

/** @throws Error below the bound */
export async function guard(cluster: SlctCluster, dir: string, found: Found): Promise<void> {
  const calibrations: number[] = [];
  const creates: number[] = [];
  const latencies: { readonly p50Ms: number; readonly p99Ms: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    calibrations.push(await calibrate(dir, calibrationSeconds));
    const values = await measure(cluster, create("create 10 KB", 10 * 1024, connections), duration);
    creates.push(Number(values.perSecond));
    latencies.push({ p50Ms: Number(values.p50Ms), p99Ms: Number(values.p99Ms) });
  }
  const [perSecond, calibrationPerSecond] = [median(creates), median(calibrations)];
  const ratio = perSecond / calibrationPerSecond;
  found(`create 10 KB, c=${connections}`, {
    ...{ ratio, bound: ratioMin, perSecond, calibrationPerSecond, rounds: creates, calibrations },
    ...{ p50Ms: median(latencies.map((one) => one.p50Ms)), p99Ms: median(latencies.map((one) => one.p99Ms)) },
  });
  if (!(ratio >= ratioMin))
    throw new Error(`slct has become slower: ${ratio.toFixed(3)} creates per calibration round, bound ${ratioMin}`);
}
