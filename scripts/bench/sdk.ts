/**
 * Steps of processes of the SDK: one worker, a program of its own, on as many processes at once as there are connections.
 * What counts beside the rate is what a step costs the worker.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Connection } from "./connection.js";
import { summarize } from "./latency.js";
import type { Progress } from "./sdk-worker.js";
import { expectAnswer, freshPrefix, type Workload } from "./workload.js";

const program = fileURLToPath(new URL("sdk-worker.js", import.meta.url));
/** Between two looks at what was done. */
const lookMs = 50;

export function sdkSteps(processes: number, endpoints: readonly string[]): Workload<Connection> {
  const name = freshPrefix("sdk");
  const seen: Progress[] = [];
  let child: ChildProcess | undefined;
  let ended: Promise<never> | undefined;
  const look = async (): Promise<Progress> => {
    expectAnswer(child?.connected === true, "the worker", `exit code ${child?.exitCode}`);
    const answer = once(child, "message") as Promise<[Progress]>;
    child.send("progress");
    const [progress] = await Promise.race([answer, ended as Promise<never>]);
    return progress;
  };
  return {
    ...{ name: "SDK steps by one worker", workers: 1, writes: true, independent: false },
    setup: async () => {
      child = fork(program, [name, String(processes), ...endpoints]);
      ended = failedAtEnd(child);
      await look();
    },
    step: async () => {
      await pause(lookMs);
      const progress = await look();
      const done = progress.steps - (seen.at(-1)?.steps ?? 0);
      seen.push(progress);
      return done;
    },
    finish: async () => {
      if (!child?.connected) return;
      const exit = once(child, "exit");
      child.disconnect();
      await exit;
    },
    figures: () => workerFigures(seen),
  };
}

/** Rejects when it has ended. */
function failedAtEnd(child: ChildProcess): Promise<never> {
  const ended = once(child, "exit").then(([code]): never => {
    throw new Error(`the worker has ended with ${code}`);
  });
  ended.catch(() => undefined);
  return ended;
}

/** Of the second half, when the worker is warm; latency is the time from one step of a process to its next. */
export function workerFigures(seen: readonly Progress[]): Readonly<Record<string, number>> {
  const half = seen.slice(seen.length >> 1);
  const [first, last] = [half[0], half.at(-1)];
  const steps = (last?.steps ?? 0) - (first?.steps ?? 0);
  const cpuSeconds = (last?.cpuSeconds ?? 0) - (first?.cpuSeconds ?? 0);
  const gapsMs = half.slice(1).flatMap(({ gapsMs }) => gapsMs);
  return {
    stepsPerCoreSecond: steps / cpuSeconds,
    workerMicrosPerStep: (cpuSeconds * 1e6) / steps,
    ...summarize(gapsMs),
  };
}
