/**
 * Names and addresses of nodes.
 */
import type { Member } from "../cluster/types.js";
import type { NodeId } from "../raft/types.js";

export function idOf(at: number): NodeId {
  return `n${at + 1}`;
}

/** Nobody listens there. */
export function addressOf(id: NodeId): Member {
  return { id, peer: `${id}:1`, api: `http://${id}` };
}
