/**
 * Short forms for the messages of scenarios. Entries are given by their terms; data follows from index and term.
 */

import type { Configuration, Entry, InstallSnapshot, Message, NodeId, Term } from "../../raft/types.js";

type Of<T extends Message["type"]> = Extract<Message, { type: T }>;

/** Addresses follow from the ids. */
export function configurationOf(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
  removed: readonly NodeId[] = [],
): Configuration {
  const member = (id: NodeId, voter: boolean) => ({ id, voter, peer: `${id}:1`, api: `http://${id}` });
  return {
    members: [...voters.map((id) => member(id, true)), ...learners.map((id) => member(id, false))],
    removed,
  };
}

export const noEntries: readonly Term[] = [];

/** Entries of these terms, the first at `from`. */
export function entriesOf(terms: readonly Term[], from = 1): Entry[] {
  return terms.map((term, at) => ({ index: from + at, term, data: new Uint8Array([from + at, term]) }));
}

/** `prev` is [index, term]. */
export function appendEntries(
  term: Term,
  prev: readonly [number, number],
  terms: readonly Term[],
  more: { from?: NodeId; to?: NodeId; commit?: number } = {},
): Of<"AppendEntries"> {
  const { from = "n2", to = "n1", commit = 0 } = more;
  const entries = entriesOf(terms, prev[0] + 1);
  return {
    type: "AppendEntries",
    from,
    to,
    term,
    prevLogIndex: prev[0],
    prevLogTerm: prev[1],
    entries,
    leaderCommit: commit,
  };
}

export function accepted(term: Term, matchIndex: number, from: NodeId = "n2"): Of<"AppendEntriesResponse"> {
  return { type: "AppendEntriesResponse", from, to: "n1", term, prevLogIndex: 0, success: true, matchIndex };
}

/** `hint` is [index, term]. */
export function rejected(
  term: Term,
  prevLogIndex: number,
  hint: readonly [number, number],
  from: NodeId = "n2",
): Of<"AppendEntriesResponse"> {
  return {
    type: "AppendEntriesResponse",
    from,
    to: "n1",
    term,
    prevLogIndex,
    success: false,
    matchIndex: 0,
    hint: { index: hint[0], term: hint[1] },
  };
}

/** `last` is [index, term] of the candidate's log. */
export function requestVote(
  term: Term,
  last: readonly [number, number],
  more: { from?: NodeId; to?: NodeId; preVote?: boolean; force?: boolean } = {},
): Of<"RequestVote"> {
  const { from = "n2", to = "n1", preVote = false, force = false } = more;
  return { type: "RequestVote", from, to, term, preVote, force, lastLogIndex: last[0], lastLogTerm: last[1] };
}

export function vote(
  term: Term,
  from: NodeId,
  more: { granted?: boolean; preVote?: boolean } = {},
): Of<"RequestVoteResponse"> {
  const { granted = true, preVote = false } = more;
  return { type: "RequestVoteResponse", from, to: "n1", term, preVote, granted };
}

export function heartbeat(
  term: Term,
  more: { from?: NodeId; commit?: number; context?: number } = {},
): Of<"Heartbeat"> {
  const { from = "n2", commit = 0, context = 0 } = more;
  return { type: "Heartbeat", from, to: "n1", term, leaderCommit: commit, context };
}

export function heartbeatResponse(term: Term, context: number, from: NodeId = "n2"): Of<"HeartbeatResponse"> {
  return { type: "HeartbeatResponse", from, to: "n1", term, context };
}

/** `at` is [index, term] of its last entry. */
export function snapshot(
  term: Term,
  at: readonly [number, number],
  more: { from?: NodeId; to?: NodeId; configuration?: Configuration } = {},
): InstallSnapshot {
  const { from = "n2", to = "n1", configuration = configurationOf(["n1", "n2", "n3"]) } = more;
  return { type: "InstallSnapshot", from, to, term, lastIndex: at[0], lastTerm: at[1], configuration };
}

export function only<T extends Message["type"]>(messages: readonly Message[], type: T): Of<T>[] {
  return messages.filter((message): message is Of<T> => message.type === type);
}

/** One line per message, as tables and transcripts quote it. */
export function brief(message: Message): string {
  const head = `${message.from}>${message.to} t${message.term}`;
  switch (message.type) {
    case "RequestVote":
      return `${head} ${message.preVote ? "PV" : "RV"}(${message.lastLogIndex},${message.lastLogTerm})`;
    case "RequestVoteResponse":
      return `${head} ${message.preVote ? "PVr" : "RVr"} ${message.granted ? "ok" : "rej"}`;
    case "AppendEntries": {
      const terms = message.entries.map((entry) => entry.term).join();
      return `${head} AE(${message.prevLogIndex},${message.prevLogTerm})[${terms}] c${message.leaderCommit}`;
    }
    case "AppendEntriesResponse": {
      const hint = message.hint === undefined ? "" : ` (${message.hint.index},${message.hint.term})`;
      return `${head} AEr ${message.success ? `ok ${message.matchIndex}` : `rej${hint}`}`;
    }
    case "Heartbeat":
      return `${head} HB c${message.leaderCommit}`;
    case "HeartbeatResponse":
      return `${head} HBr`;
    case "ReadIndex":
      return `${head} RI`;
    case "ReadIndexResponse":
      return `${head} RIr ${message.index}`;
    case "TimeoutNow":
      return `${head} TN`;
  }
}
