/**
 * Whether slct has become slower, in 20 seconds on whatever machine this is: creates in short rounds, in turns with the
 * same on a yardstick that is no part of slct. Only the ratio of the two counts.
 */
import type { Found } from "./figure.js";
import { measure } from "./measure.js";
import type { SlctCluster } from "./slct.js";
import { fight } from "./versus.js";
import { create } from "./workloads.js";
import { openYardstick } from "./yardstick.js";

const rounds = 3;
const duration = { seconds: 2, warmupSeconds: 1 };
const connections = 64;

/** Creates per create of the yardstick. docs/performance.md tells what was measured, with and without other load. */
export const ratioMin = 0.2;

/** @throws Error below the bound */
export async function guard(cluster: SlctCluster, dir: string, found: Found): Promise<void> {
  const yardstick = await openYardstick(dir);
  const workload = () => create("create 10 KB", 10 * 1024, connections);
  try {
    const values = await fight(
      {
        name: "create 10 KB",
        ours: () => measure(cluster, workload(), duration),
        peers: () => measure(yardstick, workload(), duration),
      },
      rounds,
    );
    found(`create 10 KB, c=${connections}`, { ...values, bound: ratioMin });
    const ratio = Number(values.ratio);
    if (!(ratio >= ratioMin))
      throw new Error(`slct has become slower: ${ratio.toFixed(3)} of the yardstick, bound ${ratioMin}`);
  } finally {
    await yardstick.stop();
  }
}
