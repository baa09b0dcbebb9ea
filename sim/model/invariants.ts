/**
 * What must hold of the records after every entry: the last paragraph of semantics C.3, and D2, D3, D7, D11 of the
 * reliability catalogue, checked over all records at once. Knows the record types, not the engine.
 */
import { dataInStateMax } from "../../src/select/data.js";
import { dueOf, keys } from "../../src/select/keys.js";
import type { PendingRecord } from "../../src/select/pending.js";
import type { Chan, Deadline, Demand, Meta, Raw, Select, State, Waiter, WaitQueue } from "../../src/select/types.js";

/** All records of one store, sorted by kind. Client-chosen names contain no `\0`, so keys split cleanly. */
export interface Records {
  readonly states: ReadonlyMap<string, State>;
  readonly chans: ReadonlyMap<string, Chan>;
  readonly waiters: ReadonlyMap<string, Waiter>;
  readonly deadlines: ReadonlyMap<string, Deadline>;
  readonly pending: ReadonlyMap<string, PendingRecord>;
  readonly demands: ReadonlyMap<string, Demand>;
  readonly requests: ReadonlyMap<string, unknown>;
  readonly values: ReadonlyMap<string, unknown>;
  readonly data: ReadonlyMap<string, unknown>;
  readonly meta: Meta | undefined;
}

export function readRecords(records: Iterable<readonly [string, unknown]>): Records {
  const kinds: Record<string, Map<string, unknown>> = {};
  for (const kind of ["s", "c", "w", "t", "p", "q", "r", "v", "d"]) kinds[kind] = new Map();
  let meta: Meta | undefined;
  for (const [key, value] of records) {
    if (key === keys.meta) {
      meta = value as Meta;
      continue;
    }
    const kind = kinds[key.slice(0, 1)];
    if (!kind || key[1] !== "\0") throw new Error(`a key of no known kind: ${JSON.stringify(key)}`);
    kind.set(key, value);
  }
  const of = <T>(kind: string) => kinds[kind] as ReadonlyMap<string, T>;
  const states = new Map([...of<State>("s").values()].map((state) => [state.id, state]));
  const chans = new Map([...of<Chan>("c").values()].map((chan) => [chan.id, chan]));
  return {
    states,
    chans,
    waiters: of("w"),
    deadlines: of("t"),
    pending: of("p"),
    demands: of("q"),
    requests: of("r"),
    values: of("v"),
    data: of("d"),
    meta,
  };
}

type Report = (problem: string) => void;

/** Whoever stands in the record of a channel, as one of the other waiters. */
function withSoles(records: Records, report: Report): Records {
  const waiters = new Map(records.waiters);
  for (const { id, sendq, recvq } of records.chans.values()) {
    for (const [side, { head, tail, count, sole }] of [["send", sendq] as const, ["recv", recvq] as const]) {
      if (sole === undefined || head === undefined) continue;
      if (tail !== undefined || count !== 1 || waiters.has(head)) report(`${id} ${side}: not alone`);
      waiters.set(head, { ...sole, chan: id, side });
    }
  }
  return { ...records, waiters };
}

const owns = (state: State | undefined, waiter: { readonly select: string }) =>
  state?.selects.find((select) => select.id === waiter.select);

function walk(records: Records, chan: Chan, side: "send" | "recv", report: Report): readonly Waiter[] {
  const queue: WaitQueue = side === "send" ? chan.sendq : chan.recvq;
  const found: Waiter[] = [];
  let prev: string | undefined;
  let key = queue.head;
  while (key !== undefined && found.length <= queue.count) {
    const waiter = records.waiters.get(key);
    if (!waiter) {
      report(`${chan.id} ${side}: link to a missing waiter`);
      return found;
    }
    if (waiter.prev !== prev) report(`${chan.id} ${side}: prev link broken`);
    if (waiter.chan !== chan.id || waiter.side !== side) report(`${chan.id} ${side}: waiter of another queue`);
    const before = found.at(-1);
    if (before && before.sinceMs > waiter.sinceMs) report(`${chan.id} ${side}: a later waiter stands first (D4)`);
    found.push(waiter);
    prev = key;
    key = waiter.next;
  }
  if (found.length !== queue.count) report(`${chan.id} ${side}: count ${queue.count}, linked ${found.length}`);
  if ((queue.sole ? queue.head : queue.tail) !== prev) report(`${chan.id} ${side}: tail is not the last waiter`);
  return found;
}

