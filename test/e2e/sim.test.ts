/**
 * A simulated run depends on nothing but its seed: neither on how much memory the engine has, nor on what it compiles.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = join(import.meta.dirname, "../../dist/scripts/sim.js");
const flags = [[], ["--max-semi-space-size=1", "--stack-size=600"], ["--no-opt"]];

test.each([1_000, 1_003])("seed %i has the same trace whatever flags Node is given", async (seed) => {
  const traces = await Promise.all(
    flags.map(async (some) => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        ...some,
        script,
        "--seed",
        `${seed}`,
        "--trace",
        "1",
      ]);
      return /trace ([0-9a-f]+)/.exec(stdout)?.[1];
    }),
  );
  expect(traces[0]).toMatch(/^[0-9a-f]{8}$/);
  expect(new Set(traces).size).toBe(1);
});
