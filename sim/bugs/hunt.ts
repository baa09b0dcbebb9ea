/**
 * How many seeds it takes to find a seeded bug.
 */
import { runBatch } from "../batch.js";
import type { Bug } from "./bug.js";
import { buildMutant } from "./mutant.js";

export interface Hunt {
  /** One for each start: seeds until the first that fails; undefined: none of them did. */
  readonly seeds: readonly (number | undefined)[];
  /** The checks that caught it, the most frequent first. */
  readonly caughtBy: readonly string[];
  /** Of the first start. */
  readonly message: string;
}

export interface HuntOptions {
  /** Of the repository. */
  readonly root: string;
  readonly starts: number;
  /** Seeds that are tried from each start. */
  readonly seedsMax: number;
  /** Seeds of two starts are this far apart. */
  readonly firstSeed: number;
}

const startDistance = 100_000;

export async function hunt(bug: Bug, { root, starts, seedsMax, firstSeed }: HuntOptions): Promise<Hunt> {
  const mutant = buildMutant(root, bug);
  const seeds: (number | undefined)[] = [];
  const caught = new Map<string, number>();
  let message = "";
  try {
    for (let start = 0; start < starts; start += 1) {
      const first = firstSeed + start * startDistance;
      const options = { first, count: seedsMax, jobs: 1, stopAtFirst: true, worker: mutant.worker };
      const failed = (await runBatch(options)).find(({ violation }) => violation !== undefined);
      seeds.push(failed && failed.seed - first + 1);
      if (failed?.violation === undefined) continue;
      const { invariant } = failed.violation;
      message ||= failed.violation.message;
      caught.set(invariant, (caught.get(invariant) ?? 0) + 1);
    }
  } finally {
    mutant.remove();
  }
  const caughtBy = [...caught].sort(([, a], [, b]) => b - a).map(([name]) => name);
  return { seeds, caughtBy, message };
}
