/**
 * The worker of the SDK under measurement: `node sdk-worker.js <name> <processes> <endpoint…>`. Starts its processes, each of
 * which does one step after the other, and answers every message with what was done so far.
 */
import { createClient } from "../../sdk/client.js";
import { process as durable, worker } from "../../sdk/sdk.js";

/** Since the worker began, and what is new since the last one. */
export interface Progress {
  readonly steps: number;
  /** Of this process, all threads. */
  readonly cpuSeconds: number;
  /** From one step of a process to its next, ms. */
  readonly gapsMs: readonly number[];
}

const [name = "", count = "1", ...endpoints] = process.argv.slice(2);
let steps = 0;
let gapsMs: number[] = [];

const counting = durable(name, { version: 1 }, async (p) => {
  let lastMs: number | undefined;
  const count = () => {
    const nowMs = performance.now();
    if (lastMs !== undefined) gapsMs.push(nowMs - lastMs);
    lastMs = nowMs;
    return ++steps;
  };
  await p.loop(0, async (n, inner) => {
    await inner.step("count", count);
    return n + 1;
  });
});

process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ steps, cpuSeconds: (user + system) / 1e6, gapsMs } satisfies Progress);
  gapsMs = [];
});
process.once("disconnect", () => process.exit());

const client = createClient({ endpoints });
await Promise.all(Array.from({ length: Number(count) }, (_, n) => client.start(counting, null, { id: String(n) })));
worker({ processes: [counting], endpoints, concurrency: Number(count) });
