/** When everything is quiet, every node has applied the same entries and holds the same records. */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { NodeOut } from "../api/contract.js";
import type { ChaosCluster } from "./cluster.js";
import type { Violation } from "./workload.js";

const stepMs = 100;

/** @returns what the nodes agree on, or what is wrong when they do not within `withinMs` */
export async function converge(
  cluster: ChaosCluster,
  withinMs: number,
): Promise<{ readonly index: number; readonly hash: string } | Violation> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    // Damage that is found only now ends a node, which then comes up again.
    for (const id of cluster.ids) cluster.launch(id);
    const nodes = await cluster.statuses();
    const found = judge(nodes, cluster.ids.length);
    if (found !== undefined) return found;
    if (performance.now() > endMs)
      return { kind: "stuck", what: `the nodes did not come to rest: ${JSON.stringify(nodes)}` };
    await pause(stepMs);
  }
}

/** Undefined: not yet. */
export function judge(
  nodes: readonly Pick<NodeOut, "ID" | "StateHash">[],
  size: number,
): { readonly index: number; readonly hash: string } | Violation | undefined {
  const hashes = nodes.map(({ StateHash }) => StateHash);
  const [first] = hashes;
  if (hashes.length < size || first === undefined || hashes.some((one) => one?.Index !== first.Index)) return undefined;
  if (hashes.some((one) => one?.Hash !== first.Hash))
    return { kind: "wrong", what: `replicas differ at the same index: ${JSON.stringify(nodes)}` };
  return { index: first.Index, hash: first.Hash };
}
