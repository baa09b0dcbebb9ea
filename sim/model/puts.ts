/**
 * PUT and PATCH in the naive model: protocol section 2 in its order Cancel, Make, Close, own selects, Spawn.
 */
import type { PatchCommand, PutCommand, SpawnSpec } from "../../src/select/command.js";
import type { Answer } from "../../src/select/outcome.js";
import type { SelectSpec } from "../../src/select/types.js";
import { objectTo, settle } from "./rules.js";
import { accept, canon, putOf, refuse, type Verdict } from "./verdict.js";
import { demand, textOf, type ModelState, type World } from "./world.js";

function create(world: World, spec: SpawnSpec | PutCommand): ModelState {
  const state: ModelState = {
    id: spec.id,
    selects: [],
    version: 0,
    attempt: 0,
    data: textOf(spec.data),
    vars: textOf(spec.vars),
    callback: spec.callback?.uri,
    createdAtMs: world.nowMs,
    updatedAtMs: world.nowMs,
  };
  world.states.set(spec.id, state);
  world.touched.add(state);
  return state;
}

export function registerAll(world: World, state: ModelState, specs: readonly SelectSpec[]): void {
  for (const spec of specs) {
    const cases = spec.cases.map((one) => settle(one, world.nowMs));
    const select = { id: spec.id, choice: spec.choice, cases };
    state.selects.push(select);
    world.register(state, select);
  }
}

export function make(world: World, id: string, buffer: number): boolean {
  if (world.chan(id).explicit) return false;
  world.chans.set(id, { explicit: true, buffer, values: [] });
  return true;
}

/** The part of a put-back that ends or extends the lease. */
function takeBack(world: World, state: ModelState, command: PutCommand | PatchCommand): void {
  const { lock } = state;
  demand(lock, "put back under a lock");
  const whole = command.kind === "put";
  const field = (given: Uint8Array | null | undefined, before: string | undefined) =>
    given === undefined && !whole ? before : textOf(given ?? undefined);
  state.data = field(command.data, state.data);
  state.vars = field(command.vars, state.vars);
  if (whole || command.callback !== undefined) state.callback = command.callback?.uri;
  for (const id of command.cancel ?? []) {
    for (const select of state.selects) if (select.id === id) world.forget(select);
    state.selects = state.selects.filter((select) => select.id !== id);
  }
  if (command.hold) return renew(world, state);
  world.disarm(state, "lease");
  state.selects = state.selects.filter((select) => !lock.delivered.has(select.id));
  state.attempt = 0;
  state.lastDetails = undefined;
  state.lastError = undefined;
  delete state.lock;
}

/** A checkpoint, also one that repeats the last: never the end of a lease before its time. */
export function renew(world: World, state: ModelState): void {
  demand(state.lock, "a checkpoint under a lock");
  state.lock.untilMs = Math.max(state.lock.untilMs, world.nowMs + state.lock.leaseMs);
  world.disarm(state, "lease");
  world.deadlines.push({ kind: "lease", dueMs: state.lock.untilMs, state });
}

interface Spawned {
  readonly id: string;
  readonly made: boolean;
}

function spawnAll(world: World, specs: readonly SpawnSpec[]): readonly Spawned[] {
  return specs.map((spec) => {
    const made = !world.states.has(spec.id);
    if (made) registerAll(world, create(world, spec), spec.selects);
    return { id: spec.id, made };
  });
}

export function runPut(world: World, command: PutCommand | PatchCommand): Verdict {
  const known = world.states.get(command.id);
  if (command.kind === "put" && command.lock === undefined && known) {
    return refuse("lock_error", ...objectTo(world, command, known));
  }
  const objections = objectTo(world, command, known);
  if (objections.size > 0) return { refuse: objections };
  const state = known ?? create(world, command as PutCommand);
  world.touched.add(state);
  if (known) takeBack(world, state, command);
  for (const { chan, buffer } of command.make ?? []) make(world, chan, buffer);
  for (const { chan, value } of command.close ?? []) world.close(chan, textOf(value));
  const listed = command.kind === "put" ? command.selects : (command.add ?? []);
  registerAll(
    world,
    state,
    listed.filter((spec) => !state.selects.some((select) => select.id === spec.id)),
  );
  const spawned = spawnAll(world, command.spawn ?? []);
  return accept((answer) => {
    checkAnswer(answer, command, { state, created: !known, spawned });
    if (known && command.lock !== undefined) {
      state.lastPut = { lock: command.lock, digest: command.digest, answer: canon(putOf(answer)) };
    }
  });
}

function checkAnswer(
  answer: Answer,
  command: PutCommand | PatchCommand,
  expected: { readonly state: ModelState; readonly created: boolean; readonly spawned: readonly Spawned[] },
): void {
  const { state, created, spawned } = expected;
  const put = putOf(answer);
  demand(put.id === state.id && put.created === created, `answer names ${put.id}, created ${put.created}`);
  demand(put.version === state.version, `answer version ${put.version}, must be ${state.version}`);
  demand(put.updatedAtMs === state.updatedAtMs && put.createdAtMs === state.createdAtMs, "answer times are wrong");
  demand((put.lease !== undefined) === (command.hold === true && !created), "a lease is answered with Hold only");
  demand(
    !put.lease || (put.lease.token === state.lock?.token && put.lease.untilMs === state.lock.untilMs),
    "held lease",
  );
  demand((put.spawned?.length ?? 0) === spawned.length, "one report per spawned state");
  for (const [at, one] of spawned.entries()) {
    const report = put.spawned?.[at];
    demand(report && report.id === one.id && "code" in report !== one.made, `wrong report about ${one.id}`);
  }
  const waits = command.wait && state.callback === undefined;
  demand(waits || answer.kind === "put", `${answer.kind} without wait`);
}