function checkChan(records: Records, chan: Chan, report: Report): number {
  const senders = walk(records, chan, "send", report);
  const receivers = walk(records, chan, "recv", report);
  const parties = new Set([...senders, ...receivers].map((waiter) => `${waiter.state}\0${waiter.select}`));
  if (senders.length > 0 && receivers.length > 0 && parties.size > 1)
    report(`${chan.id}: partners left unmatched (D3)`);
  if (chan.count > chan.buffer) report(`${chan.id}: ${chan.count} values in a buffer of ${chan.buffer}`);
  if (chan.count > 0 && receivers.length > 0) report(`${chan.id}: a receiver waits beside buffered values`);
  if (chan.count < chan.buffer && senders.length > 0) report(`${chan.id}: a sender waits beside room`);
  if (chan.closed && parties.size > 0) report(`${chan.id}: closed, and somebody waits`);
  if (chan.closed && !chan.explicit) report(`${chan.id}: closed but not explicit`);
  if (!chan.explicit && (parties.size === 0 || chan.buffer > 0))
    report(`${chan.id}: an implicit record without waiters`);
  for (let at = 0; at < chan.count; at += 1) {
    if (!records.values.has(keys.value(chan.id, chan.first + at))) report(`${chan.id}: value ${at} missing`);
  }
  return senders.length + receivers.length;
}

function checkUnresolved(records: Records, state: State, select: Select, report: Report): void {
  const name = `${state.id}/${select.id}`;
  const armed = (kind: Deadline["kind"], at: number) =>
    [...records.deadlines].filter(
      ([, one]) =>
        one.kind === kind && "case" in one && one.seq === select.seq && one.case === at && one.state === state.id,
    );
  select.cases.forEach((one, at) => {
    const waits = records.waiters.has(keys.waiter(select.seq, at));
    if (one.op === "default") report(`${name}: parked although it has a default`);
    else if (one.op === "time") {
      const found = armed("time", at);
      const due = found[0] && dueOf(found[0][0]);
      if (found.length !== 1 || due !== one.deadlineMs) report(`${name}: case ${at} is not armed for its deadline`);
    } else if (one.chan === null) {
      if (waits) report(`${name}: a nil case waits`);
    } else if (waits === armed("notBefore", at).length > 0) {
      report(`${name}: case ${at} must either wait or be armed for later`);
    }
  });
}

function checkWaiters(records: Records, report: Report): void {
  for (const [key, waiter] of records.waiters) {
    const select = owns(records.states.get(waiter.state), waiter);
    if (!select || select.result) report(`${waiter.state}/${waiter.select}: waits although resolved or gone (D2)`);
    else if (key !== keys.waiter(select.seq, waiter.case))
      report(`${waiter.state}/${waiter.select}: waiter of another seq`);
    const one = select?.cases[waiter.case];
    if (one?.op !== waiter.side || one.chan !== waiter.chan) report(`${waiter.chan}: waiter does not match its case`);
  }
}

function checkDeadline(records: Records, key: string, deadline: Deadline, report: Report): void {
  if (deadline.kind === "request") {
    if (!records.requests.has(deadline.key)) report(`deadline of a forgotten request`);
    return;
  }
  const state = records.states.get(deadline.state);
  const holds = () => {
    switch (deadline.kind) {
      case "lease":
        return state?.lock?.deadlineKey === key && state.lock.token === deadline.token;
      case "delay":
        return state?.delayed?.deadlineKey === key;
      case "retain":
        return state?.retainKey === key;
      case "time":
      case "notBefore": {
        const select = owns(state, deadline);
        return select !== undefined && !select.result && select.seq === deadline.seq;
      }
    }
  };
  if (!holds()) report(`${deadline.state}: a ${deadline.kind} deadline that nobody waits for`);
}

/** With whom it waits for a poll or for its callback has to survive a restart. */
function isPlaceOf({ id, callback }: State, record: PendingRecord | undefined): boolean {
  return record?.id === id && record.taker === (callback === undefined ? "poll" : "callback");
}

/** Status by the definitions of protocol section 1, from what else the record says. */
export function statusOf(state: Pick<State, "paused" | "lock" | "selects">): State["status"] {
  if (state.paused) return "paused";
  if (state.lock) return "running";
  if (state.selects.some((select) => select.result)) return "pending";
  return state.selects.length === 0 ? "done" : "waiting";
}

