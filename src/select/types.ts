/**
 * The vocabulary of the select engine: cases, selects, and the records that live in the store. What enters through the
 * log is in command.ts, what applying it gives back in outcome.ts.
 *
 * Everything here is plain immutable data. A record that changes is replaced by a new object, never edited: a refused
 * entry is undone by dropping its write set. Times are unix milliseconds of *log time* (semantics C.4).
 */

export type StateId = string;
export type ChanId = string;
/** Chosen by the client, unique within one state. */
export type SelectId = string;
/** JSON text, UTF-8, white space outside strings removed. Opaque to the engine. Absent where JSON `null` was omitted. */
export type Raw = Uint8Array;

// ---------------------------------------------------------------------------------------------- cases and selects

/** How a time case was written, so that an echo (or the original text sent again) compares as unchanged. */
export type TimeForm =
  | { readonly kind: "at" }
  | { readonly kind: "after"; readonly afterMs: number }
  | { readonly kind: "chan"; readonly chan: string | number };

export type Case =
  /** `chan: null` is Go's nil channel: never ready. The case takes part from `notBeforeMs` on. */
  | { readonly op: "recv"; readonly chan: ChanId | null; readonly notBeforeMs?: number }
  | { readonly op: "send"; readonly chan: ChanId | null; readonly data?: Raw; readonly notBeforeMs?: number }
  | { readonly op: "time"; readonly deadlineMs: number; readonly form: TimeForm }
  | { readonly op: "default" };

/** A case as a command carries it. Only `time` differs: `after` is counted from the stamp of the entry. */
export type CaseSpec =
  | Exclude<Case, { op: "time" }>
  | { readonly op: "time"; readonly form: { readonly kind: "after"; readonly afterMs: number } }
  | { readonly op: "time"; readonly form: Exclude<TimeForm, { kind: "after" }>; readonly deadlineMs: number };

export type Choice = "random" | "order";

export interface SelectSpec {
  readonly id: SelectId;
  readonly cases: readonly CaseSpec[];
  readonly choice: Choice;
  /** The request listed this select with its `Result` still on it. */
  readonly carriesResult?: boolean;
}

export interface Result {
  readonly select: SelectId;
  /** Position of the winning case. */
  readonly case: number;
  readonly op: Case["op"];
  readonly chan?: ChanId | null;
  /** Only on a receive; absent there means JSON null. */
  readonly data?: Raw;
  readonly ok: boolean;
  /** A receive on a closed, drained channel. */
  readonly closed?: boolean;
  /** A send that met a closed channel. */
  readonly error?: "closed";
  readonly atMs: number;
  /** Log index at which it resolved. */
  readonly index: number;
  /** Position in the order of all resolutions ever; total. */
  readonly order: number;
}

export interface Select {
  readonly id: SelectId;
  /** Unique over the life of the cluster, in order of registration. */
  readonly seq: number;
  readonly choice: Choice;
  readonly cases: readonly Case[];
  readonly result?: Result;
}

// ------------------------------------------------------------------------------------------------------- records

export type Status = "waiting" | "pending" | "running" | "done" | "paused";

export interface Callback {
  readonly type: 1;
  readonly uri: string;
}

/** A lease: who may put the state back, until when, and what was shown to the holder. */
export interface Lock {
  readonly token: string;
  readonly untilMs: number;
  /** Length of the lease as asked for; `Hold` extends by it. */
  readonly leaseMs: number;
  /** Key of the armed lease deadline. */
  readonly deadlineKey: string;
  /** Selects whose result was delivered under this lock. */
  readonly delivered: readonly SelectId[];
  /** Details of the last heartbeat. */
  readonly details?: Raw;
}

/** The user's process. Where its `Data` stands: data.ts. */
export interface State {
  readonly id: StateId;
  readonly status: Status;
  /** +1 per log entry that changes the state; a heartbeat does not count. */
  readonly version: number;
  readonly selects: readonly Select[];
  /** If it is small, null if there is none; absent: a record of its own ({@link keys.data}). */
  readonly data?: Raw | null;
  readonly callback?: Callback;
  readonly vars?: Raw;
  readonly lock?: Lock;
  /** Hand-outs since the last put-back; those given back do not count. */
  readonly attempt: number;
  /** Position in the pending index while it is there. */
  readonly pendingSeq?: number;
  /** A pause was asked for or the attempts ran out: not handed out, its selects stay queued. */
  readonly paused?: { readonly reason: string };
  /** Not handed out before this time (`DELETE lock?delay`, callback backoff); key of the armed deadline. */
  readonly delayed?: { readonly untilMs: number; readonly deadlineKey: string };
  /** Token of the last lease if it ran out, so that its holder is told `expired` and not `stale`. */
  readonly expiredLock?: string;
  readonly lastDetails?: Raw;
  readonly lastError?: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** The last accepted put-back, so that its repetition gets the same answer. */
  readonly lastPut?: { readonly lock: string; readonly digest: string; readonly answer: PutAnswer };
  /** Set on the carrier of a plain request: its {@link Demand} knows who waits. Such a state is never listed or handed out. */
  readonly anonymous?: { readonly demand: number };
  /** Key of the armed removal of a `done` state. */
  readonly retainKey?: string;
}

