/**
 * Whether a step is tried again, and when.
 */
import { durationMs } from "../client/duration.js";
import { Failure } from "../client/errors.js";
import type { RetryPolicy } from "./context.js";

const defaults = { attempts: 10, first: "1s", max: "1m", factor: 2 } as const;
/** Part of a pause that is left to chance, so that many steps that failed together do not come back together. */
const jitter = 0.2;

export function mayRetry(error: unknown, attempts: number, policy: RetryPolicy = {}): boolean {
  if (error instanceof Failure || attempts >= (policy.attempts ?? defaults.attempts)) return false;
  const { never } = policy;
  if (never === undefined) return true;
  if (typeof never === "function") return !never(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code !== "string" || !never.includes(code);
}

/**
 * Pause after this many attempts.
 * @param chance uniform in [0, 1)
 */
export function delayMs(attempts: number, chance: number, policy: RetryPolicy = {}): number {
  const { first = defaults.first, max = defaults.max, factor = defaults.factor } = policy;
  const pause = Math.min(durationMs(first) * factor ** (attempts - 1), durationMs(max));
  return Math.round(pause * (1 - jitter * chance));
}
