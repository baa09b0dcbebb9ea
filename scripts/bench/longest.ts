/**
 * The longest apply step and the longest silence of the leader that the nodes have seen, from their histograms.
 */
import type { Value } from "./figure.js";
import type { SlctCluster } from "./slct.js";

type Buckets = ReadonlyMap<number, number>;

/** @returns to be called at the end of what is watched; nodes must not have been restarted meanwhile */
export async function watchLongest(cluster: SlctCluster): Promise<() => Promise<Record<string, Value>>> {
  const before = await cluster.metricTexts();
  return async () => {
    const after = await cluster.metricTexts();
    const boundMs = (name: string) => {
      const ofNode = (text: string, n: number) => longest(bucketsOf(before[n] ?? "", name), bucketsOf(text, name));
      return Math.max(...after.map(ofNode)) * 1000;
    };
    return {
      ...{ applyMaxMs: boundMs("slct_apply_seconds"), applyCpuMaxMs: boundMs("slct_apply_cpu_seconds") },
      silenceMaxMs: boundMs("slct_leader_silence_seconds"),
    };
  };
}

/** Upper bounds, and how many were at most so long. */
export function bucketsOf(text: string, name: string): Buckets {
  const lines = text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, "gm"));
  return new Map(
    [...lines].map(([, bound = "", count]) => [bound === "+Inf" ? Infinity : Number(bound), Number(count)]),
  );
}

/**
 * The bound below which all of them were that came between two looks; 0 when none came.
 * @throws Error when the last bucket has one, which no bound can be told of
 */
export function longest(before: Buckets, after: Buckets): number {
  const grown = [...after].map(([bound, count]) => ({ bound, count: count - (before.get(bound) ?? 0) }));
  const all = grown.at(-1)?.count ?? 0;
  if (all === 0) return 0;
  const bound = grown.find(({ count }) => count === all)?.bound ?? Infinity;
  if (!Number.isFinite(bound)) throw new Error("something took longer than the last bucket of its histogram");
  return bound;
}
