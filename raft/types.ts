/**
 * The vocabulary of the consensus core: what goes in (messages, proposals, ticks) and what comes out ({@link Ready}).
 *
 * Names are those of the Raft paper and dissertation. Time is a count of ticks. Entry data is opaque.
 */

export type NodeId = string;
/** Starts at 1; 0 means "before everything". */
export type Term = number;
/** Starts at 1; 0 means "before everything". */
export type Index = number;

export interface Entry {
  readonly index: Index;
  readonly term: Term;
  /** `configuration`: `data` is an encoded {@link Configuration}. Absent: the host's, or the no-op that opens a term. */
  readonly kind?: "configuration";
  /** Empty for the no-op that opens a term. */
  readonly data: Uint8Array;
}

export interface Member {
  readonly id: NodeId;
  /** Its vote and its copies count. Otherwise it is a learner: it gets every entry and counts for nothing. */
  readonly voter: boolean;
  /** Addresses, opaque here. */
  readonly peer: string;
  readonly api: string;
}

/** Who takes part. In force from the moment its entry is in the log, committed or not; gone again if that is truncated. */
export interface Configuration {
  /** Empty: this node has not been told of any yet. Otherwise at least one voter. */
  readonly members: readonly Member[];
  /** Ids that were members once and may never be again. */
  readonly removed: readonly NodeId[];
}

/** What must be durable before any message that depends on it leaves. */
export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  /** A hint: the commit index may be learned again after a restart. */
  readonly commitIndex: Index;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/** Tells a leader where to look for the last common entry: the two-sided backoff of conflict repair. */
export interface ConflictHint {
  readonly index: Index;
  readonly term: Term;
}

export type Message =
  /** `preVote`: term is the one the sender would campaign in. `force`: leadership transfer, overrides stickiness. */
  | (Envelope & {
      readonly type: "RequestVote";
      readonly preVote: boolean;
      readonly force: boolean;
      readonly lastLogIndex: Index;
      readonly lastLogTerm: Term;
    })
  | (Envelope & { readonly type: "RequestVoteResponse"; readonly preVote: boolean; readonly granted: boolean })
  | (Envelope & {
      readonly type: "AppendEntries";
      readonly prevLogIndex: Index;
      readonly prevLogTerm: Term;
      readonly entries: readonly Entry[];
      readonly leaderCommit: Index;
    })
  | (Envelope & {
      readonly type: "AppendEntriesResponse";
      /** prevLogIndex of the request that is answered, to recognise stale answers. */
      readonly prevLogIndex: Index;
      readonly success: boolean;
      /** On success: last index known to match and durable here. On rejection: 0. */
      readonly matchIndex: Index;
      readonly hint?: ConflictHint;
    })
  /** Never carries entries, never waits behind bulk data. `context` > 0 confirms leadership for a ReadIndex round. */
  | (Envelope & {
      readonly type: "Heartbeat";
      readonly leaderCommit: Index;
      readonly context: number;
    })
  | (Envelope & { readonly type: "HeartbeatResponse"; readonly context: number })
  /** A follower asks the leader for a read index. `context` is the asker's own number. */
  | (Envelope & { readonly type: "ReadIndex"; readonly context: number })
  /** `index: 0`: refused (not leader), ask again. */
  | (Envelope & { readonly type: "ReadIndexResponse"; readonly context: number; readonly index: Index })
  | (Envelope & { readonly type: "TimeoutNow" });

/**
 * A whole, verified snapshot of a leader lies ready at this node. It comes from the own host and never from the network:
 * `from` and `term` are those of the leader that sent its header.
 */
export interface InstallSnapshot extends Envelope {
  readonly type: "InstallSnapshot";
  /** Last entry whose effects it holds. */
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  /** As of `lastIndex`. */
  readonly configuration: Configuration;
}

/** Read side of the durable log, synchronous. Implemented by cluster/log.ts and by MemoryLog in tests. */
export interface LogReader {
  /** First index still stored; `lastIndex + 1` if empty. */
  firstIndex(): Index;
  /** Last stored index; `firstIndex - 1` if empty. */
  lastIndex(): Index;
  /** Term of an index in `[firstIndex - 1, lastIndex]`; undefined outside. Index 0 has term 0. */
  term(index: Index): Term | undefined;
  /** Entries of `[from, to)`, cut after the first that exceeds `bytesMax` in sum (at least one). A read error is thrown and fatal. */
  entries(from: Index, to: Index, bytesMax: number): Entry[];
}

/** Confirms or refuses a {@link Message} round asked for with `readIndex(context)`. */
export interface ReadState {
  readonly context: number;
  /** Serve the read once this index is applied; 0: refused, ask again. */
  readonly index: Index;
}

