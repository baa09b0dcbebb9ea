/**
 * The consensus core: messages, ticks and proposals go in, one {@link Ready} at a time comes out.
 *
 * Pure and synchronous: no I/O, no clock, no randomness of its own. The host's duties stand on {@link Ready}; the table
 * of messages and the invariants in README.md. This file holds the gate that every message passes and the hand-over to
 * the host. Source: Ongaro, Consensus: Bridging Theory and Practice, chapters 3, 6.4, 9.6, 10.2.
 */

import { invariant, unreachable } from "../src/invariant.js";
import { newCore, newOutbox, reply, send, sendAfterPersist, type Core } from "./core.js";
import { campaign, countOwnVote, isSticky, onRequestVote, onRequestVoteResponse } from "./election.js";
import { tickElection, tickQuorumCheck } from "./election.js";
import { onHeartbeat, sendHeartbeats } from "./heartbeat.js";
import { isWellFormed } from "./message.js";
import { advanceCommitIndex, onAppendEntries, onAppendEntriesResponse } from "./replication.js";
import { onHeartbeatResponse, replicate } from "./replication.js";
import { askRead, expireReads, onReadIndex, onReadIndexResponse, openRound, startRound } from "./reads.js";
import { becomeFollower } from "./roles.js";
import type {
  HardState,
  Index,
  Message,
  NodeId,
  Proposed,
  RaftOptions,
  RaftStatus,
  Ready,
  Role,
  Term,
} from "./types.js";

/** Committed entries of one Ready: at least one, beyond that at most so many bytes, so that a turn stays short. */
const committedBytesMax = 4 * 1024 * 1024;

export class Raft {
  readonly #core: Core;
  /** Handed out and not yet confirmed. */
  #inFlight: Ready | undefined;
  #writtenCommitIndex: Index;

  /** @throws InvariantError when log, hard state and applied index contradict each other: the node must not start */
  constructor(options: RaftOptions) {
    this.#core = newCore(options);
    this.#writtenCommitIndex = options.hardState.commitIndex;
  }

  get role(): Role {
    return this.#core.role;
  }

  get term(): Term {
    return this.#core.term;
  }

  get leader(): NodeId | null {
    return this.#core.leader;
  }

  get commitIndex(): Index {
    return this.#core.log.commitIndex;
  }

