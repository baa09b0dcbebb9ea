/**
 * Random sequences of commands: the engine agrees with the naive model and keeps its invariants after every entry.
 *
 * `SELECT_SEQUENCES` sets how many, `SELECT_SEED` the first seed (`SELECT_SEED=7 SELECT_SEQUENCES=1` repeats one).
 */
import { expect, test } from "vitest";
import { describe as describeFailure, runSteps, shrink, stepsOf } from "./run.js";

const sequences = Number(process.env["SELECT_SEQUENCES"] ?? 1_000);
const firstSeed = Number(process.env["SELECT_SEED"] ?? 1);
const commandsPerSequence = 60;

test(`${sequences} random sequences agree with the model`, { timeout: 3_600_000 }, () => {
  for (let seed = firstSeed; seed < firstSeed + sequences; seed += 1) {
    const steps = stepsOf(seed, commandsPerSequence);
    if (!runSteps(steps)) continue;
    const small = shrink(steps);
    expect.fail(
      `SELECT_SEED=${seed}, ${small.steps.length} of ${steps.length} steps are enough:\n${describeFailure(small.failure)}`,
    );
  }
});
