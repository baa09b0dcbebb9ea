/**
 * State records while an entry changes them: opened once, edited in place, sealed once.
 *
 * A draft is a copy that the transaction owns; the record it came from is never edited. Invariant S6: the version of a
 * state grows by one per entry that touches it, however often.
 */

import { keys } from "./keys.js";
import type { EventType } from "./outcome.js";
import type { Select, State, StateId, Status } from "./types.js";
import type { Txn } from "./txn.js";

/** All members present, so that every draft has one shape; `undefined` stands for absent. */
type Open<T> = { -readonly [K in keyof Required<T>]: T[K] };
export type OpenState = Omit<Open<State>, "selects"> & { selects: Select[] };

export interface Draft {
  readonly id: StateId;
  /** The record before the entry; undefined for a created state. */
  readonly before: State | undefined;
  readonly now: OpenState;
  /** Why it was touched; undefined: it was not, whatever was written quietly. */
  event: EventType | undefined;
  /** Written although not touched: a heartbeat. */
  quiet: boolean;
  removed: boolean;
  woken: boolean;
  /** The sealed record. */
  record: State | undefined;
}

export function openState(txn: Txn, id: StateId): Draft | undefined {
  const known = txn.states.get(id);
  if (known) return known.removed ? undefined : known;
  const before = txn.get<State>(keys.state(id));
  if (before === undefined) return undefined;
  const draft = draftOf(id, before, {
    ...blank(id, before.createdAtMs),
    ...before,
    data: before.data,
    selects: [...before.selects],
  });
  txn.states.set(id, draft);
  return draft;
}

/** The caller has made sure that there is no state of that ID. */
export function newState(txn: Txn, id: StateId): Draft {
  const draft = draftOf(id, undefined, blank(id, txn.nowMs));
  txn.states.set(id, draft);
  return draft;
}

export function stateExists(txn: Txn, id: StateId): boolean {
  const known = txn.states.get(id);
  return known ? !known.removed : txn.get(keys.state(id)) !== undefined;
}

/** The event that fits best: what was done to a state says more than what followed from it. */
const weight: Partial<Record<EventType, number>> = {
  "state.deleted": 4,
  "state.created": 3,
  "state.handed_out": 1,
  "state.resolved": 0,
};
const weightOf = (event: EventType) => weight[event] ?? 2;

export function touch(draft: Draft, event: EventType): void {
  if (draft.event === undefined || weightOf(event) > weightOf(draft.event)) draft.event = event;
}

/** Notes that the state may have become ready to be handed out, in the order in which that happened. */
export function wake(txn: Txn, draft: Draft): void {
  if (draft.woken) return;
  draft.woken = true;
  txn.woken.push(draft);
}

export function statusOf(state: Pick<OpenState, "paused" | "lock" | "selects">): Status {
  if (state.paused) return "paused";
  if (state.lock) return "running";
  if (state.selects.some((select) => select.result !== undefined)) return "pending";
  return state.selects.length === 0 ? "done" : "waiting";
}

/** Whether the state belongs into the pending index. */
export function isHandable(draft: Draft): boolean {
  const { now } = draft;
  if (draft.removed || now.anonymous || now.paused || now.lock || now.delayed) return false;
  return now.selects.some((select) => select.result !== undefined);
}

/** The record the draft becomes; from here on it must not change. */
export function sealedState(draft: Draft): State {
  return (draft.record ??= recordOf(draft.now));
}

function draftOf(id: StateId, before: State | undefined, now: OpenState): Draft {
  return { id, before, now, event: undefined, quiet: false, removed: false, woken: false, record: undefined };
}

function blank(id: StateId, nowMs: number): OpenState {
  return {
    id,
    status: "waiting",
    version: 0,
    selects: [],
    data: null,
    callback: undefined,
    vars: undefined,
    lock: undefined,
    attempt: 0,
    pendingSeq: undefined,
    paused: undefined,
    delayed: undefined,
    expiredLock: undefined,
    lastDetails: undefined,
    lastError: undefined,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    lastPut: undefined,
    anonymous: undefined,
    retainKey: undefined,
  };
}

/** Absent members are left out: equal states must encode equally on every replica. */
function recordOf(now: OpenState): State {
  const { id, status, version, selects, attempt, createdAtMs, updatedAtMs } = now;
  const state: { -readonly [K in keyof State]: State[K] } = {
    id,
    status,
    version,
    selects,
    attempt,
    createdAtMs,
    updatedAtMs,
  };
  if (now.data !== undefined) state.data = now.data;
  if (now.callback) state.callback = now.callback;
  if (now.vars) state.vars = now.vars;
  if (now.lock) state.lock = now.lock;
  if (now.pendingSeq !== undefined) state.pendingSeq = now.pendingSeq;
  if (now.paused) state.paused = now.paused;
  if (now.delayed) state.delayed = now.delayed;
  if (now.expiredLock !== undefined) state.expiredLock = now.expiredLock;
  if (now.lastDetails) state.lastDetails = now.lastDetails;
  if (now.lastError !== undefined) state.lastError = now.lastError;
  if (now.lastPut) state.lastPut = now.lastPut;
  if (now.anonymous) state.anonymous = now.anonymous;
  if (now.retainKey !== undefined) state.retainKey = now.retainKey;
  return state;
}
