/**
 * One attempt of a step.
 */
import type { Json } from "../../api/contract.js";
import { durationMs, type Duration } from "../client/duration.js";
import { Failure, SlctError } from "../client/errors.js";
import type { NextAttempt, StepResult } from "../process/due-step.js";
import type { Execution } from "../process/execution.js";
import { durable } from "../process/journal.js";
import type { OpenStep } from "../process/operations.js";
import type { Runtime } from "./runtime.js";

export interface StepEnd {
  readonly op: string;
  readonly result: StepResult;
}

export interface Attempt {
  readonly attempt: number;
  readonly execution: Execution;
  /** Of this attempt: aborted by whoever ends it. */
  readonly controller: AbortController;
  readonly runtime: Runtime;
  /** Hands on what the step says of itself. */
  readonly report: (details: Json) => void;
  readonly lastDetails: Json | undefined;
}

/** Never rejects. */
export async function runStep(step: OpenStep, given: Attempt): Promise<StepEnd> {
  const { attempt, execution, controller, runtime, report, lastDetails } = given;
  let details: Json | undefined;
  let next: NextAttempt | undefined;
  const limits = new Limits(step, runtime, controller, () => details);
  const heartbeat = (said: Json = null) => {
    details = durable(said, `what ${step.label} says of itself`);
    limits.heard();
    report(details);
  };
  try {
    if (step.cancelled) throw execution.signal.reason;
    const idempotencyKey = execution.idempotencyKey(step.op);
    const retryAfter = (pause: Duration) => void (next = { After: durationMs(pause) });
    const retryAt = (time: number | string | Date) => {
      const At = new Date(time).getTime();
      if (Number.isNaN(At)) throw new Failure(`no time: ${String(time)}`, { code: "bad_time" });
      next = { At };
    };
    const retries = { retryAfter, retryAt };
    const context = { attempt, signal: controller.signal, idempotencyKey, heartbeat, lastDetails, ...retries };
    const value = await Promise.race([step.run(context), limits.exceeded]);
    return { op: step.op, result: { value: checked(value, step) } };
  } catch (thrown) {
    return { op: step.op, result: { thrown, ...(details !== undefined && { details }), ...(next && { next }) } };
  } finally {
    limits.end();
  }
}

/** How long an attempt may take, and how long it may be silent. */
class Limits {
  /** Rejects when the attempt is beyond one. */
  readonly exceeded: Promise<never>;
  /** It has said that it is alive. */
  heard: () => void = () => undefined;
  #cancel: (() => void)[] = [];

  constructor(
    { label, options }: OpenStep,
    { clock }: Runtime,
    controller: AbortController,
    said: () => Json | undefined,
  ) {
    const { timeout, heartbeat } = options;
    this.exceeded = new Promise<never>((_, reject) => {
      const set = (limit: Duration, kind: "step" | "heartbeat", what: string) =>
        clock.after(durationMs(limit), () => {
          const details = { Kind: kind, Details: said() ?? null };
          const error = new SlctError("timeout", `${label} ${what} longer than ${limit}`, { details });
          // First, so that what the step throws because it is aborted does not count.
          reject(error);
          controller.abort(error);
        });
      if (timeout !== undefined) this.#cancel.push(set(timeout, "step", "took"));
      if (heartbeat === undefined) return;
      let cancel = set(heartbeat, "heartbeat", "was silent for");
      this.#cancel.push(() => cancel());
      this.heard = () => {
        cancel();
        cancel = set(heartbeat, "heartbeat", "was silent for");
      };
    });
    this.exceeded.catch(() => undefined);
  }

  end(): void {
    this.heard = () => undefined;
    for (const cancel of this.#cancel) cancel();
  }
}

/** @throws Failure: another attempt would give no JSON either */
function checked(value: unknown, { label }: OpenStep): Json {
  try {
    return durable(value, `the result of ${label}`);
  } catch (cause) {
    throw new Failure((cause as Error).message, { code: "not_durable", cause });
  }
}
