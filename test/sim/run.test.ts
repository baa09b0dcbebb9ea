/**
 * A batch of seeds keeps every promise; a seed repeats itself exactly.
 */
import { expect, test } from "vitest";
import { drawConfig } from "../../sim/config.js";
import { outsideJobs } from "../../sim/loop.js";
import { simulate } from "../../sim/simulation.js";

const firstSeed = 1;
const seeds = 12;

test(`${seeds} seeds`, { timeout: 300_000 }, async () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
    const { violation } = await outsideJobs(() => simulate(drawConfig(seed)));
    expect(violation, `npm run sim -- --seed ${seed}`).toBeUndefined();
  }
});

test("a run is a function of its seed", { timeout: 300_000 }, async () => {
  for (let seed = 1_000; seed < 1_002; seed += 1) {
    const first = await outsideJobs(() => simulate(drawConfig(seed)));
    const second = await outsideJobs(() => simulate(drawConfig(seed)));
    expect(second).toEqual(first);
  }
});