function checkState(records: Records, state: State, report: Report): void {
  const ids = new Set(state.selects.map((select) => select.id));
  if (ids.size !== state.selects.length) report(`${state.id}: two selects with one ID`);
  for (const select of state.selects) if (!select.result) checkUnresolved(records, state, select, report);
  for (const id of state.lock?.delivered ?? []) {
    if (!state.selects.find((select) => select.id === id)?.result)
      report(`${state.id}: ${id} delivered without result`);
  }
  if (state.anonymous) {
    if (state.selects.length !== 1 || state.selects[0]?.result) report(`${state.id}: an anonymous carrier left over`);
    const carrier = records.demands.get(keys.demand(state.anonymous.demand));
    if (carrier?.kind !== "select" || carrier.match !== state.id) report(`${state.id}: nobody waits for it`);
    return;
  }
  if (state.status !== statusOf(state)) report(`${state.id}: status ${state.status}, must be ${statusOf(state)}`);
  const indexed = state.pendingSeq !== undefined;
  if (indexed !== (state.status === "pending" && !state.delayed))
    report(`${state.id}: ${state.status}, index ${indexed}`);
  if (state.pendingSeq !== undefined && !isPlaceOf(state, records.pending.get(keys.pending(state.pendingSeq)))) {
    report(`${state.id}: its place in the pending index is taken or empty`);
  }
  const held: readonly (readonly [string, number | undefined] | undefined)[] = [
    state.lock && [state.lock.deadlineKey, state.lock.untilMs],
    state.delayed && [state.delayed.deadlineKey, state.delayed.untilMs],
    state.retainKey === undefined ? undefined : [state.retainKey, undefined],
  ];
  for (const one of held) {
    if (!one) continue;
    if (!records.deadlines.has(one[0])) report(`${state.id}: a deadline is not armed`);
    if (one[1] !== undefined && dueOf(one[0]) !== one[1]) report(`${state.id}: armed for another time`);
  }
  if ((state.status === "done") !== (state.retainKey !== undefined))
    report(`${state.id}: ${state.status}, retention wrong`);
}

/** Does `demand` take `state`? */
/** The engine keeps these for the metrics; here they are counted anew. */
function checkCounts({ meta, states, values }: Records, report: Report): void {
  const { sent, received, buffered } = meta?.values ?? { sent: 0, received: 0, buffered: 0 };
  if (buffered !== values.size) report(`${values.size} values are buffered, counted ${buffered}`);
  if (sent !== received + buffered) report(`${sent} values sent, ${received} received, ${buffered} buffered`);
  const counts: Record<string, number> = { waiting: 0, pending: 0, running: 0, done: 0, paused: 0 };
  for (const { status, anonymous } of states.values()) if (!anonymous) counts[status] = (counts[status] ?? 0) + 1;
  for (const [status, count] of Object.entries(meta?.counts ?? {})) {
    if (counts[status] !== count) report(`${counts[status]} states are ${status}, counted ${count}`);
  }
}

export function matches(demand: Demand, state: State): boolean {
  if (demand.kind === "select") return false;
  if (demand.kind === "callback") return state.callback !== undefined;
  if (state.callback) return false;
  return demand.kind === "state" ? state.id === demand.match : state.id.startsWith(demand.match);
}

/** @returns every broken invariant, in words; empty when all hold */
export function checkInvariants(stored: Records): readonly string[] {
  const problems: string[] = [];
  const report: Report = (problem) => problems.push(problem);
  const records = withSoles(stored, report);
  let linked = 0;
  let values = 0;
  let indexed = 0;
  for (const chan of records.chans.values()) {
    linked += checkChan(records, chan, report);
    values += chan.count;
  }
  if (linked !== records.waiters.size) report(`${records.waiters.size} waiters, ${linked} of them linked`);
  if (values !== records.values.size) report(`${records.values.size} buffered values, ${values} of them in a buffer`);
  checkCounts(records, report);
  checkWaiters(records, report);
  for (const [key, deadline] of records.deadlines) checkDeadline(records, key, deadline, report);
  for (const state of records.states.values()) {
    checkState(records, state, report);
    if (state.pendingSeq !== undefined) indexed += 1;
  }
  if (indexed !== records.pending.size) report(`${records.pending.size} pending records for ${indexed} pending states`);
  for (const demand of records.demands.values()) {
    const carries = demand.kind === "select";
    if (demand.holders.length === 0) report(`demand ${demand.seq}: nobody waits for it`);
    if (carries ? !records.states.get(demand.match)?.anonymous : demand.slots <= 0)
      report(`demand ${demand.seq}: idle`);
    for (const state of records.states.values()) {
      if (state.pendingSeq !== undefined && matches(demand, state))
        report(`${state.id}: pending beside a parked demand`);
    }
  }
  for (const [key, data] of records.data) {
    const state = records.states.get(key.slice(2));
    if (state === undefined) report(`data of a state that is gone`);
    if (state?.data !== undefined) report(`${state.id}: data in two places`);
    if ((data as Raw).length <= dataInStateMax) report(`${state?.id}: small data in a record of its own`);
  }
  return problems;
}
