/**
 * The naive model's channels and selects: plain arrays, searched from the front, nothing indexed.
 *
 * It follows semantics C.3 row by row and knows nothing of the engine. Where Go chooses freely the model asks
 * {@link World.choose}, which answers with the engine's choice after checking that Go allows it.
 */
import type { Case, Choice, Deadline, Ref, Settings } from "../../src/select/types.js";

export type Value = string | undefined;

export interface ModelResult {
  readonly case: number;
  readonly op: Case["op"];
  readonly ok: boolean;
  readonly data?: Value;
  readonly closed?: true;
  readonly error?: "closed";
  readonly atMs: number;
  readonly index: number;
}

export interface ModelSelect {
  readonly id: string;
  readonly choice: Choice;
  readonly cases: readonly Case[];
  result?: ModelResult;
}

export interface ModelState {
  readonly id: string;
  selects: ModelSelect[];
  version: number;
  attempt: number;
  lock?: { token: string; untilMs: number; leaseMs: number; delivered: Set<string>; details?: Value };
  paused?: string;
  delayedUntilMs?: number;
  callback?: string | undefined;
  data?: Value;
  vars?: Value;
  lastDetails?: Value;
  lastError?: string | undefined;
  readonly createdAtMs: number;
  updatedAtMs: number;
  /** Index of the entry at which it began to wait for a hand-out. */
  pendingSince?: number | undefined;
  retainUntilMs?: number | undefined;
  lastPut?: { readonly lock: string; readonly digest: string; readonly answer: string };
  /** Who waits for a plain request, and where its answer is to be remembered. */
  anonymous?: { holders: Ref[]; readonly memory?: string };
}

export interface ModelChan {
  explicit: boolean;
  buffer: number;
  values: Value[];
  closed?: { readonly value: Value };
}

/** A parked case. */
interface Parked {
  readonly state: ModelState;
  readonly select: ModelSelect;
  readonly case: number;
  readonly chan: string;
  readonly side: "send" | "recv";
}

/** Due at a log time; for a case also which one. */
export interface ModelDeadline {
  readonly kind: Deadline["kind"];
  readonly dueMs: number;
  readonly state?: ModelState;
  readonly select?: ModelSelect;
  readonly case?: number;
  readonly memory?: string;
}

export interface ModelDemand {
  readonly kind: "poll" | "callback" | "state";
  readonly match: string;
  slots: number;
  readonly leaseMs: number;
  holders: Ref[];
  readonly memory?: string;
  /** What the PUT answers when its wait ends. */
  readonly otherwise?: string;
}

export class ModelError extends Error {
  override readonly name = "ModelError";
}

/** The engine did something that the documents do not allow. */
export function demand(condition: unknown, why: string): asserts condition {
  if (!condition) throw new ModelError(why);
}

/** Which case of a select the engine let win in this entry. */
export type Oracle = (state: ModelState, select: ModelSelect) => number | undefined;

export class World {
  nowMs = 0;
  index = 0;
  settings: Settings | undefined;
  readonly states = new Map<string, ModelState>();
  readonly chans = new Map<string, ModelChan>();
  parked: Parked[] = [];
  deadlines: ModelDeadline[] = [];
  demands: ModelDemand[] = [];
  /** Remembered answers; `undefined` while the first request waits. */
  readonly memory = new Map<string, string | undefined>();
  /** States touched by this entry in a way that counts. */
  touched = new Set<ModelState>();
  /** Plain requests that resolved in this entry while parked. */
  answered: { readonly state: ModelState; readonly result: ModelResult }[] = [];
  #oracle: Oracle = () => undefined;

  begin(entry: { readonly index: number; readonly nowMs: number }, oracle: Oracle): void {
    this.index = entry.index;
    this.nowMs = entry.nowMs;
    this.touched = new Set();
    this.answered = [];
    this.#oracle = oracle;
  }

  /** The engine's pick for `select`, which must be among `allowed`. */
  choose(state: ModelState, select: ModelSelect, allowed: readonly number[]): number {
    const only = allowed[0];
    if (only !== undefined && allowed.length === 1) return only;
    const pick = this.#oracle(state, select);
    demand(
      pick !== undefined && allowed.includes(pick),
      `${state.id}/${select.id}: took case ${pick}, allowed are ${allowed.join()}`,
    );
    return pick;
  }

