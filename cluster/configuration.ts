/**
 * The configuration as a record of the store: what the last applied configuration entry said.
 *
 * It is a record like any other, so it counts for the state hash and travels with snapshots. Until the first change there
 * is none: the members a cluster begins with are the same on all nodes that begin it (identity.ts), and not in the log.
 * Source: dissertation 4.1, 5.1.
 */
import { invariant } from "../src/invariant.js";
import type { Command } from "../src/select/command.js";
import type { View } from "../src/select/view.js";
import { decodeConfiguration } from "../raft/configuration.js";
import type { Configuration, NodeId } from "../raft/types.js";
import type { Member } from "./types.js";

/** Not a key of the engine (src/select/keys.ts). */
export const configurationKey = "n";

/** Undefined: no change has been applied yet. */
export function readConfiguration(view: Pick<View, "get">): Configuration | undefined {
  return view.get(configurationKey) as Configuration | undefined;
}

/**
 * Applies an entry of kind `configuration`.
 * @param data as encoded by the core that proposed it
 */
export function applyConfiguration(
  view: View,
  data: Uint8Array,
): { readonly before: Configuration | undefined; readonly after: Configuration } {
  const before = readConfiguration(view);
  const after = decodeConfiguration(data);
  invariant(after !== undefined, "what is committed as a configuration is one");
  view.put(configurationKey, after);
  return { before, after };
}

/**
 * Drops everything that `node` has parked. Follows in the same entry the one that removes the node, and every later one that
 * it proposed before it was: nobody else would ever end what waits there.
 */
export function forgetting(node: NodeId): Command {
  return { kind: "forget", node, epoch: Number.MAX_SAFE_INTEGER };
}

/** What a cluster begins with: everybody votes. Nobody, for a node that joins. */
export function firstConfiguration(members: readonly Member[]): Configuration {
  return { members: members.map(({ id, peer, api }) => ({ id, voter: true, peer, api })), removed: [] };
}
