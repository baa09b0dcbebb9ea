/** When everything is quiet, every node has applied the same entries and holds the same records. */
import { waitFor, type TestCluster } from "./harness.js";

interface NodeStatus {
  readonly ID: string;
  readonly AppliedIndex: number;
  readonly StateHash?: { readonly Index: number; readonly Hash: string };
}

/**
 * @returns index and hash that all nodes agree on
 * @throws Error when hashes differ at the same index, or the nodes do not come to rest
 */
export async function agreedHash(cluster: TestCluster, withinMs = 30_000): Promise<{ index: number; hash: string }> {
  return waitFor(
    "equal indexes on all nodes",
    async () => {
      const nodes = await Promise.all(cluster.ids.map((id) => ownStatus(cluster, id)));
      const hashes = nodes.map(({ StateHash }) => StateHash);
      const [first] = hashes;
      if (first === undefined || hashes.some((one) => one?.Index !== first.Index)) return undefined;
      if (hashes.some((one) => one?.Hash !== first.Hash)) throw new Error(`replicas differ: ${JSON.stringify(nodes)}`);
      return { index: first.Index, hash: first.Hash };
    },
    withinMs,
  );
}

async function ownStatus(cluster: TestCluster, id: string): Promise<NodeStatus> {
  const { body } = await cluster.call<{ Nodes: NodeStatus[] }>("/cluster", { node: id, once: true });
  const own = body.Nodes.find((node) => node.ID === id);
  if (own === undefined) throw new Error(`${id} does not list itself`);
  return own;
}
