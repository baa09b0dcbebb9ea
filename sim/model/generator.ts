/**
 * Random commands for the select engine, one per step: few names, so that everything meets everything.
 *
 * A step is a number. The command it stands for depends on it and on what the model holds at that moment, so a sequence
 * stays meaningful when steps are removed from it.
 */
import type { Command, Extras, PatchCommand, PutCommand, SpawnSpec } from "../../src/select/command.js";
import { dataInStateMax } from "../../src/select/data.js";
import type { CaseSpec, Raw, Ref, SelectSpec } from "../../src/select/types.js";
import type { Random } from "../random.js";
import { digestOf, optional, respell } from "./spelling.js";
import type { ModelState, World } from "./world.js";

/** What a command may refer to. */
export interface Context {
  readonly world: World;
  readonly random: Random;
  readonly nowMs: number;
  /** Index of the entry the command will be: makes values and refs unique. */
  readonly index: number;
  /** Tokens of leases, the current ones included. */
  readonly tokens: readonly string[];
  /** Keys of armed deadlines, due or not, stale ones included. */
  readonly deadlines: readonly string[];
}

const ids = ["a", "ab", "b", "c", "d"] as const;
const chans = ["x", "y", "z"] as const;
const delays = [0, 1, 10, 1_000, 5_000, 40_000] as const;

const raw = (text: string): Raw => new Uint8Array(Buffer.from(text));

function refOf({ random, index }: Context): Ref {
  return { node: random.of(["n1", "n2"]), epoch: random.of([1, 2]), seq: index };
}

function chanOf({ random }: Context): string | null {
  return random.chance(0.04) ? null : random.of(chans);
}

/** @param favourite the channel that half of the cases of one select use, so that it meets itself if it can */
function caseOf(context: Context, name: string, favourite: string): CaseSpec {
  const { random, nowMs } = context;
  const later = random.chance(0.2) ? { notBeforeMs: nowMs + random.of(delays) - 5 } : {};
  const dice = random.next();
  const chan = random.chance(0.5) ? favourite : chanOf(context);
  if (dice < 0.38) return { op: "recv", chan, ...later };
  if (dice < 0.78) {
    return { op: "send", chan, ...(random.chance(0.95) ? { data: raw(`"${name}"`) } : {}), ...later };
  }
  if (dice < 0.86) return { op: "time", form: { kind: "after", afterMs: random.of(delays) } };
  if (dice < 0.9) {
    const deadlineMs = nowMs + random.of(delays) - random.of([0, 0, 2_000]);
    return random.chance(0.5)
      ? { op: "time", form: { kind: "at" }, deadlineMs }
      : { op: "time", form: { kind: "chan", chan: String(deadlineMs / 1000) }, deadlineMs };
  }
  return { op: "default" };
}

function casesOf(context: Context, name: string): readonly CaseSpec[] {
  const count = context.random.of([0, 1, 1, 1, 2, 2, 2, 3, 4]);
  const favourite = context.random.of(chans);
  const cases = Array.from({ length: count }, (_, at) => caseOf(context, `${name}.${at}`, favourite));
  const first = cases.findIndex((one) => one.op === "default");
  return cases.filter((one, at) => one.op !== "default" || at === first);
}

function selectOf(context: Context, id: string, name: string): SelectSpec {
  const choice = context.random.chance(0.3) ? "order" : "random";
  return { id, choice, cases: casesOf(context, `${context.index}.${name}`) };
}

function newSelects(context: Context, taken: readonly string[], name = "s"): readonly SelectSpec[] {
  const count = context.random.of([0, 1, 1, 1, 2, 3]);
  const free = ["1", "2", "3", "4", "5"].filter((id) => !taken.includes(id));
  return free.slice(0, count).map((id) => selectOf(context, id, `${name}${id}`));
}

function spawnOf(context: Context, at: number): SpawnSpec {
  const { random } = context;
  return {
    id: random.of(ids),
    ...(random.chance(0.3) ? { data: raw(`{"spawned":${at}}`) } : {}),
    ...(random.chance(0.1) ? { callback: { type: 1, uri: "http://x" } } : {}),
    selects: newSelects(context, [], `p${at}.`),
  };
}

function extrasOf(context: Context): Extras {
  const { random } = context;
  const some = <T>(p: number, make: () => T): readonly T[] | undefined => (random.chance(p) ? [make()] : undefined);
  return {
    ...optional(
      "make",
      some(0.08, () => ({ chan: random.of(chans), buffer: random.below(3) })),
    ),
    ...optional(
      "close",
      some(0.06, () => ({ chan: random.of(chans), ...(random.chance(0.3) ? { value: raw(`"closed"`) } : {}) })),
    ),
    ...optional(
      "spawn",
      random.chance(0.12) ? Array.from({ length: 1 + random.below(2) }, (_, at) => spawnOf(context, at)) : undefined,
    ),
    ...(random.chance(0.05) ? { strict: true } : {}),
  };
}

/** Of either size: it stands in different places. */
function someData(random: Random): Raw {
  const text = random.chance(0.3) ? "x".repeat(dataInStateMax) : "";
  return raw(`{"n":${random.below(100)},"text":"${text}"}`);
}