/**
 * Everything the host has to do, in this order: write `hardState` and `entries` in one synced batch; `messages` may leave
 * at once, in parallel with that write; `messagesAfterPersist` only when it is durable; then call `persisted(ready)`.
 * `committed` is to be applied in order, exactly once.
 */
export interface Ready {
  readonly hardState?: HardState;
  readonly entries: readonly Entry[];
  readonly messages: readonly Message[];
  readonly messagesAfterPersist: readonly Message[];
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Leader: followers that need what is cut off the log here. Each is named once until `snapshotFailed` or its recovery. */
  readonly snapshotsTo: readonly NodeId[];
  /**
   * The snapshot takes the place of the applied records. After the write of this Ready the host ends this core and starts
   * a fresh one on it. The log is kept if it holds entry `index` with `term`, and is reset to end there otherwise.
   */
  readonly install?: { readonly index: Index; readonly term: Term; readonly configuration: Configuration };
}

export interface RaftOptions {
  readonly id: NodeId;
  /** As of `appliedIndex`, out of the applied records; at a bootstrap the first one. Later ones are found in the log. */
  readonly configuration: Configuration;
  /** Ticks without a leader before campaigning: drawn anew from [electionTicks, 2·electionTicks). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: LogReader;
  readonly hardState: HardState;
  /** Entries up to here were applied before the restart and are not handed out again. */
  readonly appliedIndex: Index;
  /**
   * The applied records are lost, the log is not: this node votes and appends, hands out nothing as committed, and takes the
   * next snapshot that its log goes on from. It leads only to bring its log to the others, as nobody else might win, and
   * hands over at once. `appliedIndex` is 0 then, and `configuration` that of the start of the log or later; an older one
   * would elect the wrong leader, so if it is not known it has to be empty, and this node does not campaign at all.
   */
  readonly needsSnapshot?: boolean;
  /** Upper bound of the entry bytes of one AppendEntries (one entry is always allowed). */
  readonly appendBytesMax: number;
  /** AppendEntries in flight per follower while replicating. */
  readonly inflightMax: number;
  /** Entry bytes in flight per follower from which on nothing more is sent; absent: `inflightMax` full messages. */
  readonly inflightBytesMax?: number;
  /** Sum of entry bytes proposed and not yet committed; beyond it proposals are refused. */
  readonly uncommittedBytesMax: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
}

export type Proposed =
  | { readonly ok: true; readonly firstIndex: Index; readonly term: Term }
  | { readonly ok: false; readonly reason: "not_leader" | "stale_term" | "overloaded" | "transferring" };

/** One member at a time, so that majorities before and after overlap (dissertation 4.1). */
export type MemberChange =
  /** As a learner, whatever `voter` says elsewhere. */
  | { readonly kind: "add"; readonly member: Omit<Member, "voter"> }
  /** Makes a learner that has caught up a voter. */
  | { readonly kind: "promote"; readonly id: NodeId }
  /** For good: the id cannot be used again. */
  | { readonly kind: "remove"; readonly id: NodeId };

export type MemberChanged =
  | { readonly ok: true; readonly index: Index; readonly term: Term }
  | {
      readonly ok: false;
      /**
       * `not_ready`: nothing of the own term is committed yet. `pending`: the change before is not committed yet.
       * `exists`: already so. `reused`: the id belonged to a removed member. `behind`: the learner has not caught up or
       * is silent. `full`: no room for another member or removed id.
       */
      readonly reason:
        | "not_leader"
        | "stale_term"
        | "transferring"
        | "not_ready"
        | "pending"
        | "exists"
        | "unknown"
        | "reused"
        | "behind"
        | "last_voter"
        | "full";
    };

export type TransferBegun =
  { readonly ok: true } | { readonly ok: false; readonly reason: "not_leader" | "unknown" | "learner" | "self" };

/** For status pages, metrics and tests; a copy. */
export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  readonly commitIndex: Index;
  /** Leader only. */
  readonly progress: Readonly<
    Record<
      NodeId,
      {
        readonly matchIndex: Index;
        readonly nextIndex: Index;
        /** Within the last election timeout. `not_yet`: the leader is younger than that and has had no answer. */
        readonly heard: "yes" | "no" | "not_yet";
        /** `snapshot`: what it needs is cut off the log here. */
        readonly mode: "probe" | "replicate" | "snapshot";
        /** It denied entries it had acknowledged: alarm. It gets no entries and does not count until it shows them again. */
        readonly lost: boolean;
      }
    >
  >;
  /** In force, committed or not. */
  readonly configuration: Configuration;
  /** The configuration in force is not known to be committed. */
  readonly changing: boolean;
  /** Leader: who is to take over. */
  readonly transferTo: NodeId | null;
}
