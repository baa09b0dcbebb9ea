/**
 * Many seeds in several processes.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Case } from "./shrink.js";
import type { Summary } from "./summary.js";
import type { Task } from "./worker.js";

export interface BatchOptions {
  readonly first: number;
  readonly count: number;
  readonly jobs: number;
  /** No seed is begun after this time, unix ms. */
  readonly endMs?: number;
  /** Each process ends with its first seed that fails. */
  readonly stopAtFirst?: boolean;
  /** Compiled entry of the workers; that of this very tree by default. */
  readonly worker?: string;
  readonly onSummary?: (summary: Summary) => void;
}

const ownWorker = fileURLToPath(new URL("./worker.js", import.meta.url));

/** In the order of the seeds. */
export async function runBatch(options: BatchOptions): Promise<readonly Summary[]> {
  const { first, count, jobs, stopAtFirst = false, endMs = Infinity, worker = ownWorker, onSummary } = options;
  const found: Summary[] = [];
  const shares = Array.from({ length: Math.min(jobs, count) }, (_, job) =>
    perform(
      worker,
      { kind: "seeds", first: first + job, end: first + count, step: jobs, stopAtFirst, endMs },
      (answer) => {
        found.push(answer as Summary);
        onSummary?.(answer as Summary);
      },
    ),
  );
  await Promise.all(shares);
  return found.sort((a, b) => a.seed - b.seed);
}

/** @returns undefined when the seed keeps every promise */
export async function shrinkApart(seed: number, worker = ownWorker): Promise<Case | undefined> {
  let found: Case | undefined;
  await perform(worker, { kind: "shrink", seed }, (answer) => (found = (answer as Case | null) ?? undefined));
  return found;
}

async function perform(worker: string, task: Task, onAnswer: (answer: unknown) => void): Promise<void> {
  const child = fork(worker, [JSON.stringify(task)]);
  child.on("message", onAnswer);
  // Every answer is here when the channel is closed.
  const [[code]] = (await Promise.all([once(child, "exit"), once(child, "disconnect")])) as [[number | null], []];
  if (code !== 0) throw new Error(`a process of the simulation ended with code ${code}`);
}
