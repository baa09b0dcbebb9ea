/**
 * Small runs that failed once, because of a mistake in the code or of a seeded one, keep every promise.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { outsideJobs } from "../../sim/loop.js";
import { replay, type Case } from "../../sim/shrink.js";

const directory = "test/sim/regressions";

test.each(readdirSync(directory))("%s", { timeout: 300_000 }, async (file) => {
  const kept = JSON.parse(readFileSync(`${directory}/${file}`, "utf8")) as Case;
  const { violation } = await outsideJobs(() => replay(kept));
  expect(violation, `npm run sim -- --replay ${directory}/${file} --trace 60`).toBeUndefined();
});
