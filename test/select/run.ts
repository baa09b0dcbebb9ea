/**
 * Runs one seeded sequence of commands against the engine, the naive model, and a second engine that restarts midway.
 */
import { isDeepStrictEqual } from "node:util";
import { keys } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Command, Entry } from "../../src/select/command.js";
import type { Applied } from "../../src/select/outcome.js";
import type { State } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { compareRecords, findDeadline, modelNames } from "../../sim/model/compare.js";
import { Random } from "../../sim/random.js";
import { checkInvariants, readRecords, type Records } from "../../sim/model/invariants.js";
import { Ledger } from "../../sim/model/ledger.js";
import { Model } from "../../sim/model/model.js";
import { commandOf, pauseOf, settings } from "../../sim/model/steps.js";
import { canon } from "../../sim/model/verdict.js";
import { demand, type ModelSelect, type ModelState } from "../../sim/model/world.js";

const baseMs = 1_700_000_000_000;

/** Machine `from` gone, a new one over the same records. */
export function restart(view: MapView): Machine {
  const machine = new Machine(view);
  const { pending, demands } = readRecords(view);
  machine.load(
    [...pending].map(([key, record]) => [Number(key.slice(2)), record] as const),
    demands.values(),
  );
  return machine;
}

/** Why a run failed, and the entries up to there. */
export interface Failure {
  readonly problem: string;
  readonly log: readonly Entry[];
}

