/**
 * What workers that take in HTTP do to throughput, latency and cost, on three nodes and on one alone: the same workloads
 * on clusters that differ in nothing else, in turns and short rounds, and of each the medians.
 */
import { join } from "node:path";
import type { Found, Value } from "./figure.js";
import { median } from "./latency.js";
import { measure } from "./measure.js";
import { isChosen, type BenchOptions } from "./options.js";
import { SlctCluster } from "./slct.js";
import { create, mixed, reads, steps, type SlctWorkload } from "./workloads.js";

const sizes = [3, 1] as const;
const kibibyte = 1024;

/** @param counts numbers of workers; 0: the process of the node */
export async function ingress(
  dir: string,
  counts: readonly number[],
  options: BenchOptions,
  found: Found,
): Promise<void> {
  for (const nodes of sizes) {
    const clusters: SlctCluster[] = [];
    try {
      for (const workers of counts)
        clusters.push(await SlctCluster.open({ dir: join(dir, `${nodes}-${workers}`), nodes, workers }));
      for (const connections of options.connections)
        await onAll({ clusters, counts, nodes, connections }, options, found);
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.stop()));
    }
  }
}

interface Field {
  readonly clusters: readonly SlctCluster[];
  readonly counts: readonly number[];
  readonly nodes: number;
  readonly connections: number;
}

async function onAll(field: Field, options: BenchOptions, found: Found): Promise<void> {
  const { clusters, counts, nodes, connections } = field;
  for (const make of workloads(connections)) {
    const { name } = make();
    if (!isChosen(name, options.only)) continue;
    const rounds = clusters.map((): Record<string, Value>[] => []);
    for (let round = 0; round < options.rounds; round++) {
      // Each is first as often as the others.
      for (let n = 0; n < clusters.length; n++) {
        const at = (round + n) % clusters.length;
        const cluster = clusters[at];
        if (cluster !== undefined) rounds[at]?.push(withCore(await measure(cluster, make(), options), counts[at] ?? 0));
      }
    }
    rounds.forEach((measured, at) => {
      const where = `${counted(nodes, "node")}, ${counted(counts[at] ?? 0, "worker")}`;
      found(`${name}, c=${connections}, ${where}`, medians(measured));
    });
  }
}

/** A workload is used once. */
function workloads(connections: number): readonly (() => SlctWorkload)[] {
  return [
    () => create("create 256 B", 256, connections),
    () => create("create 10 KB", 10 * kibibyte, connections),
    () => steps(connections),
    () => reads("linearizable GET 10 KB", 10 * kibibyte, connections),
    () => mixed(connections),
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** The busiest thread decides how much a node can do: of each node the first process is its core, then come its workers. */
function withCore(values: Record<string, Value>, workers: number): Record<string, Value> {
  const cores = [values.nodeCores ?? NaN].flat().filter((_, n) => n % (workers + 1) === 0);
  const used = cores.reduce((sum, one) => sum + one, 0);
  return { ...values, coreMicrosPerOp: (used * 1e6) / Number(values.perSecond) };
}

function medians(rounds: readonly Record<string, Value>[]): Record<string, Value> {
  const names = ["perSecond", "p50Ms", "p99Ms", "cpuMicrosPerOp", "coreMicrosPerOp", "loadCores"];
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((one) => Number(one[name])))]));
}
