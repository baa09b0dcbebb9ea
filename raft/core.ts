/**
 * The one record that the parts of the core share, and the outbox that every message leaves through.
 *
 * Boundary: no decisions here. Roles change in roles.ts, votes are cast in election.ts, entries move in replication.ts.
 */

import { invariant } from "../src/invariant.js";
import { RaftLog } from "./log.js";
import type { Progress } from "./progress.js";
import { quorumReached } from "./quorum.js";
import type { Entry, Index, Message, NodeId, RaftOptions, ReadState, Ready, Role, Term } from "./types.js";

export interface Core {
  readonly options: RaftOptions;
  readonly id: NodeId;
  readonly log: RaftLog;

  role: Role;
  term: Term;
  votedFor: NodeId | null;
  leader: NodeId | null;
  /** Term and vote as the host has confirmed them to be on disk. */
  durable: { readonly term: Term; readonly votedFor: NodeId | null };

  /** Ticks since the start. */
  tick: number;
  /** Ticks since a leader was heard of, a vote was granted or a campaign began. */
  electionElapsed: number;
  electionTimeout: number;
  heartbeatElapsed: number;

  /** Candidates: votes of this campaign, the own one included once it counts. */
  readonly votes: Map<NodeId, boolean>;

  /** Leader only: every other member, learners included. */
  readonly progress: Map<NodeId, Progress>;
  /** Leader: index of the entry that opened the term. Everything from here on is of the current term. */
  termStart: Index;
  uncommittedBytes: number;
  /** Leader: entries, the commit index or an answer may be worth a message to some follower. */
  replicationDue: boolean;

  /** Leader: hands over to this voter; proposals wait. See transfer.ts. */
  transfer: { readonly to: NodeId; readonly atTick: number } | undefined;
  /** A snapshot was taken for installing: nothing moves any more. */
  installing: boolean;

  readonly reads: Reads;
  outbox: Outbox;
  protocolErrors: number;
}

/** See reads.ts. */
export interface Reads {
  /** Number of the last question of this node; starts at a random one, so that answers to an earlier life do not match. */
  number: number;
  /** Questions of this host without an answer, by number, oldest first. */
  readonly asked: Map<number, { readonly context: number; readonly atTick: number }>;
  lastContext: number;
  /** Leader: asked before an entry of the term was committed. */
  deferred: { readonly from: NodeId; readonly number: number }[];
  /** Leader: waiting for a quorum to confirm `round`; ordered by round. */
  waiting: { readonly from: NodeId; readonly number: number; readonly index: Index; readonly round: number }[];
  /** The last round that was sent out. */
  round: number;
  roundDue: boolean;
}

export interface Outbox {
  messages: Message[];
  afterPersist: Message[];
  /** The answer to the AppendEntries of this turn: one serves them all, as it promises durability up to an index. */
  ack: { readonly to: NodeId; readonly prevLogIndex: Index; readonly matchIndex: Index } | undefined;
  reads: ReadState[];
  snapshotsTo: NodeId[];
  install: Ready["install"];
}

export const noData = new Uint8Array(0);

export function newCore(options: RaftOptions): Core {
  const { id, configuration, hardState, log, needsSnapshot = false } = options;
  const appliedIndex = needsSnapshot ? undefined : options.appliedIndex;
  const raftLog = new RaftLog(log, { commitIndex: hardState.commitIndex, appliedIndex, configuration });
  invariant(hardState.currentTerm >= raftLog.lastTerm, "the log is of a later term than the recorded one");
  return {
    options,
    id,
    log: raftLog,
    role: "follower",
    term: hardState.currentTerm,
    votedFor: hardState.votedFor,
    leader: null,
    durable: { term: hardState.currentTerm, votedFor: hardState.votedFor },
    tick: 0,
    electionElapsed: 0,
    electionTimeout: drawTimeout(options),
    heartbeatElapsed: 0,
    votes: new Map(),
    progress: new Map(),
    termStart: 0,
    uncommittedBytes: 0,
    replicationDue: false,
    transfer: undefined,
    installing: false,
    reads: {
      number: Math.floor(options.random() * 2 ** 32) * 2 ** 20,
      asked: new Map(),
      lastContext: 0,
      deferred: [],
      waiting: [],
      round: 0,
      roundDue: false,
    },
    outbox: newOutbox(),
    protocolErrors: 0,
  };
}

export function newOutbox(): Outbox {
  return { messages: [], afterPersist: [], ack: undefined, reads: [], snapshotsTo: [], install: undefined };
}

/** Uniform in [electionTicks, 2·electionTicks). */
export function drawTimeout({ electionTicks, random }: RaftOptions): number {
  return electionTicks + Math.floor(random() * electionTicks);
}

/** Members whose votes and copies count now. */
export function votersNow(core: Core): readonly NodeId[] {
  return core.log.configurations.latest.voters;
}

/**
 * Leader: the largest value that a quorum of the configuration in force has reached.
 *
 * @param own of this node, which counts only as a voter
 */
export function reachedByQuorum(core: Core, own: number, of: (follower: Progress) => number): number {
  const reached = votersNow(core).map((id) => {
    const follower = core.progress.get(id);
    return id === core.id ? own : follower === undefined ? 0 : of(follower);
  });
  return quorumReached(reached);
}

/** May leave in parallel with the next write. */
export function send(core: Core, message: Message): void {
  core.outbox.messages.push(message);
}

/** Leaves once everything decided so far is on disk. */
export function sendAfterPersist(core: Core, message: Message): void {
  core.outbox.afterPersist.push(message);
}

/** An answer names the term, so it may not leave before that term is on disk; otherwise at once. */
export function reply(core: Core, message: Message): void {
  if (core.durable.term === core.term) send(core, message);
  else sendAfterPersist(core, message);
}

export function opening(index: Index, term: Term): Entry {
  return { index, term, data: noData };
}
