/**
 * Majority arithmetic: which index a quorum has reached, and whether a vote is decided.
 *
 * Pure. Source: dissertation 3.4 and 3.6.2. Voters are a handful, so sorting a copy beats anything clever.
 */

import type { NodeId } from "./types.js";

export type VoteResult = "won" | "lost" | "pending";

/** Smallest majority of `voters` members. */
export function quorumSize(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * Largest value that a majority has reached.
 *
 * @param reached one value per voter, in any order: match index, confirmed round, tick of the last sign of life
 */
export function quorumReached(reached: readonly number[]): number {
  const descending = [...reached].sort((a, b) => b - a);
  return descending[quorumSize(reached.length) - 1] ?? 0;
}

/** One vote per voter counts; votes of anybody else do not. */
export function voteResult(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === true) granted += 1;
    if (vote === false) refused += 1;
  }
  const quorum = quorumSize(voters.length);
  if (granted >= quorum) return "won";
  return voters.length - refused < quorum ? "lost" : "pending";
}
