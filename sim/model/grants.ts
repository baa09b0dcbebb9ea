/**
 * Handing out in the naive model: leases given at the end of an entry, checked instead of predicted.
 *
 * The documents order pending states by the entry at which they became pending and demands by their registration; inside
 * one entry the engine is free. So the model looks at what was handed to whom and checks that nobody was passed over.
 */
import type { HandOut } from "../../src/select/outcome.js";
import { demand, type ModelDemand, type ModelState, type World } from "./world.js";

/** States that one demand got in this entry. */
export interface GrantSeen {
  readonly to: ModelDemand;
  readonly handOuts: readonly HandOut[];
}

export function takes(wanted: ModelDemand, state: ModelState): boolean {
  if (wanted.kind === "callback") return state.callback !== undefined;
  if (state.callback !== undefined) return false;
  return wanted.kind === "state" ? state.id === wanted.match : state.id.startsWith(wanted.match);
}

/** Has a result nobody processes, and nothing keeps it back. */
export function isPending(state: ModelState): boolean {
  if (state.lock || state.paused !== undefined || state.delayedUntilMs !== undefined || state.anonymous) return false;
  return state.selects.some((select) => select.result);
}

/** A new lease on `state`, shown with every result it has by now. */
export function lease(
  world: World,
  state: ModelState,
  how: { readonly token: string; readonly leaseMs: number },
): void {
  const untilMs = world.nowMs + how.leaseMs;
  const delivered = new Set(state.selects.flatMap((select) => (select.result ? [select.id] : [])));
  world.disarm(state, "delay");
  world.disarm(state, "retain");
  state.lock = { ...how, untilMs, delivered };
  state.attempt += 1;
  delete state.delayedUntilMs;
  delete state.retainUntilMs;
  world.deadlines.push({ kind: "lease", dueMs: untilMs, state });
  world.touched.add(state);
}

/** @param seen every grant of this entry, in any order; `demands` of it are parked or the command's own */
export function grant(world: World, seen: readonly GrantSeen[], tokenOf: (id: string) => string): void {
  for (const { to, handOuts } of seen) {
    let before = -1;
    demand(handOuts.length > 0, "a grant of nothing");
    demand(handOuts.length <= to.slots, `${handOuts.length} states for a demand of ${to.slots}`);
    for (const { state } of handOuts) {
      const known = world.states.get(state.id);
      demand(known && isPending(known), `${state.id} was handed out and is not pending`);
      demand(takes(to, known), `${state.id} was handed to a demand that does not match it`);
      demand((known.pendingSince ?? 0) >= before, `${state.id}: an older pending state comes first`);
      before = known.pendingSince ?? 0;
      const older = world.demands.slice(0, world.demands.indexOf(to)).filter((one) => takes(one, known));
      const starved = older.find((one) => one.slots > (seen.find((g) => g.to === one)?.handOuts.length ?? 0));
      demand(!starved || to.kind === "state", `${state.id}: an older demand was passed over`);
    }
  }
  for (const { to, handOuts } of seen) {
    for (const { state } of handOuts) {
      const known = world.states.get(state.id);
      demand(known && isPending(known), `${state.id} was handed out twice`);
      lease(world, known, { token: tokenOf(state.id), leaseMs: to.leaseMs });
    }
    to.slots -= handOuts.length;
    if (to.kind !== "callback" || to.slots === 0) world.demands = world.demands.filter((one) => one !== to);
  }
  for (const state of world.states.values()) {
    const waiting = isPending(state) && world.demands.find((one) => takes(one, state));
    demand(!waiting, `${state.id} is pending and a demand waits for it`);
  }
}

/** The oldest first: what a new demand for `max` states must get at once. */
export function oldestPending(world: World, wanted: ModelDemand): readonly ModelState[] {
  return [...world.states.values()]
    .filter((state) => isPending(state) && takes(wanted, state))
    .sort((a, b) => (a.pendingSince ?? 0) - (b.pendingSince ?? 0))
    .slice(0, wanted.slots);
}
