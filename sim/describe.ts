/**
 * Frames in words, for the trace of a run that failed.
 */
import type { Frame } from "../cluster/types.js";
import type { Message } from "../raft/types.js";

export function describe(frame: Frame): string {
  switch (frame.kind) {
    case "raft":
      return describeMessage(frame.message);
    case "forward":
      return `forward t${frame.term} ${frame.proposals.map(({ seq }) => seq).join()}`;
    case "refused":
      return `refused t${frame.term} ${frame.reason} ${frame.seqs.join()}`;
    case "status":
      return "status";
    case "snapshot":
      return `snapshot ${frame.step} ${frame.index}/${frame.lastTerm}`;
    case "ask":
      return `ask ${frame.number} ${JSON.stringify(frame.request)}`;
    case "told":
      return `told ${frame.number} ${JSON.stringify(frame.answer)}`;
  }
}

function describeMessage(message: Message): string {
  const head = `${message.type} t${message.term}`;
  switch (message.type) {
    case "RequestVote":
      return `${head}${message.preVote ? " pre" : ""}${message.force ? " force" : ""} last ${message.lastLogIndex}/${message.lastLogTerm}`;
    case "RequestVoteResponse":
      return `${head}${message.preVote ? " pre" : ""} ${message.granted ? "granted" : "refused"}`;
    case "AppendEntries": {
      const entries = message.entries.map(({ index, term }) => `${index}/${term}`).join();
      return `${head} after ${message.prevLogIndex}/${message.prevLogTerm} [${entries}] commit ${message.leaderCommit}`;
    }
    case "AppendEntriesResponse":
      return `${head} ${message.success ? `ok ${message.matchIndex}` : `no, hint ${message.hint?.index}/${message.hint?.term}`}`;
    case "Heartbeat":
      return `${head} commit ${message.leaderCommit} round ${message.context}`;
    case "HeartbeatResponse":
    case "ReadIndex":
      return `${head} ${message.context}`;
    case "ReadIndexResponse":
      return `${head} ${message.context} at ${message.index}`;
    case "TimeoutNow":
      return head;
  }
}
