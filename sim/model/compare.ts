/**
 * Compares the naive model with the records of the engine, member by member.
 */
import { isDeepStrictEqual } from "node:util";
import { waitersIn } from "../../src/select/chan.js";
import { dataOf } from "../../src/select/data.js";
import { dueOf, keys } from "../../src/select/keys.js";
import type { Chan, Deadline, Raw, Select, State } from "../../src/select/types.js";
import type { Records } from "./invariants.js";
import { canon, sameResult } from "./verdict.js";
import { textOf, type ModelDeadline, type ModelSelect, type ModelState, type World } from "./world.js";

type Report = (problem: string) => void;

interface Both {
  readonly records: Records;
  readonly world: World;
  /** Engine → model, for anonymous states. */
  readonly names: ReadonlyMap<string, string>;
}

function same(report: Report, what: string, engine: unknown, model: unknown): void {
  if (engine === model || isDeepStrictEqual(engine, model)) return;
  const [left, right] = [canon(engine ?? null), canon(model ?? null)];
  if (left !== right) report(`${what}: engine ${left}, model ${right}`);
}

/** Anonymous states have names of their own on each side; the demand that carries one tells who waits. */
export function modelNames(world: World, records: Records): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const state of records.states.values()) {
    if (!state.anonymous) continue;
    const holders = canon(records.demands.get(keys.demand(state.anonymous.demand))?.holders);
    const found = [...world.states.values()].find((one) => one.anonymous && canon(one.anonymous.holders) === holders);
    if (found) names.set(state.id, found.id);
  }
  return names;
}

function compareSelect(engine: Select, model: ModelSelect, where: string, report: Report): void {
  same(report, `${where} choice`, engine.choice, model.choice);
  same(report, `${where} cases`, engine.cases, model.cases);
  const agree =
    model.result && engine.result ? sameResult(model.result, engine.result) : !model.result === !engine.result;
  if (!agree) report(`${where}: engine ${canon(engine.result ?? null)}, model ${canon(model.result ?? null)}`);
}

function compareState(records: Records, engine: State, model: ModelState, report: Report): void {
  const check = (what: string, left: unknown, right: unknown) => same(report, `${model.id} ${what}`, left, right);
  if (!model.anonymous)
    check("selects", engine.selects.map(({ id }) => id).sort(), model.selects.map(({ id }) => id).sort());
  for (const select of engine.selects) {
    const other = model.selects.find((one) => model.anonymous || one.id === select.id);
    if (other) compareSelect(select, other, `${model.id}/${select.id}`, report);
  }
  if (model.anonymous) return;
  check("version", engine.version, model.version);
  check("attempt", engine.attempt, model.attempt);
  check("callback", engine.callback?.uri, model.callback);
  check("vars", textOf(engine.vars), model.vars);
  check("data", textOf(dataOf(records.data, engine)), model.data);
  check("paused", engine.paused?.reason, model.paused);
  check("delayed", engine.delayed?.untilMs, model.delayedUntilMs);
  check("last details", textOf(engine.lastDetails), model.lastDetails);
  check("last error", engine.lastError, model.lastError);
  check("created", engine.createdAtMs, model.createdAtMs);
  check("updated", engine.updatedAtMs, model.updatedAtMs);
  check("token", engine.lock?.token, model.lock?.token);
  check("lease end", engine.lock?.untilMs, model.lock?.untilMs);
  check("lease", engine.lock?.leaseMs, model.lock?.leaseMs);
  check("details", textOf(engine.lock?.details), model.lock?.details);
  check("delivered", engine.lock && [...engine.lock.delivered].sort(), model.lock && [...model.lock.delivered].sort());
}

/** The select of an anonymous state has no name that the documents know. */
function nameSelect(
  names: ReadonlyMap<string, string>,
  one: { readonly state: string; readonly select: string },
): string {
  return names.get(one.state) ?? `${one.state}/${one.select}`;
}

function nameModelSelect(state: ModelState, select: ModelSelect): string {
  return state.anonymous ? state.id : `${state.id}/${select.id}`;
}

