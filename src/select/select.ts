/**
 * Runs one select: proceed with a case that is ready, or park it on every channel and deadline it names.
 *
 * Pure: time and order come from the entry, so all replicas choose the same case. A select is resolved at most once, and
 * all its other cases leave their queues in the same entry (S1, S2: README.md).
 * Source: the passes of Go's selectgo, chansend and chanrecv; semantics C.3.
 */

import { invariant } from "../invariant.js";
import { enqueue, openChan, pushValue, queueOf, shiftValue, unlink, waiterAt, type ChanDraft } from "./chan.js";
import { openState, touch, wake, type Draft } from "./draft.js";
import { keys } from "./keys.js";
import { pick } from "./order.js";
import { arm, disarm, wholeMs } from "./timer.js";
import type { Case, CaseSpec, Raw, Result, Select, SelectSpec, Waiter } from "./types.js";
import type { Txn } from "./txn.js";

type ChanCase = Extract<Case, { op: "recv" | "send" }>;
/** A case of the select of a state that is looked at now. */
interface Party {
  readonly draft: Draft;
  readonly select: Select;
  /** Some of its cases stand in queues or behind deadlines. */
  readonly parked: boolean;
}

/** Resolves `after` against the stamp of the entry; all times become whole milliseconds. */
export function settleCase(spec: CaseSpec, nowMs: number): Case {
  switch (spec.op) {
    case "time": {
      const dueMs = "deadlineMs" in spec ? spec.deadlineMs : nowMs + spec.form.afterMs;
      return { op: "time", deadlineMs: wholeMs(dueMs), form: spec.form };
    }
    case "recv":
    case "send":
      return spec.notBeforeMs === undefined ? spec : { ...spec, notBeforeMs: wholeMs(spec.notBeforeMs) };
    case "default":
      return spec;
  }
}

/** Appends the select to its state and runs it. */
export function register(txn: Txn, draft: Draft, spec: Pick<SelectSpec, "id" | "cases" | "choice">): void {
  const cases = spec.cases.map((one) => settleCase(one, txn.nowMs));
  const select: Select = { id: spec.id, seq: txn.nextSeq(), choice: spec.choice, cases };
  draft.now.selects.push(select);
  const party = { draft, select, parked: false };
  const chosen = choose(txn, party);
  if (chosen === undefined) park(txn, party);
  else proceed(txn, party, chosen);
}

/** Takes an unresolved, parked select out of every queue and off the clock. */
export function withdrawSelect(txn: Txn, select: Select): void {
  select.cases.forEach((one, at) => {
    if (one.op === "time") return disarm(txn, deadlineKeyOf(select, at, one.deadlineMs));
    if (one.op === "default" || one.chan === null) return;
    const wasWaiting = unlink(txn, keys.waiter(select.seq, at), { chan: one.chan, side: one.op });
    if (!wasWaiting && one.notBeforeMs !== undefined) disarm(txn, deadlineKeyOf(select, at, one.notBeforeMs));
  });
}

/** The deadline of a `time` or `NotBefore` case is due; the caller has deleted its record. */
export function caseDue(txn: Txn, deadline: { state: string; select: string; seq: number; case: number }): void {
  const draft = openState(txn, deadline.state);
  const select = draft?.now.selects.find(({ id }) => id === deadline.select);
  const one = select?.cases[deadline.case];
  invariant(draft && select?.seq === deadline.seq && !select.result && one, "a deadline outlived its select");
  const party = { draft, select, parked: true };
  if (isReady(txn, party, one)) proceed(txn, party, deadline.case);
  else parkCase(txn, party, deadline.case);
}

/** Everybody who waits on a channel that was just closed: receivers first, then senders (M5). */
export function releaseWaiters(txn: Txn, chan: ChanDraft): void {
  for (let key = chan.recvq.head; key !== undefined; key = chan.recvq.head) {
    completeWaiter(txn, waiterAt(txn, chan, "recv", key), drained(chan));
  }
  for (let key = chan.sendq.head; key !== undefined; key = chan.sendq.head) {
    completeWaiter(txn, waiterAt(txn, chan, "send", key), { ok: false, error: "closed" });
  }
}

