/**
 * Every workload, at each number of connections, or at a fixed rate.
 */
import type { Found } from "./figure.js";
import { measure } from "./measure.js";
import { isChosen, type BenchOptions } from "./options.js";
import type { SlctCluster } from "./slct.js";
import { workloads } from "./workloads.js";

export async function suite(cluster: SlctCluster, options: BenchOptions, found: Found): Promise<void> {
  for (const connections of options.connections) {
    for (const workload of workloads(connections, cluster.apis)) {
      const name = `${workload.name}, c=${connections}`;
      if (!isChosen(name, options.only)) continue;
      if (options.mode === "load") found(name, await measure(cluster, workload, options));
      else if (workload.independent) {
        const rate = options.count;
        found(`${workload.name}, ${rate}/s, c=${connections}`, await measure(cluster, workload, { ...options, rate }));
      }
    }
  }
}
