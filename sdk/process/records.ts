/**
 * The durable side of a process in memory: what is stored of it, and what has to be.
 */
import type { CaseBody, CloseItem, MakeBody } from "../../api/contract.js";
import type { LoopFrame, RunningData, StepRetry } from "../client/process-data.js";
import type { NextAttempt } from "./due-step.js";
import { Journal } from "./journal.js";

/** A child as it is to be created. */
export interface Spawn {
  readonly id: string;
  readonly data: RunningData;
  readonly startAt?: number | string;
}

/** Something asked of the service along with a put-back, which may be refused. */
export type Effect =
  | { readonly kind: "make"; readonly make: MakeBody }
  | { readonly kind: "close"; readonly close: CloseItem }
  | { readonly kind: "spawn"; readonly spawn: Spawn };

export class Records {
  readonly journal: Journal;
  /** Loops that run, by operation. */
  readonly loops: Map<string, LoopFrame>;
  /** Steps between two attempts, by operation. */
  readonly retries: Map<string, StepRetry>;
  /** Selects at the service that have not resolved as far as is known, by ID, with their labels. */
  readonly registered: Map<string, string>;
  // What the next put-back brings:
  readonly effects = new Map<string, Effect>();
  readonly cancels = new Set<string>();
  /** Processes that end with the iteration that called them. */
  readonly bound = new Set<string>();
  /** After failed attempts, by ID of their select. */
  readonly timers = new Map<string, CaseBody>();

  constructor(data: RunningData, registered: ReadonlyMap<string, string>) {
    this.journal = new Journal(data.journal);
    this.loops = new Map(Object.entries(data.loops ?? {}));
    this.retries = new Map(Object.entries(data.retries ?? {}));
    this.registered = new Map(registered);
  }

  /** What this operation was when it was recorded. */
  labelOf(op: string): string | undefined {
    return (
      this.journal.get(op)?.is ??
      this.registered.get(op) ??
      this.retries.get(op)?.is ??
      (this.loops.has(op) ? "loop" : undefined)
    );
  }

  /** A step is tried again, later. */
  retry(op: string, retry: StepRetry, next: NextAttempt): void {
    this.retries.set(op, retry);
    this.timers.set(retrySelect(op, retry.attempts), { Op: 3, ...next });
  }

  /** The selects of an operation are no longer wanted. */
  withdraw(op: string): void {
    const retry = this.retries.get(op);
    const select = retry === undefined ? op : retrySelect(op, retry.attempts);
    this.retries.delete(op);
    this.timers.delete(select);
    if (this.registered.delete(select)) this.cancels.add(select);
  }

  /** Forgets everything inside of a scope. */
  drop(path: string): void {
    const inside = `${path}.`;
    for (const op of [...this.loops.keys()]) if (op.startsWith(inside)) this.loops.delete(op);
    this.journal.drop(path);
  }

  get hasNews(): boolean {
    return this.effects.size + this.cancels.size + this.bound.size + this.timers.size > 0;
  }

  /** For `Data`. */
  snapshot(): Pick<RunningData, "journal" | "loops" | "retries"> {
    return {
      journal: [...this.journal.entries],
      ...(this.loops.size > 0 && { loops: Object.fromEntries(this.loops) }),
      ...(this.retries.size > 0 && { retries: Object.fromEntries(this.retries) }),
    };
  }

  /** The service has taken the news. */
  stored(): void {
    this.effects.clear();
    this.cancels.clear();
    this.bound.clear();
    this.timers.clear();
  }
}

/** ID of the timer that follows the attempt of this number. */
export function retrySelect(op: string, attempts: number): string {
  return `${op}~${attempts}`;
}

/** The operation and the number of the attempt, if the ID is that of such a timer. */
export function readRetrySelect(id: string): { readonly op: string; readonly attempts: number } | undefined {
  const [, op, attempts] = /^(.+)~(\d+)$/.exec(id) ?? [];
  return op === undefined ? undefined : { op, attempts: Number(attempts) };
}
