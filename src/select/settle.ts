/**
 * The end of an accepted entry, in two steps that cannot fail: who gets the states that became pending, and what every
 * touched state has become; then, once the answer is composed, all records and effects.
 *
 * The only place that changes the pending index, grants states to parked demands and counts versions.
 */

import { sealChans } from "./chan.js";
import { dataOf } from "./data.js";
import { isHandable, sealedState, statusOf, type Draft } from "./draft.js";
import { keys } from "./keys.js";
import { takeLease } from "./lock.js";
import { endDemand, parkDemand, replaceDemand } from "./park.js";
import { settleMemory } from "./request.js";
import { arm, disarm, wholeMs } from "./timer.js";
import type { Answer, HandOut } from "./outcome.js";
import type { PendingRecord } from "./pending.js";
import type { OwnWait, Txn } from "./txn.js";

/** Decides who holds what. Afterwards drafts have their final status and version. */
export function settle(txn: Txn): void {
  for (const draft of txn.woken) {
    if (draft !== txn.ownWait?.draft && draft.now.pendingSeq === undefined && isHandable(draft)) place(txn, draft);
  }
  if (txn.ownWait) serveOwnWait(txn, txn.ownWait);
  for (const draft of txn.states.values()) settleState(txn, draft);
}

/** Writes everything and tells of it. */
export function seal(txn: Txn): void {
  for (const draft of txn.states.values()) {
    if (draft.now.anonymous) sealAnonymous(txn, draft, draft.now.anonymous.demand);
    else sealState(txn, draft);
  }
  sealChans(txn);
  for (const [seq, drafts] of txn.grants) sealGrant(txn, seq, drafts);
}

/** Gives the state to a demand: leased now, told when the entry is sealed. */
export function grant(txn: Txn, seq: number, draft: Draft): void {
  const parked = txn.demands.get(seq);
  if (!parked) return;
  takeLease(txn, draft, parked.demand.leaseMs);
  const drafts = txn.grants.get(seq);
  if (drafts) drafts.push(draft);
  else txn.grants.set(seq, [draft]);
  parked.left -= 1;
  if (parked.left <= 0) txn.demands.spend(parked);
}

export function handOutOf(txn: Txn, draft: Draft): HandOut {
  const state = sealedState(draft);
  const data = dataOf(txn, state);
  return data === undefined ? { state } : { state, data };
}

/** A state that became pending: to the oldest demand that takes it, else to the end of the queue. */
function place(txn: Txn, draft: Draft): void {
  const demand = txn.demands.match(draft.now);
  if (demand) return grant(txn, demand.demand.seq, draft);
  const seq = txn.nextSeq();
  draft.now.pendingSeq = seq;
  const taker = draft.now.callback ? "callback" : "poll";
  const record: PendingRecord = { id: draft.id, taker };
  txn.create(keys.pending(seq), record);
  txn.pending.add(taker, draft.id, seq);
}

/** `PUT ?wait` takes the state in its own entry, before any parked demand: it is the request that made it pending. */
function serveOwnWait(txn: Txn, own: OwnWait): void {
  const { draft, wait } = own;
  if (isHandable(draft)) {
    takeLease(txn, draft, wait.leaseMs);
    own.handedOut = true;
    return;
  }
  // Nothing will ever wake it: the answer is the PUT's own.
  if (statusOf(draft.now) === "done") {
    txn.ownWait = undefined;
    return;
  }
  const demand = { seq: txn.nextSeq(), kind: "state", match: draft.id, slots: 1, leaseMs: wait.leaseMs } as const;
  const holders = [wait.ref];
  parkDemand(
    txn,
    txn.requestKey === undefined ? { ...demand, holders } : { ...demand, holders, requestKey: txn.requestKey },
  );
}

function settleState(txn: Txn, draft: Draft): void {
  const { now, before } = draft;
  if (draft.event === undefined || now.anonymous) return;
  if (now.pendingSeq !== undefined && !isHandable(draft)) {
    txn.del(keys.pending(now.pendingSeq));
    txn.pending.remove(draft.id);
    now.pendingSeq = undefined;
  }
  if (draft.removed) return;
  now.status = statusOf(now);
  now.version = (before?.version ?? 0) + 1;
  now.updatedAtMs = txn.nowMs;
  if (now.status === "done") {
    now.retainKey ??= arm(txn, wholeMs(txn.nowMs + txn.settings.retentionMs), { kind: "retain", state: draft.id });
  } else if (now.retainKey !== undefined) {
    disarm(txn, now.retainKey);
    now.retainKey = undefined;
  }
}

function sealState(txn: Txn, draft: Draft): void {
  const { id, event } = draft;
  if (draft.removed) {
    txn.del(keys.state(id));
    txn.count(draft.before?.status, undefined);
    txn.effects.push({ kind: "state", type: "state.deleted", id });
  } else if (event !== undefined) {
    const state = sealedState(draft);
    txn.put(keys.state(id), state);
    txn.count(draft.before?.status, state.status);
    txn.effects.push({ kind: "state", type: event, id, state });
  } else if (draft.quiet) {
    txn.put(keys.state(id), sealedState(draft));
  }
}

/** The carrier of a plain request lives only while its select waits. */
function sealAnonymous(txn: Txn, draft: Draft, demandSeq: number): void {
  const result = draft.now.selects[0]?.result;
  if (!draft.removed && !result) {
    if (!draft.before) txn.put(keys.state(draft.id), sealedState(draft));
    return;
  }
  if (!draft.before) return;
  txn.del(keys.state(draft.id));
  const demand = txn.demands.get(demandSeq)?.demand;
  if (!result || !demand) return;
  endDemand(txn, demandSeq);
  if (demand.requestKey !== undefined) settleMemory(txn, demand.requestKey, () => ({ kind: "result", result }));
  txn.effects.push({ kind: "answered", holders: demand.holders, result });
}

function sealGrant(txn: Txn, seq: number, drafts: readonly Draft[]): void {
  const parked = txn.demands.get(seq);
  if (!parked) return;
  const handOuts = drafts.map((draft) => handOutOf(txn, draft));
  const demand = { ...parked.demand, slots: parked.left };
  if (demand.kind === "callback" && demand.slots > 0) replaceDemand(txn, demand);
  else endDemand(txn, seq);
  if (demand.requestKey !== undefined) {
    settleMemory(txn, demand.requestKey, (put) => servedAnswer(put, handOuts));
  }
  txn.effects.push({ kind: "granted", demand, handOuts });
}

/** Without hand-outs the state was deleted: what was said about the PUT stays. */
function servedAnswer(put: Answer | undefined, handOuts: readonly HandOut[]): Answer {
  if (put?.kind !== "put") return { kind: "handOuts", handOuts };
  return handOuts.length === 0 ? put : { kind: "handOuts", handOuts, put };
}
