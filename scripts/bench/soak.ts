/**
 * Minutes of everything at once: memory, open files and the log have to stay within their limits.
 */
import { join } from "node:path";
import type { Found, Value } from "./figure.js";
import { measure } from "./measure.js";
import type { SlctCluster } from "./slct.js";
import { diskBytes, usageOf } from "./usage.js";
import { mixed } from "./workloads.js";

const sampleMs = 5000;
/** Until then caches and buffers fill. */
const warmupSeconds = 60;

interface Footprint {
  readonly rssMiB: readonly number[];
  readonly files: readonly number[];
  readonly logMb: readonly number[];
}

export async function soak(cluster: SlctCluster, minutes: number, connections: number, found: Found): Promise<void> {
  const samples: Footprint[] = [];
  const watch = setInterval(() => samples.push(footprint(cluster)), sampleMs);
  try {
    const seconds = Math.max(1, minutes * 60 - warmupSeconds);
    const values = await measure(cluster, mixed(connections), { seconds, warmupSeconds });
    const settled = samples.slice(Math.floor((warmupSeconds * 1000) / sampleMs));
    const [first, last] = [settled[0] ?? footprint(cluster), footprint(cluster)];
    const highest = (name: keyof Footprint): Value =>
      last[name].map((_, n) => Math.max(...settled.map((one) => one[name][n] ?? 0)));
    found(`mixed 1 KB, ${minutes} minutes, c=${connections}`, {
      ...{ ...values, rssFirstMiB: first.rssMiB, rssMiB: last.rssMiB, rssMaxMiB: highest("rssMiB") },
      ...{ filesFirst: first.files, files: last.files, filesMax: highest("files") },
      ...{ logFirstMb: first.logMb, logMb: last.logMb, logMaxMb: highest("logMb") },
    });
  } finally {
    clearInterval(watch);
  }
}

function footprint(cluster: SlctCluster): Footprint {
  const usages = cluster.pids.map(usageOf);
  return {
    rssMiB: usages.map((one) => one.rssMiB),
    files: usages.map((one) => one.openFiles),
    logMb: cluster.ids.map((id) => diskBytes(join(cluster.dataDir(id), "log")) / 1e6),
  };
}
