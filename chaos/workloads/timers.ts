/** Timers: every acknowledged one fires, once, and not before its time; what fired is handed out. */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { ChaosClient, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

interface Fired {
  readonly ID: string;
  readonly Lock: string;
  readonly Selects: readonly { readonly Cases: readonly { readonly At: number }[] }[];
  readonly Results: readonly { readonly At: number }[];
}

/** One hand-out of a state whose timer has fired. */
export interface Firing {
  /** Log times: when it was due, when it fired. */
  readonly dueMs: number;
  readonly firedMs: number;
  /** By the monotonic clock of the observer, since before the timer was armed. */
  readonly afterMs: number;
  /** Its put-back was accepted: nobody else may have it again. */
  finished: boolean;
}

export interface Armed {
  /** What was asked for. */
  readonly delayMs: number;
}

const makers = 2;
const collectors = 2;
const delayMsMax = 3000;
const paceMs = 25;
/** After the makers have stopped. */
const settleMs = 120_000;

/** @param trueClocks nobody tampers with the clocks: a timer is not early by the observer's clock either */
export function timers(target: Target, trueClocks: boolean): Workload {
  const clients = Array.from({ length: makers + collectors }, (_, n) => new ChaosClient(target, "timer", n));
  const armed = new Map<string, Armed>();
  const begunMs = new Map<string, number>();
  const fired = new Map<string, Firing[]>();
  const found: Violation[] = [];
  const make = loops(makers, paceMs, async (worker, round) => {
    const id = `timer/${worker}/${round}`;
    const delayMs = Math.floor(Math.random() * delayMsMax);
    begunMs.set(id, performance.now());
    const body = { Selects: [{ ID: "1", Cases: [{ Op: 3, After: delayMs }] }] };
    const reply = await (clients[worker] as ChaosClient).call("PUT", statePath(id), { body });
    if (reply.status === 200 || reply.status === 201) armed.set(id, { delayMs });
    else found.push(wrong(`timer ${id}`, reply));
  });
  const collect = loops(collectors, 0, async (worker) => {
    const client = clients[makers + worker] as ChaosClient;
    const polled = await client.once("GET", "/state/poll?prefix=timer/&wait=2&max=20&lease=2", { waitSeconds: 2 });
    if (polled instanceof Error || polled.status !== 200) return;
    for (const state of polled.body as Fired[]) {
      const dueMs = state.Selects[0]?.Cases[0]?.At ?? Infinity;
      const firedMs = state.Results[0]?.At ?? 0;
      const afterMs = performance.now() - (begunMs.get(state.ID) ?? Infinity);
      const firing: Firing = { dueMs, firedMs, afterMs, finished: false };
      fired.set(state.ID, [...(fired.get(state.ID) ?? []), firing]);
      const reply = await client.call("PUT", statePath(state.ID), { body: { Lock: state.Lock, Selects: [] } });
      firing.finished = reply.status === 200;
    }
  });
  const isDone = (id: string) => fired.get(id)?.some(({ finished }) => finished) === true;
  return {
    name: "timers",
    async stop() {
      await make.stop();
      const endMs = performance.now() + settleMs;
      while (![...armed.keys()].every(isDone) && performance.now() < endMs) await pause(20);
      await collect.stop();
    },
    counts: () => ({ armed: armed.size, fired: fired.size }),
    violations: () => Promise.resolve([...found, ...checkTimers(armed, fired, trueClocks)]),
  };
}

export function checkTimers(
  armed: ReadonlyMap<string, Armed>,
  fired: ReadonlyMap<string, readonly Firing[]>,
  trueClocks: boolean,
): Violation[] {
  const found: Violation[] = [];
  for (const id of armed.keys())
    if (fired.get(id)?.some(({ finished }) => finished) !== true)
      found.push({ kind: fired.has(id) ? "stuck" : "lost", what: `${id} never fired, or could not be finished` });
  for (const [id, firings] of fired) {
    const delayMs = armed.get(id)?.delayMs;
    if (delayMs === undefined) found.push({ kind: "phantom", what: `${id} fired and was never armed` });
    if (firings.filter(({ finished }) => finished).length > 1)
      found.push({ kind: "duplicated", what: `${id} was finished more than once` });
    for (const { dueMs, firedMs, afterMs } of firings) {
      if (firedMs < dueMs) found.push({ kind: "early", what: `${id} was due at ${dueMs} and fired at ${firedMs}` });
      if (trueClocks && afterMs < (delayMs ?? 0))
        found.push({ kind: "early", what: `${id} was asked for in ${delayMs} ms and came after ${afterMs} ms` });
    }
    if (new Set(firings.map(({ firedMs }) => firedMs)).size > 1)
      found.push({ kind: "duplicated", what: `${id} fired at several times` });
  }
  return found;
}
