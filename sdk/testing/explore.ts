/**
 * Plays a scenario again and again: workers die at every put-back, requests are lost, their order and the choice among
 * ready cases change. What fails is shortened, and comes with a text that plays it again.
 *
 * Every run has a cluster of its own, on the production engine; the code of the processes runs as it would in production.
 */
import type { Duration } from "../client/duration.js";
import type { WorkerOptions } from "../worker/worker.js";
import { chanceOf, deaths, randomPlan, readPlan, shorter, writePlan, type Mishap, type Plan } from "./plan.js";
import { createTestCluster, type Fault, type SentRequest, type TestCluster } from "./test-cluster.js";

type Runs = NonNullable<WorkerOptions["processes"]>;

/** What is played, and how often. */
export interface ExploreOptions {
  /**
   * One run: starts processes, talks to them, checks what comes out. Time moves on by itself when everything waits for it.
   * May be played many times: what it keeps outside has to begin anew.
   */
  readonly scenario: (cluster: TestCluster) => Promise<unknown>;
  /** Beside `process`. */
  readonly activities?: WorkerOptions["activities"];
  /** Random plans, beside one run for each death at each put-back; default 50. */
  readonly runs?: number;
  /** Of the first random plan; default 1. */
  readonly seed?: number;
  /** Plays this one and no other: the text that a failure gave. */
  readonly plan?: string;
  /** Virtual time of one run; default one year. */
  readonly within?: Duration;
}

/** What was played, and nothing failed. */
export interface Explored {
  readonly runs: number;
  /** Of a run in which nothing goes wrong. */
  readonly putBacks: number;
}

/** Put-backs at which a death is tried; later ones meet random plans only. */
const systematicMax = 200;
/** Runs that look for a shorter plan. */
const shorterMax = 200;
/** Workers that replace those that died, in one run. */
const heirsMax = 1000;
/** A lease that is over is taken by the next worker: short, so that a death costs a scenario little time. */
const lease = "1s";
/** Turns of the event loop for which a request may be held back. */
const heldTurnsMax = 4;

/**
 * Plays a scenario again and again while workers die and requests are lost; shortens what fails.
 * ```ts
 * await explore(order, {
 *   scenario: async ({ client }) => expect(await client.result(await client.start(order, input))).toBe("shipped"),
 * });
 * ```
 * @param process those of the scenario; a function gives new ones for every run
 * @throws Error what the scenario threw, in the shortest plan that was found, with that plan
 */
export async function explore(process: Runs[number] | Runs | (() => Runs), options: ExploreOptions): Promise<Explored> {
  const play = (plan: Plan) => playOnce(plan, { process, ...options });
  if (options.plan !== undefined) {
    const { error, putBacks } = await play(readPlan(options.plan));
    if (error !== undefined) throw failed(options.plan, "as asked for", error);
    return { runs: 1, putBacks };
  }
  const plain = await play({ seed: 0, mishaps: new Map() });
  if (plain.error !== undefined) throw failed("0", "with nothing gone wrong", plain.error);
  let runs = 1;
  for (const plan of plansFor(plain.putBacks, options)) {
    runs += 1;
    const { error } = await play(plan);
    if (error === undefined) continue;
    const shortest = await shorten(plan, error, async (one) => (await play(one)).error);
    throw failed(writePlan(shortest.plan), `after ${runs} runs`, shortest.error);
  }
  return { runs, putBacks: plain.putBacks };
}

function* plansFor(putBacks: number, { runs = 50, seed = 1 }: ExploreOptions): Generator<Plan> {
  for (let at = 1; at <= Math.min(putBacks, systematicMax); at++) {
    for (const mishap of deaths) yield { seed: 0, mishaps: new Map([[at, mishap]]) };
  }
  for (let n = 0; n < runs; n++) yield randomPlan(seed + n, putBacks);
}

interface Run {
  readonly error: unknown;
  readonly putBacks: number;
}

async function playOnce(
  plan: Plan,
  { process, activities = [], scenario, within }: ExploreOptions & { readonly process: Parameters<typeof explore>[0] },
): Promise<Run> {
  const { seed } = plan;
  const cluster = createTestCluster({ seed: seed + 1, alwaysReplay: seed % 2 === 1 });
  const given = typeof process === "function" ? process() : process;
  const processes = Array.isArray(given) ? (given as Runs) : [given as Runs[number]];
  const warnings: string[] = [];
  let heirs = 0;
  const begin = () => {
    if (heirs++ < heirsMax) cluster.worker({ processes, activities, lease, warn: (text) => void warnings.push(text) });
  };
  const mishaps = new Mishaps(plan, begin);
  cluster.onRequest = (request) => mishaps.meet(request);
  begin();
  try {
    await cluster.complete(scenario(cluster), within === undefined ? {} : { within });
    const paused = await pausedIn(cluster);
    return { error: paused === undefined ? undefined : new Error(paused), putBacks: mishaps.putBacks };
  } catch (thrown) {
    // What paused a process is why the scenario came to nothing.
    const paused = await pausedIn(cluster).catch(() => undefined);
    const error = paused === undefined ? (thrown ?? new Error("thrown")) : new Error(paused, { cause: thrown });
    return { error, putBacks: mishaps.putBacks };
  } finally {
    await cluster.close();
  }
}

async function pausedIn({ client }: TestCluster): Promise<string | undefined> {
  const { States } = await client.listStates({ status: "paused" });
  return States.map(({ ID, PausedReason }) => `process ${ID} is paused: ${PausedReason ?? ""}`)[0];
}

/** Meets every request of a run, in order. */
class Mishaps {
  putBacks = 0;
  readonly #plan: Plan;
  readonly #begin: () => void;
  readonly #chance;

  constructor(plan: Plan, begin: () => void) {
    this.#plan = plan;
    this.#begin = begin;
    this.#chance = chanceOf(plan.seed, "schedule");
  }

  async meet({ method, worker }: SentRequest): Promise<Fault> {
    const turns = this.#plan.seed === 0 ? 0 : Math.floor(this.#chance.next() * (heldTurnsMax + 1));
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (method !== "PATCH" || worker === undefined) return undefined;
    this.putBacks += 1;
    const mishap: Mishap | undefined = this.#plan.mishaps.get(this.putBacks);
    if (mishap === "d") return "drop";
    if (mishap === "l") return "lose";
    if (mishap === undefined) return undefined;
    this.#begin();
    if (mishap === "a") return "kill";
    worker.kill();
    return "drop";
  }
}

/** The shortest plan that fails as well, as far as it was looked for. */
async function shorten(plan: Plan, error: unknown, play: (plan: Plan) => Promise<unknown>) {
  let best = { plan, error };
  let left = shorterMax;
  for (let found = true; found;) {
    found = false;
    for (const one of shorter(best.plan)) {
      if (left-- <= 0) return best;
      const again = await play(one);
      if (again === undefined) continue;
      best = { plan: one, error: again };
      found = true;
      break;
    }
  }
  return best;
}

function failed(plan: string, when: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Error(`exploration failed ${when}; plan: "${plan}" plays it again\n${message}`, { cause });
}
