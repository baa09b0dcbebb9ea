/**
 * The consensus core: messages, ticks and proposals go in, one {@link Ready} at a time comes out.
 *
 * Pure and synchronous: no I/O, no clock, no randomness of its own. The host's duties stand on {@link Ready}; the table
 * of messages and the invariants in README.md. This file holds the hand-over to the host. Source: Ongaro, Consensus:
 * Bridging Theory and Practice, chapters 3, 4, 5, 6.4, 9.6, 10.2.
 */

import { invariant } from "../src/invariant.js";
import { newCore, newOutbox, send, sendAfterPersist, type Core } from "./core.js";
import { campaign, countOwnVote, stopped, tickElection, tickQuorumCheck } from "./election.js";
import { receive } from "./gate.js";
import { sendHeartbeats } from "./heartbeat.js";
import { changeMembers } from "./membership.js";
import { becomeProbe } from "./progress.js";
import { askRead, expireReads, openRound, startRound } from "./reads.js";
import { advanceCommitIndex, replicate } from "./replication.js";
import { onInstallSnapshot, snapshotFailed } from "./snapshot.js";
import { tickTransfer, transferTo } from "./transfer.js";
import type {
  Configuration,
  HardState,
  Index,
  InstallSnapshot,
  MemberChange,
  MemberChanged,
  Message,
  NodeId,
  Proposed,
  RaftOptions,
  RaftStatus,
  Ready,
  Role,
  Term,
  TransferBegun,
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

  /** In force: the last one in the log, committed or not. The same object until it changes. */
  get configuration(): Configuration {
    return this.#core.log.configurations.latest.configuration;
  }

  /** A snapshot is about to be installed: this core has come to rest, and the host has to replace it. */
  get installing(): boolean {
    return this.#core.installing;
  }

  /** Messages that were refused because no correct member sends them. */
  get protocolErrors(): number {
    return this.#core.protocolErrors;
  }

  /** One unit of time has passed. */
  tick(): void {
    const core = this.#core;
    if (core.installing) return;
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
    tickTransfer(core);
    tickQuorumCheck(core);
  }

  /** @throws InvariantError when the message proves that the cluster is broken: the node must stop */
  step(message: Message | InstallSnapshot): void {
    if (this.#core.installing) return;
    if (message.type === "InstallSnapshot") onInstallSnapshot(this.#core, message);
    else receive(this.#core, message);
  }

  /**
   * Appends entries to the leader's log. Acceptance is no promise: they are decided once they come out as committed.
   *
   * @param term refused unless this node leads in exactly this term: for work that was decided under it
   */
  propose(data: readonly Uint8Array[], term?: Term): Proposed {
    const core = this.#core;
    if (core.role !== "leader" || core.options.needsSnapshot === true) return { ok: false, reason: "not_leader" };
    if (term !== undefined && term !== core.term) return { ok: false, reason: "stale_term" };
    if (core.transfer !== undefined) return { ok: false, reason: "transferring" };
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

  /**
   * Changes the configuration by one member: in force at once, decided when its entry comes out as committed. A leader
   * that removed itself goes on until then, and hands over.
   *
   * @param term as for {@link propose}
   */
  changeMembers(change: MemberChange, term?: Term): MemberChanged {
    return changeMembers(this.#core, change, term);
  }

  /**
   * Lets another voter take over: as soon as it has the whole log it is told to campaign at once. No proposals are
   * taken meanwhile; given up after an election timeout. Asked again for the same one, nothing changes; for another one,
   * that one takes its place; for this node, it is called off.
   */
  transferTo(id: NodeId): TransferBegun {
    return transferTo(this.#core, id);
  }

  /** The transfer of a snapshot to a follower of `snapshotsTo` has ended, well or not: its log is looked at again. */
  snapshotFailed(id: NodeId): void {
    snapshotFailed(this.#core, id);
  }

  /** What was sent to this member lately may be lost: its log is asked anew from what it has acknowledged on. */
  unreachable(id: NodeId): void {
    const progress = this.#core.progress.get(id);
    if (progress?.mode === "replicate") becomeProbe(progress, progress.matchIndex + 1);
  }

  /**
   * This member's process has ended: if it leads, an election begins soon, not only after a timeout. A hint like a timeout:
   * if it was wrong, those who still hear the leader prevent the election.
   */
  stopped(id: NodeId): void {
    if (!this.#core.installing) stopped(this.#core, id);
  }

  /** Asks for a linearizable read; the answer comes as a ReadState with this context. Contexts should increase. */
  readIndex(context: number): void {
    askRead(this.#core, context);
  }

  /** Begins an election now instead of at the next timeout. Nothing on a leader, a learner or a node outside. */
  campaign(): void {
    if (!this.#core.installing) campaign(this.#core);
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
      outbox.install !== undefined ||
      this.#voteChanged()
    );
  }

  /**
   * To be followed by `persisted` before it is called again.
   * @param takesCommitted false: who asks has not applied all that was committed before, so no more comes out
   */
  takeReady(takesCommitted = true): Ready {
    invariant(this.#inFlight === undefined, "the last Ready was not confirmed yet");
    const core = this.#core;
    if (core.reads.roundDue) startRound(core);
    if (core.replicationDue) replicate(core);
    acknowledge(core);
    const { messages, afterPersist, reads, snapshotsTo, install } = core.outbox;
    core.outbox = newOutbox();
    const entries = core.log.takeUnwritten();
    const hardState = this.#takeHardState(entries.length > 0);
    const committed = takesCommitted ? core.log.takeCommitted(committedBytesMax) : [];
    this.#inFlight = {
      ...{ entries, messages, messagesAfterPersist: afterPersist, committed, reads, snapshotsTo },
      ...(hardState && { hardState }),
      ...(install && { install }),
    };
    return this.#inFlight;
  }

  /**
   * What may leave before the Ready that is being written is on disk: heartbeats, answers to them, questions. They promise
   * nothing of it. The next Ready does not repeat them.
   */
  takeMessages(): readonly Message[] {
    const { outbox } = this.#core;
    const { messages } = outbox;
    outbox.messages = [];
    return messages;
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
    advanceCommitIndex(core);
  }

  status(): RaftStatus {
    const { id, role, term, leader, log, progress, tick, options, transfer } = this.#core;
    const followers: Record<NodeId, RaftStatus["progress"][NodeId]> = {};
    for (const { id: follower, matchIndex, nextIndex, heardAt, answered, mode, lost } of progress.values()) {
      const lately = tick - heardAt < options.electionTicks;
      const heard = answered && lately ? "yes" : lately ? "not_yet" : "no";
      followers[follower] = { matchIndex, nextIndex, heard, mode, lost };
    }
    const { lastIndex, lastTerm, commitIndex, configurations } = log;
    const { configuration, index } = configurations.latest;
    return {
      ...{ id, role, term, leader, lastIndex, lastTerm, commitIndex, progress: followers, configuration },
      changing: index > commitIndex,
      transferTo: transfer?.to ?? null,
    };
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
