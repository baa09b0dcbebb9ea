import { describe, expect, test } from "vitest";
import { Simulation } from "./simulation.js";

const seeds = 250;
const stepsPerSeed = 6000;

function run(seed: number): Simulation {
  const simulation = new Simulation(seed);
  simulation.storm(stepsPerSeed);
  simulation.calm();
  return simulation;
}

describe("seeded clusters", () => {
  test(`E9 E10 ${seeds} storms break no invariant, and every cluster agrees afterwards`, () => {
    const sums = { committed: 0, leaders: 0, reads: 0, changes: 0, installs: 0, repairs: 0, handOvers: 0 };
    for (let seed = 1; seed <= seeds; seed += 1) {
      try {
        const simulation = run(seed).cluster;
        const { counts: some, committed, leaders } = simulation;
        const counts = { ...some, committed, leaders: leaders.size };
        for (const [name, count] of Object.entries(counts)) sums[name as keyof typeof sums] += count;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    // The storm must leave room for work, or nothing was tested.
    expect(sums.committed).toBeGreaterThan(20 * seeds);
    expect(sums.leaders).toBeGreaterThan(2 * seeds);
    expect(sums.reads).toBeGreaterThan(2 * seeds);
    expect(sums.changes).toBeGreaterThan(seeds);
    expect(sums.installs).toBeGreaterThan(seeds);
    expect(sums.handOvers).toBeGreaterThan(seeds);
    expect(sums.repairs).toBeGreaterThan(seeds / 10);
  }, 60_000);

  test("the same seed is the same run", () => {
    for (const seed of [7, 77, 777]) expect(run(seed).cluster.trace).toBe(run(seed).cluster.trace);
  });
});
