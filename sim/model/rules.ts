/**
 * Protocol section 2 for the naive model: which refusals a PUT or PATCH deserves. Where the documents do not order two
 * objections, either is a right answer, so the result is a set.
 */
import type { ErrorCode } from "../../src/errors.js";
import type { CloseSpec, MakeSpec, PatchCommand, PutCommand } from "../../src/select/command.js";
import type { Case, CaseSpec, SelectSpec } from "../../src/select/types.js";
import { textOf, type ModelSelect, type ModelState, type World } from "./world.js";

/** Codes of everything that is wrong with a request; empty: it must be accepted. */
export type Objections = Set<ErrorCode>;

/** The case as it is stored: `after` counts from the stamp of the entry. */
export function settle(spec: CaseSpec, nowMs: number): Case {
  if (spec.op !== "time") return spec;
  return spec.form.kind === "after"
    ? { op: "time", form: spec.form, deadlineMs: nowMs + spec.form.afterMs }
    : { op: "time", form: spec.form, deadlineMs: (spec as { readonly deadlineMs: number }).deadlineMs };
}

function sameCase(one: Case, spec: CaseSpec | undefined): boolean {
  if (one.op !== spec?.op) return false;
  if (one.op === "time" && spec.op === "time") {
    if (spec.form.kind === "after") return one.form.kind === "after" && one.form.afterMs === spec.form.afterMs;
    return one.deadlineMs === (spec as { readonly deadlineMs: number }).deadlineMs;
  }
  if (one.op === "recv" && spec.op === "recv") return one.chan === spec.chan && one.notBeforeMs === spec.notBeforeMs;
  if (one.op === "send" && spec.op === "send") {
    const data = (textOf(one.data) ?? "null") === (textOf(spec.data) ?? "null");
    return data && one.chan === spec.chan && one.notBeforeMs === spec.notBeforeMs;
  }
  return true;
}

export function unchanged(select: ModelSelect, spec: SelectSpec): boolean {
  const equal = select.cases.every((one, at) => sameCase(one, spec.cases[at]));
  return equal && select.cases.length === spec.cases.length && select.choice === spec.choice;
}

function objectToShape(specs: readonly SelectSpec[], objections: Objections): void {
  const ids = new Set(specs.map((spec) => spec.id));
  if (ids.size !== specs.length) objections.add("bad_request");
  for (const spec of specs) {
    if (spec.cases.filter((one) => one.op === "default").length > 1) objections.add("bad_request");
  }
}

/** What Make and Close would meet, in their order, without doing anything; cancelled selects wait no more. */
function objectToChans(
  world: World,
  command: { readonly make?: readonly MakeSpec[]; readonly close?: readonly CloseSpec[] },
  cancelled: readonly ModelSelect[],
  found: Objections,
): void {
  const made = new Map<string, number>();
  for (const { chan, buffer } of command.make ?? []) {
    const before = made.get(chan);
    const objection = before === undefined ? objectToMake(world, { chan, buffer }, cancelled) : undefined;
    if (objection) found.add(objection);
    if (before !== undefined && before !== buffer) found.add("exists");
    made.set(chan, buffer);
  }
  const closed = new Set<string>();
  for (const { chan } of command.close ?? []) {
    if (closed.has(chan) || world.chan(chan).closed) found.add("closed");
    closed.add(chan);
  }
}

export function objectToMake(
  world: World,
  make: MakeSpec,
  cancelled: readonly ModelSelect[] = [],
): ErrorCode | undefined {
  const chan = world.chan(make.chan);
  if (chan.closed) return "closed";
  const waits = world.parked.some((one) => one.chan === make.chan && !cancelled.includes(one.select));
  return waits || (chan.explicit && chan.buffer !== make.buffer) ? "exists" : undefined;
}

/** Where a state stands towards the token a request came with. */
export function objectToLock(state: ModelState, token: string | undefined, nowMs: number): Objections {
  const held = state.lock && state.lock.token === token && nowMs <= state.lock.untilMs;
  return new Set(held ? [] : ["lock_error"]);
}

function objectToCancel(state: ModelState, command: PutCommand | PatchCommand, found: Objections): void {
  const listed = command.kind === "put" ? command.selects : (command.add ?? []);
  for (const id of command.cancel ?? []) {
    const select = state.selects.find((one) => one.id === id);
    if (!select || listed.some((spec) => spec.id === id)) found.add("bad_request");
    if (select?.result) found.add("already_resolved");
  }
}

function objectToListed(state: ModelState, command: PutCommand, found: Objections): void {
  const delivered = (id: string) => state.lock?.delivered.has(id) === true;
  const isNew = (id: string) => !state.selects.some((select) => select.id === id);
  if (command.selects.some(({ id, carriesResult }) => carriesResult && isNew(id))) found.add("bad_request");
  for (const select of state.selects) {
    const spec = command.selects.find((one) => one.id === select.id);
    if (command.hold && delivered(select.id)) continue;
    if (delivered(select.id)) {
      if (spec?.carriesResult) found.add("result_not_processed");
    } else if (select.result) {
      if (spec && !unchanged(select, spec)) found.add("bad_request");
    } else if (!spec) {
      if (!command.cancel?.includes(select.id)) found.add("select_dropped");
    } else if (!unchanged(select, spec)) found.add("bad_request").add("select_dropped");
  }
}

/** Everything wrong with `command` on `state` (absent: it does not exist), whatever the order of the checks. */
export function objectTo(world: World, command: PutCommand | PatchCommand, state: ModelState | undefined): Objections {
  const found: Objections = new Set();
  const listed = command.kind === "put" ? command.selects : (command.add ?? []);
  const cancelled = state?.selects.filter((select) => command.cancel?.includes(select.id)) ?? [];
  objectToShape(listed, found);
  objectToChans(world, command, cancelled, found);
  for (const spawn of command.spawn ?? []) objectToShape(spawn.selects, found);
  const taken = (command.spawn ?? []).filter(
    (spawn, at, all) =>
      spawn.id === command.id || world.states.has(spawn.id) || all.findIndex((one) => one.id === spawn.id) < at,
  );
  if (command.strict && taken.length > 0) found.add("exists");
  if (!state) {
    if (listed.some(({ carriesResult }) => carriesResult)) found.add("bad_request");
    if (command.kind === "patch" || command.lock !== undefined) found.add("not_found");
    if (command.hold || (command.cancel && command.cancel.length > 0)) found.add("bad_request");
    if (command.ifVersion !== undefined) found.add("version_mismatch");
    return found;
  }
  if (command.ifVersion !== undefined && command.ifVersion !== state.version) found.add("version_mismatch");
  for (const code of objectToLock(state, command.lock, world.nowMs)) found.add(code);
  objectToCancel(state, command, found);
  if (command.kind === "put") objectToListed(state, command, found);
  else objectToAdded(state, command, found);
  return found;
}

function objectToAdded(state: ModelState, command: PatchCommand, found: Objections): void {
  for (const spec of command.add ?? []) {
    const select = state.selects.find((one) => one.id === spec.id);
    const processed = select?.result && state.lock?.delivered.has(spec.id) && !command.hold;
    if (select && !processed) found.add("bad_request");
    if (processed && spec.carriesResult) found.add("result_not_processed");
  }
}
