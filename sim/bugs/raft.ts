/**
 * Mistakes in the consensus core, most of them made by somebody before (reliability 1.1, 3.6).
 */
import type { Bug } from "./bug.js";

export const raftBugs: readonly Bug[] = [
  {
    name: "no-opening-entry",
    file: "raft/roles.ts",
    find: "log.append([opening(core.termStart, core.term)]);",
    replace: "core.termStart += 0;",
    why: "a new leader does not commit what it inherited until somebody writes (Redis-Raft #18, #19)",
  },
  {
    name: "count-old-terms",
    file: "raft/replication.ts",
    find: "if (index < core.termStart || !log.commitTo(index)) return;",
    replace: "if (!log.commitTo(index)) return;",
    why: "entries of earlier terms are committed by counting (Raft figure 8)",
  },
  {
    name: "vote-before-disk",
    file: "raft/election.ts",
    find: "core.votedFor = from;\n  sendAfterPersist(core, response);",
    replace: "core.votedFor = from;\n  send(core, response);",
    why: "a vote leaves before it is on disk",
  },
  {
    name: "vote-forgotten",
    file: "raft/roles.ts",
    find: "if (term > core.term) enterTerm(core, term);\n  leave(core, leader);",
    replace: "enterTerm(core, term);\n  leave(core, leader);",
    why: "stepping down within a term clears the vote (NATS TestNRGStepDownOnSameTermDoesntClearVote)",
  },
  {
    name: "longer-log-wins",
    file: "raft/log.ts",
    find: "return lastLogTerm > this.#lastTerm || (lastLogTerm === this.#lastTerm && lastLogIndex >= this.#lastIndex);",
    replace: "return lastLogTerm >= 0 && lastLogIndex >= this.#lastIndex;",
    why: "votes compare the length of logs and not their terms",
  },
  {
    name: "acknowledge-before-disk",
    file: "raft/raft.ts",
    find: "const durable = ack.matchIndex <= core.log.durableIndex && core.durable.term === core.term;",
    replace: "const durable = ack.matchIndex >= 0;",
    why: "entries are acknowledged before they are on disk (NATS JetStream #7564)",
  },
  {
    name: "leader-counts-memory",
    file: "raft/replication.ts",
    find: "reachedByQuorum(core, log.durableIndex,",
    replace: "reachedByQuorum(core, log.lastIndex,",
    why: "the leader counts itself for what it has not written (etcd #14370)",
  },
  {
    name: "heartbeat-commits-blindly",
    file: "raft/heartbeat.ts",
    find: "progress.lost ? 0 : Math.min(commitIndex, progress.matchIndex)",
    replace: "commitIndex",
    why: "a heartbeat commits entries that the follower may have of another term",
  },
  {
    name: "truncate-without-conflict",
    file: "raft/log.ts",
    find: "if (index < cut || this.term(index) === term) return false;",
    replace: "if (index < cut || index <= this.#commitIndex) return false;",
    why: "a repeated message takes acknowledged entries off the log",
  },
  {
    name: "late-write-confirms",
    file: "raft/log.ts",
    find: "this.#writingTo = Math.min(this.#writingTo, from - 1);",
    replace: "this.#lastTerm = lastTerm;",
    why: "a write that was overtaken by other entries marks those as durable (E19)",
  },
  {
    name: "hand-out-before-disk",
    file: "raft/log.ts",
    find: "const to = Math.min(this.#commitIndex, this.#durableIndex) + 1;",
    replace: "const to = this.#commitIndex + 1;",
    why: "entries are applied before they are on the own disk",
  },
  {
    name: "earlier-round-confirms",
    file: "raft/reads.ts",
    find: "index: log.commitIndex, round: reads.round + 1 }",
    replace: "index: log.commitIndex, round: reads.round }",
    why: "a round that left before the question confirms it (etcd TestReadOnlyDuplicateRequest)",
  },
  {
    name: "read-before-own-commit",
    file: "raft/reads.ts",
    find: "if (log.commitIndex < core.termStart) {",
    replace: "if (log.commitIndex < 0) {",
    why: "a new leader serves reads at a commit index that is behind",
  },
  {
    name: "small-quorum",
    file: "raft/quorum.ts",
    find: "return Math.floor(voters / 2) + 1;",
    replace: "return Math.ceil(voters / 2);",
    why: "half of an even number of voters is a quorum",
  },
];