/** One end of a channel's queue of waiters: keys of the first and last {@link Waiter}. */
export interface WaitQueue {
  readonly head?: string;
  /** Absent if it is the head, without a record of its own: then `sole` is there. */
  readonly tail?: string;
  readonly count: number;
  readonly sole?: SoleWaiter;
}

/**
 * The only waiter of a queue, as long as it has stood there alone: it is part of the record of its channel, which says the
 * rest of it.
 */
export type SoleWaiter = Omit<Waiter, "chan" | "side" | "prev" | "next">;

export interface Chan {
  readonly id: ChanId;
  /** Made explicitly (or closed): the record outlives its waiters. */
  readonly explicit: boolean;
  readonly buffer: number;
  /** Buffered values have the positions `first … first + count - 1`. */
  readonly first: number;
  readonly count: number;
  readonly sendq: WaitQueue;
  readonly recvq: WaitQueue;
  readonly closed?: { readonly value?: Raw };
}

/** A parked case (Go's sudog), linked into the queue of its channel. Its key is {@link keys.waiter}. */
export interface Waiter {
  readonly state: StateId;
  readonly select: SelectId;
  readonly case: number;
  readonly chan: ChanId;
  readonly side: "send" | "recv";
  readonly sinceMs: number;
  readonly prev?: string;
  readonly next?: string;
}

/** What happens when a deadline is due; re-checked when the `expire` entry is applied. */
export type Deadline =
  | {
      readonly kind: "time";
      readonly state: StateId;
      readonly select: SelectId;
      readonly seq: number;
      readonly case: number;
    }
  | {
      readonly kind: "notBefore";
      readonly state: StateId;
      readonly select: SelectId;
      readonly seq: number;
      readonly case: number;
    }
  | { readonly kind: "lease"; readonly state: StateId; readonly token: string }
  | { readonly kind: "delay"; readonly state: StateId }
  | { readonly kind: "retain"; readonly state: StateId }
  | { readonly kind: "request"; readonly key: string };

/** Names a local promise of one node: the request that waits there. `epoch` changes with every start of the node. */
export interface Ref {
  readonly node: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Something parked that a request of some node waits for: a hunger for pending states, or a plain request. */
export interface Demand {
  /** Registration order; the oldest matching demand is served first. */
  readonly seq: number;
  /**
   * `poll`: states without callback under a prefix. `callback`: states with one. `state`: one state (`PUT ?wait`).
   * `select`: the result of one anonymous state; never granted anything.
   */
  readonly kind: "poll" | "callback" | "state" | "select";
  /** ID prefix (`poll`), ignored (`callback`) or the whole ID (`state`, `select`). */
  readonly match: string;
  /** How many states it still takes. A poll is over with its first grant or grants of one entry; see {@link Effect}. */
  readonly slots: number;
  readonly leaseMs: number;
  readonly holders: readonly Ref[];
  /** Where the final answer is to be remembered (`PUT ?wait` or a plain request with a Request-Id). */
  readonly requestKey?: string;
}

/** Replicated settings: equal on all nodes because they come through the log. */
export interface Settings {
  readonly attemptsMax: number;
  readonly retentionMs: number;
  readonly requestMemoryMs: number;
  readonly selectsMax: number;
  /** Lease of a callback hand-out. */
  readonly callbackLeaseMs: number;
}

/** The one record that nearly every entry replaces. */
export interface Meta {
  /** Source of every sequence number. */
  readonly seq: number;
  /** Stamp of the last entry. */
  readonly nowMs: number;
  /** 16 bytes, drawn once when the cluster began: keys random choice and lock tokens. */
  readonly seed: Uint8Array;
  readonly settings: Settings;
  /** States by status, plain requests not counted. */
  readonly counts: StatusCounts;
  readonly values: ValueCounts;
}

/** Values since the cluster began. None is lost and none comes twice: `sent = received + buffered`. */
export type ValueCounts = Readonly<Record<"sent" | "received" | "buffered", number>>;

export type StatusCounts = Readonly<Record<Status, number>>;

export type SpawnReport =
  | { readonly id: StateId; readonly status: Status; readonly version: number }
  | { readonly id: StateId; readonly code: "exists" };

export interface PutAnswer {
  readonly kind: "put";
  readonly created: boolean;
  readonly id: StateId;
  readonly status: Status;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** With `Hold`: the kept lease. */
  readonly lease?: { readonly token: string; readonly untilMs: number; readonly attempt: number };
  readonly spawned?: readonly SpawnReport[];
}
