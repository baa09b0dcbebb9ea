import { describe, expect, test } from "vitest";
import { Simulation } from "./simulation.js";

const seeds = 800;
const stepsPerSeed = 6000;

function run(seed: number): Simulation {
  const simulation = new Simulation(seed);
  simulation.storm(stepsPerSeed);
  simulation.calm();
  return simulation;
}

describe("seeded clusters", () => {
  test(`${seeds} storms break no invariant, and every cluster agrees afterwards`, () => {
    let committed = 0;
    let leaders = 0;
    let reads = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      try {
        const simulation = run(seed);
        committed += simulation.committed;
        leaders += simulation.leaders.size;
        reads += simulation.answeredReads;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    // The storm must leave room for work, or nothing was tested.
    expect(committed).toBeGreaterThan(20 * seeds);
    expect(leaders).toBeGreaterThan(2 * seeds);
    expect(reads).toBeGreaterThan(2 * seeds);
  }, 60_000);

  test("the same seed is the same run", () => {
    for (const seed of [7, 77, 777]) expect(run(seed).trace).toBe(run(seed).trace);
  });
});