/** Pass 1: the ready case to take; the default if there is none; undefined if the select has to wait. */
function choose(txn: Txn, party: Party): number | undefined {
  const { select } = party;
  const ready: number[] = [];
  let fallback: number | undefined;
  for (const [at, one] of select.cases.entries()) {
    if (one.op === "default") fallback ??= at;
    else if (takesPart(one, txn.nowMs) && isReady(txn, party, one)) {
      if (select.choice === "order") return at;
      ready.push(at);
    }
  }
  if (ready.length < 2) return ready[0] ?? fallback;
  return ready[pick(ready.length, { seed: txn.seed, index: txn.index, seq: select.seq })];
}

function takesPart(one: Case, nowMs: number): boolean {
  return one.op === "time" || one.op === "default" || one.notBeforeMs === undefined || one.notBeforeMs <= nowMs;
}

function isReady(txn: Txn, party: Party, one: Case): boolean {
  if (one.op === "time") return one.deadlineMs <= txn.nowMs;
  if (one.op === "default" || one.chan === null) return false;
  const chan = openChan(txn, one.chan);
  if (chan.closed) return true;
  const room = one.op === "send" ? chan.count < chan.buffer : chan.count > 0;
  return room || partnerOf(txn, chan, one, party) !== undefined;
}

/** The oldest waiter on the other side that is not this very select: at most its own cases are passed over. */
function partnerOf(txn: Txn, chan: ChanDraft, one: ChanCase, party: Party): Waiter | undefined {
  const side = one.op === "send" ? "recv" : "send";
  let key = queueOf(chan, side).head;
  while (key !== undefined) {
    const waiter = waiterAt(txn, chan, side, key);
    if (waiter.state !== party.draft.id || waiter.select !== party.select.id) return waiter;
    key = waiter.next;
  }
  return undefined;
}

/** Pass 2: the case at `at` is ready and wins. */
function proceed(txn: Txn, party: Party, at: number): void {
  const one = party.select.cases[at];
  invariant(one, "the winning case exists");
  if (one.op === "time" || one.op === "default") return complete(txn, party, at, { ok: true });
  invariant(one.chan !== null, "a nil channel is never ready");
  if (one.op === "send") sendNow(txn, party, at, { chan: openChan(txn, one.chan), one });
  else receiveNow(txn, party, at, { chan: openChan(txn, one.chan), one });
}

interface Meeting {
  readonly chan: ChanDraft;
  readonly one: ChanCase;
}

function sendNow(txn: Txn, party: Party, at: number, { chan, one }: Meeting): void {
  if (chan.closed) return complete(txn, party, at, { ok: false, error: "closed" });
  const data = one.op === "send" ? one.data : undefined;
  const receiver = partnerOf(txn, chan, one, party);
  complete(txn, party, at, { ok: true });
  if (receiver) completeWaiter(txn, receiver, received(data));
  else pushValue(txn, chan, data);
}

function receiveNow(txn: Txn, party: Party, at: number, { chan, one }: Meeting): void {
  if (chan.count > 0) {
    complete(txn, party, at, received(shiftValue(txn, chan)));
    refill(txn, chan);
    return;
  }
  const sender = partnerOf(txn, chan, one, party);
  if (sender === undefined) return complete(txn, party, at, drained(chan));
  complete(txn, party, at, received(sentData(txn, sender)));
  completeWaiter(txn, sender, { ok: true });
}

/** The oldest blocked sender's value takes the place that came free, and that sender proceeds (M11). */
function refill(txn: Txn, chan: ChanDraft): void {
  const key = chan.sendq.head;
  if (key === undefined) return;
  const sender = waiterAt(txn, chan, "send", key);
  pushValue(txn, chan, sentData(txn, sender));
  completeWaiter(txn, sender, { ok: true });
}