function bodyOf({ random }: Context) {
  return {
    ...(random.chance(0.3) ? { data: someData(random) } : {}),
    ...(random.chance(0.1) ? { vars: raw(`{"v":${random.below(9)}}`) } : {}),
    ...(random.chance(0.12) ? { callback: { type: 1 as const, uri: "http://x" } } : {}),
  };
}

export function mutationOf({ random }: Context, state?: ModelState) {
  return {
    ...(random.chance(0.08) ? { requestId: random.of(["r1", "r2", "r3"]) } : {}),
    ...(state && random.chance(0.04) ? { ifVersion: state.version - random.of([0, 0, 1]) } : {}),
  };
}

/** Mostly the lease in force; sometimes an old one, another state's, or none. */
export function lockOf({ random, tokens }: Context, state: ModelState | undefined) {
  const dice = random.next();
  if (state?.lock && dice < 0.85) return { lock: state.lock.token };
  if (dice < 0.9) return {};
  return { lock: random.any(tokens) ?? "never" };
}

export function stateOf({ random, world }: Context, wanted: (state: ModelState) => boolean): ModelState | undefined {
  const visible = [...world.states.values()].filter((state) => !state.anonymous);
  return (random.chance(0.9) ? random.any(visible.filter(wanted)) : undefined) ?? random.any(visible);
}

function waitOf(context: Context) {
  return context.random.chance(0.25)
    ? { wait: { ref: refOf(context), leaseMs: context.random.of([1_000, 30_000]) } }
    : {};
}

export function createOf(context: Context): PutCommand {
  const body = { ...bodyOf(context), ...extrasOf(context), selects: newSelects(context, []) };
  const free = ids.filter((id) => !context.world.states.has(id));
  const id = (context.random.chance(0.8) ? context.random.any(free) : undefined) ?? context.random.of(ids);
  return { kind: "put", id, ...mutationOf(context), ...body, digest: digestOf(body), ...waitOf(context) };
}

/** Selects to cancel: now and then, any of the state, or one that is not there. */
function cancelOf({ random }: Context, state: ModelState | undefined): readonly string[] {
  const candidates = state?.selects.filter((select) => !state.lock?.delivered.has(select.id)) ?? [];
  return candidates
    .flatMap((select) => (random.chance(0.08) ? [select.id] : []))
    .concat(random.chance(0.01) ? ["9"] : []);
}

export function putBackOf(context: Context): PutCommand {
  const { random } = context;
  const state = stateOf(context, (one) => one.lock !== undefined);
  const cancel = cancelOf(context, state);
  const kept = (state?.selects ?? []).flatMap((select): SelectSpec[] => {
    const delivered = state?.lock?.delivered.has(select.id) === true;
    if (delivered && !random.chance(0.02)) return [];
    if (cancel.includes(select.id) || random.chance(0.03)) return [];
    const again = respell(select, random.chance(0.3));
    return [delivered ? { ...again, carriesResult: true } : again];
  });
  const hold = random.chance(0.12);
  const undelivered = (state?.selects ?? []).filter((one) => hold || !state?.lock?.delivered.has(one.id));
  const taken = [...kept, ...undelivered].map(({ id }) => id);
  const selects = [...kept, ...newSelects(context, taken)];
  const body = {
    ...bodyOf(context),
    ...extrasOf(context),
    ...(hold ? { hold: true } : {}),
    ...(cancel.length > 0 ? { cancel } : {}),
    selects,
  };
  const id = state?.id ?? random.of(ids);
  const head = { kind: "put" as const, id, ...mutationOf(context, state), ...lockOf(context, state) };
  return { ...head, ...body, digest: digestOf(body), ...waitOf(context) };
}

export function patchOf(context: Context): PatchCommand {
  const { random } = context;
  const state = stateOf(context, (one) => one.lock !== undefined);
  const cancel = cancelOf(context, state);
  const hold = random.chance(0.12);
  const taken = (state?.selects ?? []).filter((one) => hold || !state?.lock?.delivered.has(one.id)).map(({ id }) => id);
  const body = {
    ...bodyOf(context),
    ...(random.chance(0.05) ? { data: null, vars: null, callback: null } : {}),
    ...extrasOf(context),
    ...(hold ? { hold: true } : {}),
    ...(cancel.length > 0 ? { cancel } : {}),
    add: newSelects(context, random.chance(0.02) ? [] : taken),
  };
  const id = state?.id ?? random.of(ids);
  const head = { kind: "patch" as const, id, ...mutationOf(context, state), ...lockOf(context, state) };
  return { ...head, ...body, digest: digestOf({ patch: body }), ...waitOf(context) };
}

export function anonymousOf(context: Context): Command {
  const { random } = context;
  const cases = casesOf(context, `${context.index}`);
  return {
    kind: "select",
    ...(random.chance(0.35) ? { requestId: random.of(["r1", "r2"]) } : {}),
    route: "select",
    cases,
    choice: random.chance(0.2) ? "order" : "random",
    ...(random.chance(0.7) ? { wait: { ref: refOf(context) } } : {}),
  };
}

export function demandOf(context: Context): Command {
  const { random } = context;
  return {
    kind: "demand",
    for: random.chance(0.8) ? "poll" : "callback",
    prefix: random.of(["", "", "a", "b"]),
    max: random.of([1, 1, 2, 5]),
    leaseMs: random.of([1_000, 10_000, 30_000]),
    park: random.chance(0.6),
    ref: refOf(context),
  };
}
