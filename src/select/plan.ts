/**
 * What a put-back means for the selects a state has: which stay, which go, which are new.
 *
 * No result is ever lost or taken for processed unseen. Every rule is a sentence of protocol section 2.
 */

import { isSameJson } from "./json.js";
import { refuse } from "./refusal.js";
import { settleCase } from "./select.js";
import type { Refusal } from "./outcome.js";
import type { Case, CaseSpec, Raw, Select, SelectId, SelectSpec } from "./types.js";

export interface Plan {
  readonly ok: true;
  readonly kept: readonly Select[];
  /** Unresolved, to be taken out of every queue. */
  readonly cancelled: readonly Select[];
  readonly added: readonly SelectSpec[];
}

/** A state under a lock, as its holder puts it back. */
export interface Held {
  readonly selects: readonly Select[];
  readonly delivered: readonly SelectId[];
  /** A checkpoint: the delivered selects stay. */
  readonly hold: boolean;
  readonly cancel: readonly SelectId[];
  readonly nowMs: number;
}

/** Rules that hold for the new selects of any request. */
export function checkNew(specs: readonly SelectSpec[], selectsMax: number): Refusal | undefined {
  if (specs.length > selectsMax) return tooMany(selectsMax);
  const carrier = specs.find((spec) => spec.carriesResult);
  if (carrier) return badSelect(carrier.id, "is new and cannot carry a result");
  return checkShape(specs);
}

/** `PUT`: the body lists all selects that are to be there afterwards. */
export function planPut(specs: readonly SelectSpec[], held: Held): Plan | Refusal {
  const refusal = checkShape(specs) ?? checkCancel(held, new Set(specs.map((spec) => spec.id)));
  if (refusal) return refusal;
  const known = new Map(held.selects.map((select) => [select.id, select]));
  const added: SelectSpec[] = [];
  const unprocessed: SelectId[] = [];
  const changed = new Set<SelectId>();
  const delivered = new Set(held.delivered);
  for (const spec of specs) {
    const select = known.get(spec.id);
    if (select && delivered.has(spec.id) && !held.hold) {
      if (spec.carriesResult) unprocessed.push(spec.id);
      else added.push(spec);
    } else if (!select) {
      if (spec.carriesResult) return badSelect(spec.id, "is new and cannot carry a result");
      added.push(spec);
    } else if (!isUnchanged(select, spec, held.nowMs)) {
      if (select.result) return badSelect(spec.id, "has resolved and cannot be reused yet");
      changed.add(spec.id);
    }
  }
  if (unprocessed.length > 0) return notProcessed(unprocessed);
  const there = new Set([...specs.map((spec) => spec.id), ...held.cancel]);
  const dropped = held.selects.filter(({ id, result }) => !result && (changed.has(id) || !there.has(id)));
  if (dropped.length > 0) {
    const ids = dropped.map((select) => select.id);
    return refuse("select_dropped", `unresolved selects are missing or changed: ${ids.join(", ")}`, { Selects: ids });
  }
  return { ok: true, ...keep(held), added };
}

/** `PATCH`: processed selects go, all others stay, `Add` brings new ones. */
export function planPatch(specs: readonly SelectSpec[], held: Held): Plan | Refusal {
  const refusal = checkShape(specs) ?? checkCancel(held, new Set(specs.map((spec) => spec.id)));
  if (refusal) return refusal;
  const { kept, cancelled } = keep(held);
  const taken = new Set(kept.map((select) => select.id));
  const twice = specs.find((spec) => taken.has(spec.id));
  if (twice) return badSelect(twice.id, "is there already");
  const carriers = specs.filter((spec) => spec.carriesResult).map((spec) => spec.id);
  const unprocessed = carriers.filter((id) => held.delivered.includes(id));
  if (unprocessed.length > 0) return notProcessed(unprocessed);
  if (carriers[0] !== undefined) return badSelect(carriers[0], "is new and cannot carry a result");
  return { ok: true, kept, cancelled, added: specs };
}

