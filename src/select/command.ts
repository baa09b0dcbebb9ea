/**
 * What enters the select engine through the log: one {@link Command} per entry.
 */
import type { Callback, CaseSpec, ChanId, Choice, Raw, Ref, SelectId, SelectSpec, Settings, StateId } from "./types.js";

export interface MakeSpec {
  readonly chan: ChanId;
  readonly buffer: number;
}

export interface CloseSpec {
  readonly chan: ChanId;
  readonly value?: Raw;
}

/** What PUT and PATCH accept beside the state itself, applied in the order cancel, make, close, selects, spawn. */
export interface Extras {
  readonly hold?: boolean;
  readonly cancel?: readonly SelectId[];
  readonly make?: readonly MakeSpec[];
  readonly close?: readonly CloseSpec[];
  readonly spawn?: readonly SpawnSpec[];
  readonly strict?: boolean;
}

export interface SpawnSpec {
  readonly id: StateId;
  readonly data?: Raw;
  readonly vars?: Raw;
  readonly callback?: Callback;
  readonly selects: readonly SelectSpec[];
}

/** `PUT ?wait` and `PATCH ?wait`: hand the state out in this entry if it is pending, else park this demand. */
export interface StateWait {
  readonly ref: Ref;
  readonly leaseMs: number;
}

interface Mutation {
  readonly requestId?: string;
  /** `If-Match`. */
  readonly ifVersion?: number;
}

export interface PutCommand extends Mutation, Extras {
  readonly kind: "put";
  readonly id: StateId;
  /** Absent: a create. */
  readonly lock?: string;
  /** Digest of the body, to recognise a repeated put-back. */
  readonly digest: string;
  readonly data?: Raw;
  readonly vars?: Raw;
  readonly callback?: Callback;
  readonly selects: readonly SelectSpec[];
  readonly wait?: StateWait;
}

export interface PatchCommand extends Mutation, Extras {
  readonly kind: "patch";
  readonly id: StateId;
  readonly lock?: string;
  readonly digest: string;
  /** Absent members stay as they are; `null` removes. */
  readonly data?: Raw | null;
  readonly vars?: Raw | null;
  readonly callback?: Callback | null;
  readonly add?: readonly SelectSpec[];
  readonly wait?: StateWait;
}

export type Command =
  /** Proposed by a new leader when the replicated settings differ from its own; the first one fixes the seed. */
  | { readonly kind: "configure"; readonly seed: Uint8Array; readonly settings: Settings }
  | PutCommand
  | PatchCommand
  | (Mutation & { readonly kind: "delete"; readonly id: StateId; readonly lock?: string; readonly force?: boolean })
  /** Heartbeat (with `lock`) or a lease by hand (without). */
  | (Mutation & {
      readonly kind: "lock";
      readonly id: StateId;
      readonly lock?: string;
      readonly forMs: number;
      readonly details?: Raw;
    })
  | (Mutation & { readonly kind: "unlock"; readonly id: StateId; readonly lock?: string; readonly delayMs: number })
  | (Mutation & { readonly kind: "pause"; readonly id: StateId; readonly reason: string })
  | (Mutation & { readonly kind: "resume"; readonly id: StateId })
  | (Mutation & { readonly kind: "make"; readonly chan: ChanId; readonly buffer: number })
  | (Mutation & { readonly kind: "close"; readonly chan: ChanId; readonly value?: Raw })
  | (Mutation & { readonly kind: "drop"; readonly chan: ChanId })
  /** One anonymous select. `route` scopes its Request-Id. Without `wait` it is withdrawn in the same entry if not ready. */
  | (Mutation & {
      readonly kind: "select";
      readonly route: string;
      readonly cases: readonly CaseSpec[];
      readonly choice: Choice;
      readonly wait?: { readonly ref: Ref };
    })
  /** Takes up to `max` matching pending states, or parks if there are none and `park`. */
  | {
      readonly kind: "demand";
      readonly for: "poll" | "callback";
      readonly prefix: string;
      readonly max: number;
      readonly leaseMs: number;
      readonly park: boolean;
      readonly ref: Ref;
    }
  /**
   * The request behind each ref is over. What it parked stays for another holder, if one is left: a client that repeated
   * it. Unless it `waited` to the end: it will be told so, so what it parked goes, and other holders are told as well.
   */
  | { readonly kind: "withdraw"; readonly refs: readonly Ref[]; readonly waited?: boolean }
  /** Everything parked for `node` by an epoch before `epoch` goes: the node restarted or is gone. */
  | { readonly kind: "forget"; readonly node: string; readonly epoch: number }
  /** Keys of deadlines the leader found due. Each is checked again. */
  | { readonly kind: "expire"; readonly keys: readonly string[] }
  /** A callback did not end in a put-back. `pause`: 410, or the attempts ran out. */
  | {
      readonly kind: "callbackFailed";
      readonly id: StateId;
      readonly lock: string;
      readonly error: string;
      readonly delayMs: number;
      readonly pause: boolean;
    };

/** One committed entry as the engine sees it. */
export interface Entry {
  readonly index: number;
  /** Log time: the leader's stamp, never less than that of the entry before. */
  readonly nowMs: number;
  readonly command: Command;
}
