/**
 * What travels over HTTP, as types: request bodies, answers, problem documents. PascalCase lives here and in the two
 * translators (wire-in.ts, wire-out.ts), nowhere else.
 *
 * Only types: the SDK imports this file without any code. `D` is what stands where the user's own JSON goes; the server
 * keeps it as text and never looks inside.
 * Source: protocol §1–§7.
 */
import type { ErrorCode } from "../src/errors.js";

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export type OpNumber = 1 | 2 | 3 | 4;
export type OpName = "recv" | "send" | "time" | "default";
/** What a state is doing; what leads from one to the other: docs/api/reference.md. */
export type Status = "waiting" | "pending" | "running" | "done" | "paused";
type Optional<T> = T | null | undefined;

// ------------------------------------------------------------------------------------------------- request bodies

export interface CaseBody<D = Json> {
  readonly Op: OpNumber | OpName;
  /** Name of a channel; for a time case unix seconds. */
  readonly Chan?: Optional<string | number>;
  readonly Data?: D | undefined;
  /** Unix milliseconds or RFC 3339. */
  readonly At?: Optional<number | string>;
  /** Milliseconds, or a duration such as `500ms`, `1h30m`, `7d`. */
  readonly After?: Optional<number | string>;
  /** As `At`: a receive or send takes part from then on. */
  readonly NotBefore?: Optional<number | string>;
}

export interface SelectBody<D = Json> {
  readonly ID: string;
  readonly Cases?: Optional<readonly CaseBody<D>[]>;
  readonly Choice?: Optional<"random" | "order">;
  /** Present in a put-back by mistake: 422 `result_not_processed`. */
  readonly Result?: unknown;
}

export interface CallbackBody {
  readonly Type: 1;
  readonly URI: string;
}

export interface MakeBody {
  readonly Chan: string;
  readonly Buffer?: Optional<number>;
}

export interface CloseItem<D = Json> {
  readonly Chan: string;
  readonly Value?: D | undefined;
}

export interface SpawnBody<D = Json> {
  readonly ID: string;
  readonly Data?: D | undefined;
  readonly Vars?: D | undefined;
  readonly Callback?: Optional<CallbackBody>;
  readonly Selects?: Optional<readonly SelectBody<D>[]>;
  readonly Lock?: unknown;
}

/** What PUT and PATCH accept beside the state. */
export interface ExtrasBody<D = Json> {
  readonly ID?: Optional<string>;
  readonly Lock?: Optional<string>;
  readonly Hold?: Optional<boolean>;
  readonly Cancel?: Optional<readonly string[]>;
  readonly Make?: Optional<readonly MakeBody[]>;
  readonly Close?: Optional<readonly (string | CloseItem<D>)[]>;
  readonly Spawn?: Optional<readonly SpawnBody<D>[]>;
  readonly Strict?: Optional<boolean>;
}

/** A state as it is put; at most 4 MiB. Members: docs/api/reference.md. */
export interface PutBody<D = Json> extends ExtrasBody<D> {
  readonly Data?: D | undefined;
  readonly Vars?: D | undefined;
  readonly Callback?: Optional<CallbackBody>;
  readonly Selects?: Optional<readonly SelectBody<D>[]>;
}

export interface PatchBody<D = Json> extends ExtrasBody<D> {
  /** Absent members stay; `null` removes `Vars` and `Callback`, and is a value of `Data`. */
  readonly Data?: D | undefined;
  readonly Vars?: D | undefined;
  readonly Callback?: Optional<CallbackBody>;
  readonly Add?: Optional<readonly SelectBody<D>[]>;
}

export interface LockBody<D = Json> {
  readonly Lock?: Optional<string>;
  /** Length of the lease in seconds. */
  readonly For?: Optional<number>;
  readonly Details?: D | undefined;
}

export type HolderBody = Pick<LockBody, "Lock">;

export interface PauseBody {
  readonly Reason?: Optional<string>;
}

export type BufferBody = Pick<MakeBody, "Buffer">;

export type CloseBody<D = Json> = Pick<CloseItem<D>, "Value">;

export interface SendBody<D = Json> {
  readonly Data?: D | undefined;
}

export interface PlainSelectBody<D = Json> {
  readonly Cases: readonly CaseBody<D>[];
  readonly Choice?: Optional<"random" | "order">;
}

export interface MemberBody {
  readonly ID: string;
  /** `host:port` where the other members reach it. */
  readonly Peer: string;
  /** Base URL of its API. */
  readonly API: string;
}

export interface TransferBody {
  /** The member that is to lead. */
  readonly To: string;
}

// -------------------------------------------------------------------------------------------------------- answers

export interface CaseOut {
  readonly Op: OpNumber;
  readonly Chan?: string | number | null;
  readonly Data?: Json;
  /** Milliseconds. */
  readonly At?: number;
  readonly NotBefore?: number;
}

