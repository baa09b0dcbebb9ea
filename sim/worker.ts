/**
 * Runs seeds, or shrinks one, in a process of its own. Loaded by batch.ts, and out of the directory of a mutant.
 */
import { drawConfig } from "./config.js";
import { outsideJobs } from "./loop.js";
import { shrinkSeed } from "./shrink.js";
import { simulate } from "./simulation.js";
import { summarise } from "./summary.js";

export type Task =
  /** Seeds `first`, `first + step`, … below `end`; each is answered by a Summary. */
  | {
      readonly kind: "seeds";
      readonly first: number;
      readonly end: number;
      readonly step: number;
      readonly stopAtFirst: boolean;
      /** Absent, as JSON has it: none. */
      readonly endMs: number | null;
    }
  /** Answered by a Case, if the seed fails. */
  | { readonly kind: "shrink"; readonly seed: number };

async function run(task: Task): Promise<void> {
  if (task.kind === "shrink") {
    const found = await outsideJobs(() => shrinkSeed(task.seed));
    process.send?.(found ?? null);
    return;
  }
  const { first, end, step, stopAtFirst, endMs } = task;
  for (let seed = first; seed < end; seed += step) {
    if (endMs !== null && Date.now() >= endMs) return;
    const before = process.cpuUsage();
    const result = await outsideJobs(() => simulate(drawConfig(seed)));
    const { user, system } = process.cpuUsage(before);
    process.send?.(summarise(result, (user + system) / 1e6));
    if (stopAtFirst && result.violation !== undefined) return;
  }
}

// Nobody would know what comes of it.
process.once("disconnect", () => process.exit());
await run(JSON.parse(process.argv[2] ?? "") as Task);
process.disconnect();