  /** Every voter has the log up to here on disk, as far as this node knows: it may be cut up to this index. */
  get compactTo(): Index {
    return Math.min(this.#core.compactTo, this.#core.log.durableIndex);
  }

  /** Messages that were refused because no correct member sends them. */
  get protocolErrors(): number {
    return this.#core.protocolErrors;
  }

  /** One unit of time has passed. */
  tick(): void {
    const core = this.#core;
    core.tick += 1;
    if (core.role !== "leader") {
      expireReads(core);
      tickElection(core);
      return;
    }
    core.heartbeatElapsed += 1;
    if (core.heartbeatElapsed >= core.options.heartbeatTicks) {
      if (core.reads.roundDue) startRound(core);
      else sendHeartbeats(core, openRound(core));
    }
    tickQuorumCheck(core);
  }

  /** @throws InvariantError when the message proves that the cluster is broken (two leaders, a committed entry denied) */
  step(message: Message): void {
    const core = this.#core;
    if (!isWellFormed(message, core.id, core.peers)) {
      core.protocolErrors += 1;
      return;
    }
    if (message.term < core.term) {
      answerStale(core, message);
      return;
    }
    if (!enterTermOf(core, message)) return;
    if (isFromLeader(message)) followLeader(core, message.from);
    dispatch(core, message);
  }

  /**
   * Appends entries to the leader's log. Acceptance is no promise: they are decided once they come out as committed.
   *
   * @param term refused unless this node leads in exactly this term: for work that was decided under it
   */
  propose(data: readonly Uint8Array[], term?: Term): Proposed {
    const core = this.#core;
    if (core.role !== "leader") return { ok: false, reason: "not_leader" };
    if (term !== undefined && term !== core.term) return { ok: false, reason: "stale_term" };
    let bytes = 0;
    for (const one of data) bytes += one.length;
    const overloaded = core.uncommittedBytes + bytes > core.options.uncommittedBytesMax;
    if (overloaded && bytes > 0 && core.uncommittedBytes > 0) return { ok: false, reason: "overloaded" };
    const firstIndex = core.log.lastIndex + 1;
    core.uncommittedBytes += bytes;
    core.log.append(data.map((one, at) => ({ index: firstIndex + at, term: core.term, data: one })));
    core.replicationDue = true;
    return { ok: true, firstIndex, term: core.term };
  }

  /** Asks for a linearizable read; the answer comes as a ReadState with this context. Contexts should increase. */
  readIndex(context: number): void {
    askRead(this.#core, context);
  }

  /** Begins an election now instead of at the next timeout. Nothing on a leader. */
  campaign(): void {
    campaign(this.#core);
  }

  hasReady(): boolean {
    const { log, outbox, replicationDue, reads } = this.#core;
    if (this.#inFlight !== undefined) return false;
    return (
      replicationDue ||
      reads.roundDue ||
      log.hasUnwritten() ||
      log.hasCommitted() ||
      outbox.messages.length > 0 ||
      outbox.afterPersist.length > 0 ||
      outbox.ack !== undefined ||
      outbox.reads.length > 0 ||
      this.#voteChanged()
    );
  }

  /** To be followed by `persisted` before it is called again. */
  takeReady(): Ready {
    invariant(this.#inFlight === undefined, "the last Ready was not confirmed yet");
    const core = this.#core;
    if (core.reads.roundDue) startRound(core);
    if (core.replicationDue) replicate(core);
    acknowledge(core);
    const { messages, afterPersist, reads } = core.outbox;
    core.outbox = newOutbox();
    const entries = core.log.takeUnwritten();
    const hardState = this.#takeHardState(entries.length > 0);
    const committed = core.log.takeCommitted(committedBytesMax);
    const ready = { entries, messages, messagesAfterPersist: afterPersist, committed, reads };
    this.#inFlight = hardState === undefined ? ready : { ...ready, hardState };
    return this.#inFlight;
  }

  /** What `ready` asked to be written is on disk. */
  persisted(ready: Ready): void {
    invariant(ready === this.#inFlight, "only the Ready that was taken last can be confirmed");
    const core = this.#core;
    this.#inFlight = undefined;
    core.log.written();
    if (ready.hardState !== undefined) {
      core.durable = { term: ready.hardState.currentTerm, votedFor: ready.hardState.votedFor };
      countOwnVote(core);
    }
    if (core.role === "leader") advanceCommitIndex(core);
  }

  status(): RaftStatus {
    const { id, role, term, leader, log, progress, tick, options } = this.#core;
    const followers: Record<NodeId, RaftStatus["progress"][NodeId]> = {};
    for (const { id: follower, matchIndex, nextIndex, heardAt, mode, lost } of progress.values()) {
      followers[follower] = { matchIndex, nextIndex, active: tick - heardAt < options.electionTicks, mode, lost };
    }
    const { lastIndex, commitIndex } = log;
    return { id, role, term, leader, lastIndex, commitIndex, progress: followers, voters: options.voters };
  }

  #voteChanged(): boolean {
    const { durable, term, votedFor } = this.#core;
    return durable.term !== term || durable.votedFor !== votedFor;
  }

  /** The commit index is only a hint: it is written along, but is no reason to write. */
  #takeHardState(writing: boolean): HardState | undefined {
    const { term, votedFor, log } = this.#core;
    if (!this.#voteChanged() && !(writing && log.commitIndex > this.#writtenCommitIndex)) return undefined;
    this.#writtenCommitIndex = log.commitIndex;
    return { currentTerm: term, votedFor, commitIndex: log.commitIndex };
  }
}

// ------------------------------------------------------------------------------------------------------- the gate

/** A sender that is behind learns the term, so that it cannot stay behind for ever (PreVote and the quorum check silence it). */
function answerStale(core: Core, message: Message): void {
  if (message.type === "RequestVote") {
    onRequestVote(core, message);
    return;
  }
  if (!isFromLeader(message) || !(core.options.preVote || core.options.checkQuorum)) return;
  reply(core, {
    type: "AppendEntriesResponse",
    from: core.id,
    to: message.from,
    term: core.term,
    prevLogIndex: 0,
    success: false,
    matchIndex: 0,
  });
}

/** Adopts a later term. @returns whether the message is to be looked at any further */
function enterTermOf(core: Core, message: Message): boolean {
  if (message.term === core.term) return true;
  const { type, term } = message;
  if (type === "RequestVote") {
    if (isSticky(core) && !message.force) return false;
    if (!message.preVote) becomeFollower(core, term, null, "keep");
  } else if (type !== "RequestVoteResponse" || !message.preVote || !message.granted) {
    // (A granted PreVote names the term that was asked for, in which nobody is yet.)
    becomeFollower(core, term, isFromLeader(message) ? message.from : null);
  }
  return true;
}

/** Only the leader of a term sends these. */
function isFromLeader(message: Message): boolean {
  return message.type === "AppendEntries" || message.type === "Heartbeat" || message.type === "TimeoutNow";
}

function followLeader(core: Core, leader: NodeId): void {
  invariant(core.leader === null || core.leader === leader, `two leaders in term ${core.term}`);
  if (core.role !== "follower" || core.leader === null) becomeFollower(core, core.term, leader);
  core.electionElapsed = 0;
}

function dispatch(core: Core, message: Message): void {
  switch (message.type) {
    case "RequestVote":
      return onRequestVote(core, message);
    case "RequestVoteResponse":
      return onRequestVoteResponse(core, message);
    case "AppendEntries":
      return onAppendEntries(core, message);
    case "AppendEntriesResponse":
      return onAppendEntriesResponse(core, message);
    case "Heartbeat":
      return onHeartbeat(core, message);
    case "HeartbeatResponse":
      return onHeartbeatResponse(core, message);
    case "ReadIndex":
      return onReadIndex(core, message);
    case "ReadIndexResponse":
      return onReadIndexResponse(core, message);
    case "TimeoutNow":
      return campaign(core, true);
    default:
      return unreachable(message);
  }
}

/** The acknowledgement of this turn: at once if it promises nothing that is still to be written. */
function acknowledge(core: Core): void {
  const { ack } = core.outbox;
  if (ack === undefined) return;
  const durable = ack.matchIndex <= core.log.durableIndex && core.durable.term === core.term;
  (durable ? send : sendAfterPersist)(core, {
    type: "AppendEntriesResponse",
    from: core.id,
    term: core.term,
    success: true,
    ...ack,
  });
}