function sentData(txn: Txn, waiter: Waiter): Raw | undefined {
  const one = partyOf(txn, waiter).select.cases[waiter.case];
  invariant(one?.op === "send", "a sender waits with a send case");
  return one.data;
}

/** Pass 3: nothing is ready; wait everywhere. Deadlines take the sequence numbers that follow the select's own. */
function park(txn: Txn, party: Party): void {
  const { cases } = party.select;
  if (cases.some((one) => one.op === "time" || !takesPart(one, txn.nowMs))) txn.nextSeq(cases.length);
  cases.forEach((_, at) => parkCase(txn, party, at));
}

function parkCase(txn: Txn, { draft, select }: Party, at: number): void {
  const one = select.cases[at];
  if (one === undefined || one.op === "default") return;
  if (one.op === "time") armCase(txn, { draft, select, at, dueMs: one.deadlineMs, kind: "time" });
  else if (one.chan === null) return;
  else if (one.notBeforeMs !== undefined && one.notBeforeMs > txn.nowMs) {
    armCase(txn, { draft, select, at, dueMs: one.notBeforeMs, kind: "notBefore" });
  } else {
    const waiter = { state: draft.id, select: select.id, case: at, sinceMs: txn.nowMs };
    enqueue(txn, keys.waiter(select.seq, at), { chan: one.chan, side: one.op }, waiter);
  }
}

interface CaseDeadline {
  readonly draft: Draft;
  readonly select: Select;
  readonly at: number;
  readonly dueMs: number;
  readonly kind: "time" | "notBefore";
}

function armCase(txn: Txn, { draft, select: { id, seq }, at, dueMs, kind }: CaseDeadline): void {
  arm(txn, dueMs, { kind, state: draft.id, select: id, seq, case: at }, seq + 1 + at);
}

function deadlineKeyOf(select: Select, at: number, dueMs: number): string {
  return keys.deadline(dueMs, select.seq + 1 + at);
}

type Ending = Pick<Result, "data" | "ok" | "closed" | "error">;

function received(data: Raw | undefined): Ending {
  return data === undefined ? { ok: true } : { ok: true, data };
}

function drained(chan: ChanDraft): Ending {
  const value = chan.closed?.value;
  return value === undefined ? { ok: false, closed: true } : { ok: false, closed: true, data: value };
}

function partyOf(txn: Txn, waiter: Waiter): Party {
  const draft = openState(txn, waiter.state);
  const select = draft?.now.selects.find(({ id }) => id === waiter.select);
  invariant(draft && select && !select.result, `a waiter outlived its select ${waiter.select} of ${waiter.state}`);
  return { draft, select, parked: true };
}

function completeWaiter(txn: Txn, waiter: Waiter, ending: Ending): void {
  complete(txn, partyOf(txn, waiter), waiter.case, ending);
}

/** The case at `at` resolves the select; the losers are gone at once (M22). */
function complete(txn: Txn, { draft, select, parked }: Party, at: number, ending: Ending): void {
  const one = select.cases[at];
  invariant(one, "the resolved case exists");
  if (parked) withdrawSelect(txn, select);
  const result: { -readonly [K in keyof Result]: Result[K] } = {
    select: select.id,
    case: at,
    op: one.op,
    ok: ending.ok,
    atMs: txn.nowMs,
    index: txn.index,
    order: txn.nextSeq(),
  };
  if (one.op === "recv" || one.op === "send") result.chan = one.chan;
  if (ending.data !== undefined) result.data = ending.data;
  if (ending.closed) result.closed = true;
  if (ending.error) result.error = ending.error;
  if (ending.ok && one.op === "send") txn.values.sent += 1;
  if (ending.ok && one.op === "recv") txn.values.received += 1;
  const { id, seq, choice, cases } = select;
  draft.now.selects[draft.now.selects.indexOf(select)] = { id, seq, choice, cases, result };
  touch(draft, "state.resolved");
  wake(txn, draft);
}
