/**
 * What a message must look like before it may touch the core: it came from another process.
 *
 * Refused messages are counted, never fatal: a broken peer must not stop a healthy one.
 */

import { decodeConfiguration } from "./configuration.js";
import type { Entry, Message, NodeId } from "./types.js";

/** @param id of this node */
export function isWellFormed(message: Message, id: NodeId): boolean {
  if (message.to !== id || message.from === id || !isCount(message.term)) return false;
  switch (message.type) {
    case "RequestVote":
      return message.term > 0 && isPosition(message.lastLogIndex, message.lastLogTerm, message.term);
    case "AppendEntries":
      return (
        message.term > 0 &&
        isPosition(message.prevLogIndex, message.prevLogTerm, message.term) &&
        isCount(message.leaderCommit) &&
        isContiguous(message)
      );
    case "AppendEntriesResponse": {
      const { hint } = message;
      if (hint !== undefined && !(isCount(hint.index) && isCount(hint.term))) return false;
      return isCount(message.prevLogIndex) && isCount(message.matchIndex);
    }
    case "Heartbeat":
      return message.term > 0 && isCount(message.leaderCommit) && isCount(message.context);
    case "HeartbeatResponse":
    case "ReadIndex":
      return isCount(message.context);
    case "ReadIndexResponse":
      return isCount(message.context) && isCount(message.index);
    case "RequestVoteResponse":
      return true;
    case "TimeoutNow":
      return message.term > 0;
    default:
      return false;
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Index 0 and only it is of term 0, and nobody has entries of a term that has not begun. */
function isPosition(index: number, term: number, currentTerm: number): boolean {
  return isCount(index) && isCount(term) && (index === 0) === (term === 0) && term <= currentTerm;
}

function isContiguous(message: {
  readonly term: number;
  readonly prevLogIndex: number;
  readonly prevLogTerm: number;
  readonly entries: readonly Entry[];
}): boolean {
  let index = message.prevLogIndex;
  let term = message.prevLogTerm;
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || !isCount(entry.index) || !isCount(entry.term)) return false;
    if (entry.term < term || entry.term > message.term || entry.term === 0) return false;
    if (entry.kind === "configuration" && decodeConfiguration(entry.data) === undefined) return false;
    index = entry.index;
    term = entry.term;
  }
  return true;
}
