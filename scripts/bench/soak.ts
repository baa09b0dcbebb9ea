/**
 * Minutes of all workloads in turn: memory, open files and the log have to stay within their limits.
 */
import { join } from "node:path";
import type { Found, Value } from "./figure.js";
import { measure } from "./measure.js";
import type { SlctCluster } from "./slct.js";
import { diskBytes, usageOf } from "./usage.js";
import { workloads } from "./workloads.js";

const sampleMs = 1000;
const turnSeconds = 10;

interface Footprint {
  readonly rssMiB: readonly number[];
  readonly ownMiB: readonly number[];
  readonly files: readonly number[];
  readonly logMb: readonly number[];
}

/** The first round fills caches and buffers; what the others leave is compared with it. */
export async function soak(cluster: SlctCluster, minutes: number, connections: number, found: Found): Promise<void> {
  const samples: Footprint[] = [];
  const watch = setInterval(() => samples.push(footprint(cluster)), sampleMs);
  const beganMs = performance.now();
  let operations = 0;
  let rounds = 0;
  let first = footprint(cluster);
  try {
    for (; performance.now() - beganMs < minutes * 60_000; rounds++) {
      for (const workload of workloads(connections, cluster.apis)) {
        const { perSecond } = await measure(cluster, workload, { seconds: turnSeconds, warmupSeconds: 0 });
        operations += Number(perSecond) * turnSeconds;
      }
      if (rounds > 0) continue;
      first = footprint(cluster);
      samples.length = 0;
    }
  } finally {
    clearInterval(watch);
  }
  const last = footprint(cluster);
  const highest = (name: keyof Footprint): Value =>
    last[name].map((now, n) => Math.max(now, ...samples.map((one) => one[name][n] ?? 0)));
  found(`all workloads in turn, ${minutes} minutes, c=${connections}`, {
    ...{ operations, rounds, rssFirstMiB: first.rssMiB, rssMiB: last.rssMiB },
    ...{ ownFirstMiB: first.ownMiB, ownMiB: last.ownMiB, ownMaxMiB: highest("ownMiB") },
    ...{ filesFirst: first.files, files: last.files, filesMax: highest("files") },
    ...{ logFirstMb: first.logMb, logMb: last.logMb, logMaxMb: highest("logMb") },
  });
}

function footprint(cluster: SlctCluster): Footprint {
  const usages = cluster.pids.map(usageOf);
  return {
    rssMiB: usages.map((one) => one.rssMiB),
    ownMiB: usages.map((one) => one.ownMiB),
    files: usages.map((one) => one.openFiles),
    logMb: cluster.ids.map((id) => diskBytes(join(cluster.dataDir(id), "log")) / 1e6),
  };
}