/** Waiters in queue order. */
function compareQueue(both: Both, engine: Chan, side: "send" | "recv", report: Report): void {
  const { records, world, names } = both;
  const found: string[] = [];
  for (const waiter of waitersIn(engine, side, (key) => records.waiters.get(key)))
    found.push(`${nameSelect(names, waiter)} ${waiter.case}`);
  const expected = world.parked
    .filter((one) => one.chan === engine.id && one.side === side)
    .map(({ state, select, case: at }) => `${nameModelSelect(state, select)} ${at}`);
  same(report, `${engine.id} ${side} queue`, found, expected);
}

function compareChan(both: Both, engine: Chan, report: Report): void {
  const { records } = both;
  const model = both.world.chan(engine.id);
  const values = Array.from({ length: engine.count }, (_, at) => {
    const value = records.values.get(keys.value(engine.id, engine.first + at)) as { readonly data?: Raw } | undefined;
    return textOf(value?.data) ?? null;
  });
  same(report, `${engine.id} explicit`, engine.explicit, model.explicit);
  same(report, `${engine.id} buffer`, engine.buffer, model.buffer);
  same(
    report,
    `${engine.id} values`,
    values,
    model.values.map((value) => value ?? null),
  );
  same(report, `${engine.id} closed`, engine.closed !== undefined, model.closed !== undefined);
  same(report, `${engine.id} close value`, textOf(engine.closed?.value), model.closed?.value);
  compareQueue(both, engine, "send", report);
  compareQueue(both, engine, "recv", report);
}

function nameDeadline(dueMs: number, one: Deadline, names: ReadonlyMap<string, string>): string {
  if (one.kind === "request") return `${dueMs} request ${one.key}`;
  return "case" in one
    ? `${dueMs} ${one.kind} ${nameSelect(names, one)} ${one.case}`
    : `${dueMs} ${one.kind} ${one.state}`;
}

function nameModelDeadline({ dueMs, kind, state, select, case: at, memory }: ModelDeadline): string {
  if (kind === "request") return `${dueMs} request ${memory}`;
  return select && state ? `${dueMs} ${kind} ${nameModelSelect(state, select)} ${at}` : `${dueMs} ${kind} ${state?.id}`;
}

/** The model's deadline behind an engine key; undefined when there is none (any more). */
export function findDeadline(
  world: World,
  records: Records,
  names: ReadonlyMap<string, string>,
  key: string,
): ModelDeadline | undefined {
  const record = records.deadlines.get(key);
  if (!record) return undefined;
  const name = nameDeadline(dueOf(key), record, names);
  return world.deadlines.find((one) => nameModelDeadline(one) === name);
}

function compareDemands(records: Records, world: World, report: Report): void {
  const engine = [...records.demands.values()]
    .filter((one) => one.kind !== "select")
    .map(({ kind, match, slots, leaseMs, holders }) => ({
      kind,
      match: kind === "callback" ? "" : match,
      slots,
      leaseMs,
      holders,
    }));
  const model = world.demands.map(({ kind, match, slots, leaseMs, holders }) => ({
    kind,
    match: kind === "callback" ? "" : match,
    slots,
    leaseMs,
    holders,
  }));
  same(report, "demands", engine, model);
}

/**
 * @param skips tells states that need no look because nothing touched them since they were compared
 * @returns every difference, in words
 */
export function compareRecords(
  world: World,
  records: Records,
  skips: (engine: State) => boolean = () => false,
): readonly string[] {
  const problems: string[] = [];
  const report: Report = (problem) => problems.push(problem);
  const names = modelNames(world, records);
  const ids = [...records.states.keys()].map((id) => names.get(id) ?? id);
  same(report, "states", ids.sort(), [...world.states.keys()].sort());
  for (const state of records.states.values()) {
    const model = world.states.get(names.get(state.id) ?? state.id);
    if (model && !(skips(state) && !world.touched.has(model))) compareState(records, state, model, report);
  }
  const used = new Set([...world.chans.keys(), ...world.parked.map((one) => one.chan)]);
  same(report, "channels", [...records.chans.keys()].sort(), [...used].sort());
  for (const chan of records.chans.values()) compareChan({ records, world, names }, chan, report);
  const armed = [...records.deadlines].map(([key, one]) => nameDeadline(dueOf(key), one, names));
  same(report, "deadlines", armed.sort(), world.deadlines.map(nameModelDeadline).sort());
  compareDemands(records, world, report);
  same(report, "requests", records.requests.size, world.memory.size);
  return problems;
}