/** Everything that stays over a whole run. */
class Run {
  readonly view = new MapView();
  readonly model = new Model();
  readonly log: Entry[] = [];
  /** Counts what the engine writes beside the meta record. */
  readonly #machine = new Machine({
    get: (key) => this.view.get(key),
    put: (key, value) => {
      if (key !== keys.meta) this.#writes += 1;
      this.view.put(key, value);
    },
    del: (key) => {
      this.#writes += 1;
      this.view.del(key);
    },
  });
  #writes = 0;
  #records = readRecords([]);
  readonly #ledger = new Ledger();
  readonly #otherView = new MapView();
  #other = new Machine(this.#otherView);
  #nowMs = baseMs;
  readonly #tokens: string[] = [];
  readonly #armed = new Set<string>();
  #lastOrder = -1;

  step(seed: number): void {
    const random = new Random(seed);
    this.#nowMs += pauseOf({ random });
    this.apply(
      commandOf({
        random,
        world: this.model.world,
        nowMs: this.#nowMs,
        index: this.log.length + 1,
        tokens: this.#tokens,
        deadlines: [...this.#armed].sort(),
      }),
    );
    if (random.chance(0.02)) this.#other = restart(this.#otherView);
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
  }

  get due(): readonly string[] {
    return [...this.#armed].filter((key) => Number(key.slice(2, 18)) <= this.#nowMs).sort();
  }

  apply(command: Command): void {
    const entry: Entry = { index: this.log.length + 1, nowMs: this.#nowMs, command };
    this.log.push(entry);
    const due = command.kind === "expire" ? this.#dueOf(this.#records, command.keys) : [];
    const writes = this.#writes;
    const applied = this.#machine.apply(entry);
    const again = this.#other.apply(entry);
    if (!isDeepStrictEqual(applied, again)) demand(false, `two engines differ: ${canon(applied)} and ${canon(again)}`);
    if (!applied.outcome.ok) demand(this.#writes === writes, "a refused entry changed records");
    const before = this.#records;
    const after = readRecords(this.view);
    this.#records = after;
    this.#collect(applied, after);
    const problems = checkInvariants(after);
    demand(problems.length === 0, problems.join("\n"));
    this.#ledger.check(entry, applied, after);
    this.model.apply(entry, {
      applied,
      due,
      winner: (state, select) => winnerOf(applied, after, state, select),
      token: (id) => after.states.get(id)?.lock?.token,
    });
    const differences = compareRecords(
      this.model.world,
      after,
      (state) => entry.index % 8 !== 0 && before.states.get(state.id) === state,
    );
    demand(differences.length === 0, differences.join("\n"));
    this.#checkEvents(applied, after);
  }

  #dueOf(before: Records, wanted: readonly string[]) {
    const names = modelNames(this.model.world, before);
    return [...new Set(wanted)].sort().flatMap((key) => findDeadline(this.model.world, before, names, key) ?? []);
  }

  #collect(applied: Applied, after: Records): void {
    for (const effect of applied.effects) {
      if (effect.kind === "armed") this.#armed.add(effect.key);
    }
    for (const key of after.deadlines.keys()) demand(this.#armed.has(key), `${key} is armed without an effect`);
    for (const state of after.states.values()) {
      if (state.lock && !this.#tokens.includes(state.lock.token)) this.#tokens.push(state.lock.token);
    }
    const orders = [...after.states.values()]
      .flatMap((state) => state.selects.flatMap((select) => (select.result ? [select.result] : [])))
      .filter((result) => result.index === this.log.length)
      .map((result) => result.order);
    demand(new Set(orders).size === orders.length, "two results have the same place in the order");
    demand(
      orders.every((order) => order > this.#lastOrder),
      "a result comes before one of an earlier entry",
    );
    this.#lastOrder = Math.max(this.#lastOrder, ...orders);
  }

  /** Every state that changed is announced, as it is now; nothing else is. */
  #checkEvents(applied: Applied, after: Records): void {
    const announced = new Map<string, State | undefined>();
    for (const effect of applied.effects) if (effect.kind === "state") announced.set(effect.id, effect.state);
    for (const [id, state] of announced) {
      demand(isDeepStrictEqual(state, after.states.get(id)), `${id} was announced otherwise than it is`);
      demand(!state?.anonymous, "a plain request was announced as a state");
    }
    for (const state of this.model.world.touched) {
      if (state.anonymous) continue;
      demand(announced.has(state.id), `${state.id} changed and was not announced`);
    }
  }

  finish(): void {
    const differences = compareRecords(this.model.world, this.#records);
    demand(differences.length === 0, differences.join("\n"));
    demand(isDeepStrictEqual(this.view.entries(), this.#otherView.entries()), "two engines hold different records");
    this.#clear();
    const left = this.view.entries().map(([key]) => key);
    demand(canon(left) === canon([keys.meta]), `residue: ${canon(left)}`);
  }

  /** Deletes everything a client can delete and lets the memory of requests run out (D11). */
  #clear(): void {
    const { world } = this.model;
    const holders = [...world.states.values()].flatMap((state) => state.anonymous?.holders ?? []);
    this.apply({ kind: "withdraw", refs: [...holders, ...world.demands.flatMap((one) => one.holders)] });
    for (const id of [...world.states.keys()]) this.apply({ kind: "delete", id, force: true });
    for (const chan of [...world.chans.keys()]) {
      for (let left = world.chan(chan).values.length; left > 0; left -= 1) {
        this.apply({ kind: "select", route: "recv", cases: [{ op: "recv", chan }], choice: "order" });
      }
      this.apply({ kind: "drop", chan });
    }
    this.advance(settings.requestMemoryMs);
    this.apply({ kind: "expire", keys: this.due });
  }
}

function winnerOf(applied: Applied, after: Records, state: ModelState, select: ModelSelect): number | undefined {
  if (!state.anonymous) return after.states.get(state.id)?.selects.find((one) => one.id === select.id)?.result?.case;
  const { holders } = state.anonymous;
  for (const effect of applied.effects) {
    if (effect.kind === "answered" && canon(effect.holders) === canon(holders)) return effect.result.case;
  }
  const { outcome } = applied;
  return outcome.ok && outcome.answer.kind === "result" ? outcome.answer.result.case : undefined;
}

/** @returns undefined when everything held */
export function runSteps(steps: readonly number[]): Failure | undefined {
  const run = new Run();
  try {
    run.apply({ kind: "configure", seed: new Uint8Array(16).fill(steps[0] ?? 0), settings });
    for (const step of steps) run.step(step);
    run.finish();
    return undefined;
  } catch (error) {
    const problem = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error);
    return { problem, log: run.log };
  }
}

/** The numbers of one run: a seed gives the same ones for ever. */
export function stepsOf(seed: number, length: number): readonly number[] {
  const random = new Random(seed);
  return Array.from({ length }, () => random.below(2 ** 32));
}

/** Removes what is not needed to fail: halves first, single steps last. */
export function shrink(steps: readonly number[]): { readonly steps: readonly number[]; readonly failure: Failure } {
  let best = steps;
  let failure = runSteps(best);
  if (!failure) throw new Error("nothing to shrink: the steps do not fail");
  for (let width = Math.ceil(best.length / 2); width >= 1; width = width === 1 ? 0 : Math.ceil(width / 2)) {
    for (let at = 0; at < best.length;) {
      const fewer = [...best.slice(0, at), ...best.slice(at + width)];
      const other = runSteps(fewer);
      if (other) [best, failure] = [fewer, other];
      else at += width;
    }
  }
  return { steps: best, failure };
}

export function describe(failure: Failure): string {
  const lines = failure.log.map(({ index, nowMs, command }) => `${index} +${nowMs - baseMs} ${canon(command)}`);
  return `${lines.join("\n")}\n${failure.problem}`;
}