/** What came of a select; `At` is log time in unix ms, `Index` that of the log. */
export interface ResultOut {
  readonly Select: string;
  readonly Case: number;
  readonly Op: OpNumber;
  readonly Chan?: string | number | null;
  /** Only of a receive. */
  readonly Data?: Json;
  readonly Ok: boolean;
  readonly Closed?: boolean;
  readonly Error?: "closed";
  readonly At: number;
  readonly Index: number;
}

export interface SelectOut {
  readonly ID: string;
  readonly Cases: readonly CaseOut[];
  readonly Choice: "random" | "order";
  readonly Result?: ResultOut;
}

/** A state as it is read, or handed out. Times are unix ms. Members: docs/api/reference.md. */
export interface StateOut {
  readonly ID: string;
  readonly Data?: Json;
  readonly Selects: readonly SelectOut[];
  readonly Results: readonly ResultOut[];
  readonly Callback?: CallbackBody;
  readonly Vars?: { readonly [key: string]: Json };
  readonly Status: Status;
  readonly Version: number;
  /** Hand-outs only, with `LockUntil` and `Attempt`. */
  readonly Lock?: string;
  readonly LockUntil?: number;
  readonly Attempt?: number;
  readonly CreatedAt: number;
  readonly UpdatedAt: number;
  readonly PausedReason?: string;
  readonly LastError?: string;
  readonly LastDetails?: Json;
}

export type SpawnedOut =
  | { readonly ID: string; readonly Status: Status; readonly Version: number }
  | { readonly ID: string; readonly Code: "exists" };

export interface PutAnswerOut {
  readonly ID: string;
  readonly Status: Status;
  readonly Version: number;
  readonly CreatedAt: number;
  readonly UpdatedAt: number;
  readonly Lock?: string;
  readonly LockUntil?: number;
  readonly Attempt?: number;
  readonly Spawned?: readonly SpawnedOut[];
}

export interface StateAnswerOut {
  readonly ID: string;
  readonly Status: Status;
  readonly Version: number;
}

export interface LeaseOut {
  readonly Lock: string;
  readonly LockUntil: number;
}

export interface StatesOut {
  readonly States: readonly StateOut[];
  /** Pass it as `cursor` for the rest; null at the end. */
  readonly Cursor: string | null;
}

/** A channel: its buffer, how many wait, whether it is closed. `OldestWaiter` is unix ms. */
export interface ChannelOut {
  readonly Chan: string;
  readonly Buffer: number;
  readonly Values: number;
  readonly Senders: number;
  readonly Receivers: number;
  readonly Closed: boolean;
  readonly OldestWaiter: number | null;
}

export interface ChannelsOut {
  readonly Channels: readonly ChannelOut[];
  readonly Cursor: string | null;
}

/** A change of a state or channel, at a log index; `At` is unix ms. */
export interface EventOut {
  readonly Index: number;
  readonly At: number;
  /** `state.…` or `chan.…`. */
  readonly Type: string;
  readonly ID?: string;
  readonly Chan?: string;
  readonly Status?: Status;
  readonly Version?: number;
}

export interface EventsOut {
  readonly Events: readonly EventOut[];
}

export interface NodeOut {
  readonly ID: string;
  readonly Address: string;
  /** Where the other members reach it. */
  readonly Peer: string;
  /** `leader`, `follower`, `candidate`, `preCandidate`, or `learner` for one that catches up. */
  readonly Role: string;
  readonly Voter: boolean;
  /** Of its data directory; empty if it was never heard of. */
  readonly Instance: string;
  readonly Term: number;
  readonly Leader: string | null;
  readonly LastIndex: number;
  readonly CommitIndex: number;
  readonly AppliedIndex: number;
  readonly FlushedIndex: number;
  readonly LagMs: number;
  readonly DBBytes: number;
  readonly ClockSkewMs: number;
  readonly Reachable: boolean;
  readonly At: number;
  readonly Version: string;
  readonly StateHash?: { readonly Index: number; readonly Hash: string };
  /** Bytes that may still be written to the disk of the data directory. */
  readonly DiskFreeBytes?: number;
  /** Kinds: docs/operations.md. */
  readonly Alarms: readonly { readonly Kind: string; readonly Since: number; readonly About: string }[];
}

export interface ClusterOut {
  readonly ID: string;
  readonly Nodes: readonly NodeOut[];
  /** IDs that were members once and are never used again. */
  readonly Removed: readonly string[];
  /** A change of the members is not committed yet. */
  readonly Changing: boolean;
}

/** RFC 9457, beside the members that single codes add (`reason`, `Version`, `LockUntil`, `Selects`, `Result`…). */
export interface ProblemOut {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly instance?: string;
  readonly [member: string]: unknown;
}
