/**
 * Interfaces inside the node: what its parts promise each other, and the {@link Node} that `api/` sees.
 */

import type { Entry, HardState, Index, LogReader, Message, NodeId, Role, Term } from "../raft/types.js";
import type { Command } from "../src/select/command.js";
import type { EventType, HandOut, Outcome } from "../src/select/outcome.js";
import type { Result, Status } from "../src/select/types.js";
import type { View } from "../src/select/view.js";
import type { Backup } from "./backups.js";
import type { HealthStatus } from "./health.js";
import type { MembershipAnswer, MembershipRequest } from "./membership.js";
import type { ChanRecord, Reading, StateRecord, Until } from "./queries.js";
import type { SnapshotNotice } from "./snapshot-wire.js";

export type { Until };

// ----------------------------------------------------------------------------------------------------- storage

/**
 * The durable Raft log. One `append` at a time; it resolves when everything in it is on disk. A rejected append poisons
 * the log: every later call rejects, the node stops.
 */
export interface LogStore extends LogReader {
  readonly hardState: HardState;
  /** Entries replace whatever is stored from `entries[0].index` on. One write, one sync. */
  append(batch: { readonly hardState?: HardState; readonly entries: readonly Entry[] }): Promise<void>;
  /** Entries up to `index` may be dropped, the newest `tailBytes` of them aside (whole segments, recycled). */
  compact(index: Index, tailBytes?: number): Promise<void>;
  /** Drops everything: the log is that of a snapshot and goes on behind `index`. Current term and vote stay. */
  reset(index: Index, term: Term): Promise<void>;
  /** Bytes of files from that of entry `index` to the last. */
  bytesFrom(index: Index): number;
  close(): Promise<void>;
}

/** The applied records: a dirty overlay over LevelDB. */
export interface Store extends View {
  /** Everything up to here is in the overlay or below it. */
  readonly appliedIndex: Index;
  readonly appliedTerm: Term;
  /** Everything up to here is in LevelDB; the log may be cut below it. */
  readonly flushedIndex: Index;
  /** The writes of one or several entries are complete. */
  advance(index: Index, term: Term): void;
  /** Writes the overlay as one atomic batch. Called by the store itself when enough is dirty; on close always. */
  flush(): Promise<void>;
  /** Records with `gte <= key < lt` in key order, overlay included, at one applied index. */
  range(options: {
    readonly gte: string;
    readonly lt: string;
    readonly limit: number;
  }): Promise<[key: string, value: unknown][]>;
  /** Order-independent hash of all records at the current applied index: equal on all replicas. */
  stateHash(): Promise<{ readonly index: Index; readonly hash: string }>;
  /** Approximate bytes on disk. */
  sizeBytes(): Promise<number>;
  /** Everything applied so far, and nothing of what is applied afterwards. To be closed soon: it keeps old files. */
  readView(): Promise<ReadView>;
  close(): Promise<void>;
}

/** All records at one index, however long they are read. Ends with the store. */
export interface ReadView {
  readonly index: Index;
  readonly term: Term;
  readonly records: number;
  /** As in {@link Store.stateHash}. */
  readonly hash: string;
  get(key: string): unknown;
  /** Records behind the key `after` in key order, as stored: checked, their checksum before them. */
  pages(after: string): AsyncIterableIterator<readonly (readonly [key: string, stored: Buffer])[]>;
  close(): Promise<void>;
}

// ------------------------------------------------------------------------------------------------------- peers

export interface Member {
  readonly id: NodeId;
  /** `host:port` of the peer listener. */
  readonly peer: string;
  /** Base URL of the API, for status pages. */
  readonly api: string;
}

/** A command on its way to the leader. `data` is the encoded entry, its stamp still empty (codec.ts). */
export interface Forward {
  /** Number of the proposal at its origin, increasing. */
  readonly seq: number;
  readonly data: Uint8Array;
}

/** The leader of `term` did not take these proposals of the run `epoch` of their origin. */
export interface Refused {
  readonly epoch: number;
  readonly term: Term;
  readonly seqs: readonly number[];
  /**
   * `not_leader`: this copy was not taken, send it again to the new one. Anything else is final: nothing was done, and
   * nothing will be.
   */
  readonly reason: "not_leader" | "overloaded" | "disk_low" | "state_mismatch";
}

