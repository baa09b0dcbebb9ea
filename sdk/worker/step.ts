/**
 * One attempt of a step.
 */
import type { Json } from "../../api/contract.js";
import { durationMs } from "../client/duration.js";
import { Failure, SlctError } from "../client/errors.js";
import type { Execution } from "../process/execution.js";
import { durable } from "../process/journal.js";
import type { OpenStep } from "../process/operations.js";
import type { Runtime } from "./runtime.js";

export interface StepEnd {
  readonly op: string;
  readonly result: { readonly value: Json } | { readonly thrown: unknown };
}

export interface Attempt {
  readonly attempt: number;
  readonly execution: Execution;
  /** The activation is over, however it ended. */
  readonly end: AbortSignal;
  readonly runtime: Runtime;
}

/** Never rejects. */
export async function runStep(step: OpenStep, { attempt, execution, end, runtime }: Attempt): Promise<StepEnd> {
  const controller = new AbortController();
  // One that begins after the cancellation undoes something: it is not cancelled.
  const sources = [end, execution.signal].filter(({ aborted }) => !aborted);
  const abort = (event: Event) => controller.abort((event.target as AbortSignal).reason);
  for (const source of sources) source.addEventListener("abort", abort, { once: true });
  const late = deadline(step, runtime, controller);
  try {
    if (step.cancelled) throw execution.signal.reason;
    const context = { attempt, signal: controller.signal, idempotencyKey: execution.idempotencyKey(step.op) };
    const value = await Promise.race([step.run(context), late.promise]);
    return { op: step.op, result: { value: checked(value, step) } };
  } catch (thrown) {
    return { op: step.op, result: { thrown } };
  } finally {
    late.cancel();
    for (const source of sources) source.removeEventListener("abort", abort);
  }
}

/** Rejects when the attempt has taken too long. */
function deadline({ label, options }: OpenStep, { clock }: Runtime, controller: AbortController) {
  const { timeout } = options;
  if (timeout === undefined) return { promise: new Promise<never>(() => undefined), cancel: () => undefined };
  let cancel: () => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    cancel = clock.after(durationMs(timeout), () => {
      const error = new SlctError("timeout", `${label} took longer than ${timeout}`);
      // First, so that what the step throws because it is aborted does not count.
      reject(error);
      controller.abort(error);
    });
  });
  promise.catch(() => undefined);
  return { promise, cancel };
}

/** @throws Failure: another attempt would give no JSON either */
function checked(value: unknown, { label }: OpenStep): Json {
  try {
    return durable(value, `the result of ${label}`);
  } catch (cause) {
    throw new Failure((cause as Error).message, { code: "not_durable", cause });
  }
}
