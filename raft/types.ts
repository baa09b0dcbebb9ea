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
  /** Empty for the no-op that opens a term. */
  readonly data: Uint8Array;
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
      /** Every member has the log up to here: it may be cut below (until snapshots take over). */
      readonly compactTo: Index;
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
      readonly compactTo: Index;
    })
  | (Envelope & { readonly type: "HeartbeatResponse"; readonly context: number })
  /** A follower asks the leader for a read index. `context` is the asker's own number. */
  | (Envelope & { readonly type: "ReadIndex"; readonly context: number })
  /** `index: 0`: refused (not leader), ask again. */
  | (Envelope & { readonly type: "ReadIndexResponse"; readonly context: number; readonly index: Index })
  | (Envelope & { readonly type: "TimeoutNow" });

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
}

export interface RaftOptions {
  readonly id: NodeId;
  /** Voting members, this node included. */
  readonly voters: readonly NodeId[];
  /** Ticks without a leader before campaigning: drawn anew from [electionTicks, 2·electionTicks). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: LogReader;
  readonly hardState: HardState;
  /** Entries up to here were applied before the restart and are not handed out again. */
  readonly appliedIndex: Index;
  /** Upper bound of the entry bytes of one AppendEntries (one entry is always allowed). */
  readonly appendBytesMax: number;
  /** AppendEntries in flight per follower while replicating. */
  readonly inflightMax: number;
  /** Sum of entry bytes proposed and not yet committed; beyond it proposals are refused. */
  readonly uncommittedBytesMax: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
}

export type Proposed =
  | { readonly ok: true; readonly firstIndex: Index; readonly term: Term }
  | { readonly ok: false; readonly reason: "not_leader" | "stale_term" | "overloaded" };

/** For status pages, metrics and tests; a copy. */
export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly lastIndex: Index;
  readonly commitIndex: Index;
  /** Leader only: match index and whether the follower was heard of within an election timeout. */
  readonly progress: Readonly<
    Record<
      NodeId,
      {
        readonly matchIndex: Index;
        readonly nextIndex: Index;
        readonly active: boolean;
        readonly mode: "probe" | "replicate";
        /** It denied entries it had acknowledged: alarm. It gets no entries and does not count until it shows them again. */
        readonly lost: boolean;
      }
    >
  >;
  readonly voters: readonly NodeId[];
}
