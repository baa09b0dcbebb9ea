/**
 * What the consensus core keeps to, unless a test or the simulator says otherwise.
 */
import type { RaftOptions } from "../raft/types.js";

export type RaftLimits = Pick<
  RaftOptions,
  "appendBytesMax" | "inflightMax" | "inflightBytesMax" | "uncommittedBytesMax" | "preVote" | "checkQuorum"
>;

export const raftLimits: RaftLimits = {
  appendBytesMax: 1024 * 1024,
  inflightMax: 64,
  // Below what the peer links hold for one member: a follower that lags must not break its own link.
  inflightBytesMax: 16 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  preVote: true,
  checkQuorum: true,
};