export function tooMany(selectsMax: number): Refusal {
  return refuse("too_many", `a state has at most ${selectsMax} selects`);
}

/** Splits what is there: delivered selects go unless the lease is kept, cancelled ones go, the others stay. */
function keep({ selects, delivered, hold, cancel }: Held): Pick<Plan, "kept" | "cancelled"> {
  if (cancel.length === 0 && (hold || delivered.length === 0)) return { kept: selects, cancelled: [] };
  const withdrawn = new Set(cancel);
  const gone = new Set(hold ? cancel : [...cancel, ...delivered]);
  return {
    kept: selects.filter((select) => !gone.has(select.id)),
    cancelled: selects.filter((select) => withdrawn.has(select.id)),
  };
}

function checkShape(specs: readonly SelectSpec[]): Refusal | undefined {
  for (const spec of specs) {
    let defaults = 0;
    for (const one of spec.cases) if (one.op === "default") defaults += 1;
    if (defaults > 1) return badSelect(spec.id, "has more than one default");
  }
  if (specs.length < 2) return undefined;
  const seen = new Set<SelectId>();
  for (const { id } of specs) {
    if (seen.has(id)) return badSelect(id, "is listed twice");
    seen.add(id);
  }
  return undefined;
}

function checkCancel({ selects, cancel }: Held, listed: ReadonlySet<SelectId>): Refusal | undefined {
  for (const id of cancel) {
    const select = selects.find((one) => one.id === id);
    if (!select) return badSelect(id, "is cancelled but unknown");
    if (listed.has(id)) return badSelect(id, "is cancelled and listed");
    if (select.result) {
      return { ...refuse("already_resolved", `select ${id} resolved before it was cancelled`), result: select.result };
    }
  }
  return undefined;
}

function badSelect(id: SelectId, why: string): Refusal {
  return refuse("bad_request", `select ${id} ${why}`);
}

function notProcessed(ids: readonly SelectId[]): Refusal {
  return refuse("result_not_processed", `delivered results are still there: ${ids.join(", ")}`, { Selects: ids });
}

/** Whether `spec` describes the select as it stands: an echo, or the text that it was registered with. */
function isUnchanged(select: Select, spec: SelectSpec, nowMs: number): boolean {
  if (select.choice !== spec.choice || select.cases.length !== spec.cases.length) return false;
  return select.cases.every((one, at) => {
    const other = spec.cases[at];
    return other !== undefined && isSameCase(one, other, nowMs);
  });
}

function isSameCase(one: Case, spec: CaseSpec, nowMs: number): boolean {
  if (one.op === "time") return spec.op === "time" && isSameTime(one, spec, nowMs);
  if (one.op === "default") return spec.op === "default";
  if (spec.op !== one.op || spec.chan !== one.chan) return false;
  const other = settleCase(spec, nowMs);
  if (!("chan" in other) || other.notBeforeMs !== one.notBeforeMs) return false;
  return one.op !== "send" || (other.op === "send" && isSameData(one.data, other.data));
}

function isSameTime(
  { deadlineMs, form }: Extract<Case, { op: "time" }>,
  spec: Extract<CaseSpec, { op: "time" }>,
  nowMs: number,
): boolean {
  if (!("deadlineMs" in spec)) return form.kind === "after" && form.afterMs === spec.form.afterMs;
  const settled = settleCase(spec, nowMs);
  if (settled.op === "time" && settled.deadlineMs === deadlineMs) return true;
  return form.kind === "chan" && spec.form.kind === "chan" && form.chan === spec.form.chan;
}

const nullText = Uint8Array.of(0x6e, 0x75, 0x6c, 0x6c);

/** Omitted data is JSON null. */
function isSameData(one: Raw = nullText, other: Raw = nullText): boolean {
  return isSameJson(one, other);
}