/** What travels between nodes. Raft messages and heartbeats take the control lane unless they carry entries. */
export type Frame =
  | { readonly kind: "raft"; readonly message: Message }
  /** Proposals of `origin`, decided under `term`: a leader of another term refuses them (term fence). */
  | {
      readonly kind: "forward";
      readonly origin: NodeId;
      readonly epoch: number;
      readonly term: Term;
      readonly proposals: readonly Forward[];
    }
  | ({ readonly kind: "refused" } & Refused)
  | ({ readonly kind: "snapshot" } & SnapshotNotice)
  /** Status of a node for `GET /cluster`. */
  | { readonly kind: "status"; readonly status: NodeStatus }
  /** To the leader: a change of the members, or of the leader. `number` is the asker's own. */
  | { readonly kind: "ask"; readonly number: number; readonly request: MembershipRequest }
  | { readonly kind: "told"; readonly number: number; readonly answer: MembershipAnswer };

/**
 * Links to the other members. `send` never blocks and never throws: a link that is down or whose queue is full drops
 * (Raft repeats; forwards are sent again by their origin when `onLink` says that the link is up anew).
 */
export interface Peers {
  send(to: NodeId, frame: Frame): void;
  /** Whether what is sent there leaves, for all that is known here. */
  isUp(to: NodeId): boolean;
  /**
   * Keeps links to `members` and to nobody else (this node among them is passed over), and no longer lets in those that
   * are known for good to be `removed`.
   */
  setMembers(members: readonly Member[], removed: readonly NodeId[]): void;
  /**
   * Reads the stream that `from` has at `path`, on a connection of its own.
   * @throws PullError, or the error of the connection, when it cannot be had or breaks off
   */
  pull(from: NodeId, path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface PeersHandler {
  onFrame(from: NodeId, frame: Frame): void;
  /** The outgoing link to `to` was (re)established: what was sent before may be lost. */
  onLink(to: NodeId): void;
  /** Nobody listens at the address of `node`: its process has ended, or has not begun. */
  onStopped(node: NodeId): void;
  /** `by` will never let this node in: its id was removed, or stands for another data directory. */
  onBanned(by: NodeId, ban: "removed" | "instance"): void;
  /** The stream at `path` that `by` asks for; undefined: there is none. */
  onPull(by: NodeId, path: string): AsyncIterable<Uint8Array> | undefined;
}

// -------------------------------------------------------------------------------------------------------- node

export interface NodeStatus extends HealthStatus {
  readonly id: NodeId;
  /** Of its data directory. */
  readonly instance: string;
  /** Of the others, as far as it met them. */
  readonly instances: readonly (readonly [NodeId, string])[];
  readonly api: string;
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly lastIndex: Index;
  readonly commitIndex: Index;
  readonly appliedIndex: Index;
  readonly flushedIndex: Index;
  readonly dbBytes: number;
  /** Wall clock when this was taken. */
  readonly atMs: number;
  readonly version: string;
}

export interface ClusterStatus {
  readonly id: string;
  readonly nodes: readonly MemberStatus[];
  /** Ids that may not be used again. */
  readonly removed: readonly NodeId[];
  /** A change of the members is not committed yet. */
  readonly changing: boolean;
}

/** All zero if it was never heard of. */
export interface MemberStatus extends Omit<NodeStatus, "instances"> {
  /** False: a learner, which catches up. */
  readonly voter: boolean;
  readonly peer: string;
  readonly lagMs: number;
  readonly skewMs: number;
  readonly reachable: boolean;
}

export interface Committed {
  /** Log index of the entry. */
  readonly index: Index;
  readonly outcome: Outcome;
}

/** The end of a request that may wait: `put` with `wait`, `demand`, `select` with `wait`. */
export type Waited =
  | { readonly kind: "refused"; readonly index: Index; readonly outcome: Extract<Outcome, { ok: false }> }
  | { readonly kind: "answer"; readonly index: Index; readonly outcome: Extract<Outcome, { ok: true }> }
  /** `repeated`: to a request that joined the wait of an earlier one. */
  | {
      readonly kind: "granted";
      readonly index: Index;
      readonly handOuts: readonly HandOut[];
      readonly repeated: boolean;
      /** Others got the same: it is not for one of them to give it back. */
      readonly shared: boolean;
    }
  | { readonly kind: "result"; readonly index: Index; readonly result: Result }
  /** The wait ended and what was parked is withdrawn; `outcome` is that of the command itself. */
  | { readonly kind: "withdrawn"; readonly index: Index; readonly outcome: Extract<Outcome, { ok: true }> };

export interface Event {
  readonly index: Index;
  readonly atMs: number;
  readonly type: EventType;
  readonly id: string;
  /** States only: after the event. */
  readonly status?: Status;
  readonly version?: number;
}

/** How fresh a read has to be. */
export interface Freshness {
  readonly stale: boolean;
  /** Wait until this node has applied this index. */
  readonly minIndex: Index;
}

/** Commands that carry a {@link Ref}: the node fills it in. */
export type Waitable = Extract<Command, { kind: "put" | "patch" | "select" | "demand" }>;

/** One member of the cluster: the only thing `api/` sees. It may run in another process (ingress/). */
export interface Node {
  readonly id: NodeId;
  /** As far as it is known here: what was answered is not above it. */
  readonly appliedIndex: Index;
  /**
   * Replicates `command` and waits until this node has applied it.
   * @throws SlctError `no_leader` or `overloaded`: nothing happened; `timeout`: it may still be applied
   */
  submit(command: Command): Promise<Committed>;
  /**
   * As {@link submit} for a command that may park. Waits up to `waitMs` more, then withdraws. When `signal` aborts, what
   * was parked is withdrawn, and a hand-out that was already on its way is given back.
   */
  submitAndWait(
    command: (ref: { node: string; epoch: number; seq: number }) => Waitable,
    options: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<Waited>;
  /** @throws SlctError `no_leader` or `timeout` when the freshness cannot be had within the deadline */
  fresh(freshness: Freshness): Promise<void>;
  /** One record, as fresh as that. @throws SlctError as {@link fresh} */
  state(id: string, freshness: Freshness): Promise<Reading<StateRecord>>;
  chan(id: string, freshness: Freshness): Promise<Reading<ChanRecord>>;
  /**
   * States in ID order from after `cursor`; stops after `limit` hits or a bounded scan, then `cursor` is set. Local, as
   * all that follow: call {@link fresh} first.
   */
  states(query: {
    readonly prefix: string;
    readonly status?: Status;
    readonly chan?: string;
    readonly cursor?: string;
    readonly limit: number;
  }): Promise<{ readonly states: readonly StateRecord[]; readonly cursor?: string }>;
  chans(query: {
    readonly prefix: string;
    readonly cursor?: string;
    readonly limit: number;
  }): Promise<{ readonly chans: readonly ChanRecord[]; readonly cursor?: string }>;
  /** Resolves when the state as applied here is what is waited for, or after `waitMs`, or on abort. */
  watch(id: string, until: Until, options: { readonly waitMs: number; readonly signal: AbortSignal }): Promise<void>;
  /** Without `after` all that are kept. @throws SlctError `compacted`, `overloaded`, `no_leader`: the node ends */
  events(query: {
    readonly after?: Index;
    readonly prefix: string;
    readonly waitMs: number;
    readonly limit: number;
    readonly signal: AbortSignal;
  }): Promise<readonly Event[]>;
  /** Status of every member, this one's own and the last one heard of the others. */
  cluster(): Promise<ClusterStatus>;
  /** Adds a member, removes one for good, or lets another one lead. @throws SlctError as `Membership.request` */
  change(request: MembershipRequest): Promise<{ readonly index: Index; readonly changed: boolean }>;
  /** Local, as of the applied index: call {@link fresh} first. @throws SlctError `overloaded` */
  backup(): Promise<Backup>;
  ready(): boolean | Promise<boolean>;
  /** Prometheus text of the node's registry. */
  metrics(): Promise<string>;
}