  /** The oldest waiter on one side of a channel that belongs to another select (row 1: log index, then case position). */
  #oldest(chan: string, side: "send" | "recv", not: ModelSelect | undefined): Parked | undefined {
    return this.parked.find((one) => one.chan === chan && one.side === side && one.select !== not);
  }

  chan(id: string): ModelChan {
    return this.chans.get(id) ?? { explicit: false, buffer: 0, values: [] };
  }

  #ready(select: ModelSelect, at: number): boolean {
    const one = select.cases[at];
    demand(one, "no such case");
    if (one.op === "default") return false;
    if (one.op === "time") return one.deadlineMs <= this.nowMs;
    if (one.chan === null || this.#later(one)) return false;
    const { closed, values, buffer } = this.chan(one.chan);
    if (closed) return true;
    const other = one.op === "send" ? "recv" : "send";
    const partner = this.parked.some((p) => p.chan === one.chan && p.side === other && p.select !== select);
    return partner || (one.op === "send" ? values.length < buffer : values.length > 0);
  }

  #later(one: Case): boolean {
    return (one.op === "recv" || one.op === "send") && one.notBeforeMs !== undefined && one.notBeforeMs > this.nowMs;
  }

  /** Go's select: a ready case, else the default, else wait on all of them. */
  register(state: ModelState, select: ModelSelect): void {
    this.touched.add(state);
    const ready = select.cases.flatMap((_, at) => (this.#ready(select, at) ? [at] : []));
    const first = ready[0];
    if (first !== undefined) {
      this.#run(state, select, select.choice === "order" ? first : this.choose(state, select, ready));
      return;
    }
    const otherwise = select.cases.findIndex((one) => one.op === "default");
    if (otherwise >= 0) this.#resolve(state, select, otherwise, { ok: true });
    else select.cases.forEach((_, at) => this.#park(state, select, at));
  }

  #park(state: ModelState, select: ModelSelect, at: number): void {
    const one = select.cases[at];
    demand(one && one.op !== "default", "a default never parks");
    if (one.op === "time") this.deadlines.push({ kind: "time", dueMs: one.deadlineMs, state, select, case: at });
    else if (one.chan === null) return;
    else if (this.#later(one)) {
      this.deadlines.push({ kind: "notBefore", dueMs: one.notBeforeMs ?? 0, state, select, case: at });
    } else this.parked.push({ state, select, case: at, chan: one.chan, side: one.op });
  }

  #run(state: ModelState, select: ModelSelect, at: number): void {
    const one = select.cases[at];
    demand(one && one.op !== "default", "a default never runs like this");
    if (one.op === "time") this.#resolve(state, select, at, { ok: true });
    else {
      demand(one.chan !== null, "a nil case never runs");
      if (one.op === "send") this.#send(state, select, at, { chan: one.chan, value: textOf(one.data) });
      else this.#receive(state, select, at, one.chan);
    }
  }

  #send(state: ModelState, select: ModelSelect, at: number, what: { chan: string; value: Value }): void {
    const chan = this.chan(what.chan);
    if (chan.closed) {
      this.#resolve(state, select, at, { ok: false, error: "closed" });
      return;
    }
    const partner = this.#oldest(what.chan, "recv", select);
    this.#resolve(state, select, at, { ok: true });
    if (partner) this.#resolve(partner.state, partner.select, partner.case, { ok: true, data: what.value });
    else chan.values.push(what.value);
  }

  #receive(state: ModelState, select: ModelSelect, at: number, id: string): void {
    const chan = this.chan(id);
    const sender = this.#oldest(id, "send", select);
    if (chan.closed && chan.values.length === 0) {
      this.#resolve(state, select, at, { ok: false, closed: true, data: chan.closed.value });
      return;
    }
    const sent = sender?.select.cases[sender.case];
    if (sender && sent?.op === "send") {
      chan.values.push(textOf(sent.data));
      this.#resolve(sender.state, sender.select, sender.case, { ok: true });
    }
    this.#resolve(state, select, at, { ok: true, data: chan.values.shift() });
  }

  #resolve(
    state: ModelState,
    select: ModelSelect,
    at: number,
    how: Pick<ModelResult, "ok" | "data" | "closed" | "error">,
  ): void {
    const op = select.cases[at]?.op;
    demand(op && !select.result, `${state.id}/${select.id} resolves twice`);
    select.result = { case: at, op, ...how, atMs: this.nowMs, index: this.index };
    this.forget(select);
    this.touched.add(state);
    if (!state.anonymous) return;
    this.states.delete(state.id);
    this.answered.push({ state, result: select.result });
  }

  /** The select leaves every queue and every clock. */
  forget(select: ModelSelect): void {
    this.parked = this.parked.filter((one) => one.select !== select);
    this.deadlines = this.deadlines.filter((one) => one.select !== select);
  }

  disarm(state: ModelState, kind: Deadline["kind"]): void {
    this.deadlines = this.deadlines.filter((one) => one.state !== state || one.kind !== kind);
  }

  /** A time case is due, or a case may take part from now on. */
  fire(deadline: ModelDeadline): void {
    const { state, select, case: at } = deadline;
    demand(state && select && at !== undefined, "only cases fire");
    this.deadlines = this.deadlines.filter((one) => one !== deadline);
    if (this.#ready(select, at)) this.#run(state, select, at);
    else this.#park(state, select, at);
  }

  /** Receivers first, then senders (M5). @returns false when it was closed already */
  close(id: string, value: Value): boolean {
    const chan = this.chan(id);
    if (chan.closed) return false;
    for (;;) {
      const receiver = this.#oldest(id, "recv", undefined);
      if (!receiver) break;
      this.#resolve(receiver.state, receiver.select, receiver.case, { ok: false, closed: true, data: value });
    }
    for (;;) {
      const sender = this.#oldest(id, "send", undefined);
      if (!sender) break;
      this.#resolve(sender.state, sender.select, sender.case, { ok: false, error: "closed" });
    }
    this.chans.set(id, { ...chan, explicit: true, closed: { value } });
    return true;
  }
}

export function textOf(raw: Uint8Array | undefined): Value {
  return raw === undefined ? undefined : Buffer.from(raw).toString();
}
