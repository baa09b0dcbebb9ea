/**
 * What may go wrong in one run of an exploration, as data: drawn from a seed, shortened, written down, read back.
 *
 * `7!3b,5a` is the schedule of seed 7, with a worker that dies before its third put-back arrives, and another one that dies
 * after the fifth was stored.
 */
import { Random } from "../process/random.js";
import type { Fault } from "./test-cluster.js";

/** Before a put-back arrives · after it was stored, both with the worker's death · lost on the way there · back. */
const faultOf = { b: "kill", a: "kill", d: "drop", l: "lose" } as const satisfies Record<string, Fault>;
export type Mishap = keyof typeof faultOf;
export const mishaps = Object.keys(faultOf) as readonly Mishap[];
/** Those that a client's own retries do not mend. */
export const deaths = ["b", "a"] as const satisfies readonly Mishap[];

export interface Plan {
  /** Of ready cases, interleavings, and whether workers keep processes in memory. 0: everything in its order. */
  readonly seed: number;
  /** By number of the put-back, from 1. */
  readonly mishaps: ReadonlyMap<number, Mishap>;
}

/** In one random plan. */
const mishapsMax = 5;

export function randomPlan(seed: number, putBacks: number): Plan {
  const random = chanceOf(seed, "plan");
  const count = Math.floor(random.next() * (mishapsMax + 1));
  const drawn = new Map<number, Mishap>();
  for (let n = 0; n < count; n++) {
    // Mishaps add put-backs: some come behind those of a run without any.
    const at = 1 + Math.floor(random.next() * putBacks * 1.5);
    drawn.set(at, mishaps[Math.floor(random.next() * mishaps.length)] as Mishap);
  }
  return { seed, mishaps: new Map([...drawn].sort(([a], [b]) => a - b)) };
}

/** A stream of chance for one purpose. */
export function chanceOf(seed: number, purpose: string): Random {
  return new Random((seed >>> 0).toString(16).padStart(32, "0"), purpose);
}

export function writePlan({ seed, mishaps: drawn }: Plan): string {
  return drawn.size === 0 ? String(seed) : `${seed}!${[...drawn].map(([at, mishap]) => `${at}${mishap}`).join(",")}`;
}

/** @throws RangeError */
export function readPlan(text: string): Plan {
  const [, seed = "", rest = ""] = /^(\d+)(?:!((?:\d+[badl])(?:,\d+[badl])*))?$/.exec(text) ?? [];
  if (seed === "") throw new RangeError(`not a plan of an exploration: ${JSON.stringify(text)}`);
  const pairs = rest === "" ? [] : rest.split(",");
  return {
    seed: Number(seed),
    mishaps: new Map(pairs.map((one) => [Number.parseInt(one), one.slice(-1) as Mishap])),
  };
}

/** Plans that are a step shorter, the shortest first. */
export function shorter({ seed, mishaps: drawn }: Plan): Plan[] {
  const all = [...drawn];
  const without = all.map((_, index) => ({ seed, mishaps: new Map(all.filter((_, at) => at !== index)) }));
  // A death is the plainest of mishaps, and a schedule without chance the plainest of schedules.
  const plainer = all.flatMap(([at, mishap]) =>
    mishap === "d" || mishap === "l"
      ? [{ seed, mishaps: new Map([...all, [at, mishap === "d" ? "b" : "a"] as const]) }]
      : [],
  );
  return [
    ...(drawn.size > 0 ? [{ seed, mishaps: new Map<number, Mishap>() }] : []),
    ...without,
    ...(seed === 0 ? [] : [{ seed: 0, mishaps: drawn }]),
    ...plainer,
  ];
}
