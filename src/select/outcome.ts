/**
 * What applying one entry gives: the answer to its proposer, and effects that others have to hear of.
 */
import type { ErrorCode } from "../errors.js";
import type { Chan, ChanId, Demand, PutAnswer, Raw, Ref, Result, State, StateId, Status } from "./types.js";

/** Remembered answer to a request that carried a Request-Id. */
export interface Remembered {
  /** Absent while a plain request still waits; that of the PUT alone while a `PUT ?wait` does. */
  readonly answer?: Answer;
  /** The demand behind which the first request still waits. */
  readonly waiting?: { readonly demand: number };
}

/** A state as its holder sees it. `data` is read when the effect is published. */
export interface HandOut {
  readonly state: State;
  readonly data?: Raw;
}

export type Answer =
  | PutAnswer
  /** States handed out in this entry; empty for a poll that found none and did not park. `put` is the PUT it came with. */
  | { readonly kind: "handOuts"; readonly handOuts: readonly HandOut[]; readonly put?: PutAnswer }
  /** Parked: the answer comes as an effect that names the ref. `put` is the answer if the wait ends first. */
  | { readonly kind: "parked"; readonly put?: PutAnswer }
  | { readonly kind: "result"; readonly result: Result }
  | { readonly kind: "lease"; readonly token: string; readonly untilMs: number }
  | { readonly kind: "state"; readonly id: StateId; readonly status: Status; readonly version: number }
  | { readonly kind: "chan"; readonly chan: Chan; readonly created: boolean }
  | { readonly kind: "done" };

/** `details` are in wire spelling: they become members of the problem document. */
export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** `already_resolved`: the result that was there first. */
  readonly result?: Result;
}

export type Outcome = { readonly ok: true; readonly answer: Answer; readonly repeated?: boolean } | Refusal;

export type EventType =
  | "state.created"
  | "state.resolved"
  | "state.handed_out"
  | "state.put_back"
  | "state.changed"
  | "state.released"
  | "state.paused"
  | "state.resumed"
  | "state.deleted"
  | "chan.made"
  | "chan.closed"
  | "chan.deleted";

export type Effect =
  /** A demand was served: the owner of one of `holders` answers with these states (in hand-out order). */
  | { readonly kind: "granted"; readonly demand: Demand; readonly handOuts: readonly HandOut[] }
  /** An anonymous select resolved. */
  | { readonly kind: "answered"; readonly holders: readonly Ref[]; readonly result: Result }
  /** The wait of a joined request ended, and with it that of these. */
  | { readonly kind: "withdrawn"; readonly holders: readonly Ref[] }
  /** A deadline was armed: the leader's clock has to look at it. */
  | { readonly kind: "armed"; readonly key: string }
  /** A state changed (absent `state`: it was removed); for watchers and the feed. */
  | { readonly kind: "state"; readonly type: EventType; readonly id: StateId; readonly state?: State }
  | { readonly kind: "chan"; readonly type: EventType; readonly id: ChanId };

/** What applying one entry gives: the answer to its proposer and what others have to hear. */
export interface Applied {
  readonly outcome: Outcome;
  readonly effects: readonly Effect[];
}
