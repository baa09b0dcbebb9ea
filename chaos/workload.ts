/**
 * What a workload gives the run: it works until it is stopped, ends what is open, then says what was wrong.
 */
import { setTimeout as pause } from "node:timers/promises";

/** What an operation of the service must never do. */
export const kinds = [
  /** Acknowledged, and gone. */
  "lost",
  /** Done or delivered twice. */
  "duplicated",
  /** There, and nobody put it there. */
  "phantom",
  /** Out of the order that the service promises. */
  "reordered",
  /** A read that does not show what was acknowledged before it began. */
  "stale",
  /** A timer before its time. */
  "early",
  /** Two holders of one state at a time, or one that was fenced off and still counted. */
  "overlap",
  /** Not done although nothing is in the way any more. */
  "stuck",
  /** An answer that the rules do not allow. */
  "wrong",
] as const;
export type Kind = (typeof kinds)[number];

export interface Violation {
  readonly kind: Kind;
  readonly what: string;
}

export interface Workload {
  readonly name: string;
  /** Resolves when every operation has a known outcome, or is known to stay without one. */
  stop(): Promise<void>;
  /** After the cluster has healed: every violation found. */
  violations(): Promise<Violation[]>;
  /** For the log of the run. */
  counts(): Readonly<Record<string, number>>;
}

/**
 * Runs `count` loops of `body`, `paceMs` apart at least, until `stop` is called. Every loop rejects loudly: an outcome
 * that stays unknown although the client repeats is a failure.
 */
export function loops(
  count: number,
  paceMs: number,
  body: (worker: number, round: number) => Promise<void>,
): { stop(): Promise<void> } {
  let running = true;
  const all = Array.from({ length: count }, async (_, worker) => {
    for (let round = 0; running; round++) {
      const pace = pause(paceMs);
      await body(worker, round);
      await pace;
    }
  });
  const done = Promise.all(all);
  // Observed in stop(); an earlier rejection must not end the process.
  done.catch(() => undefined);
  return {
    async stop() {
      running = false;
      await done;
    },
  };
}

/** Adds what was wrong with an answer. */
export function wrong(what: string, reply: { readonly status: number; readonly body: unknown }): Violation {
  return { kind: "wrong", what: `${what}: ${reply.status} ${JSON.stringify(reply.body)}` };
}

export function statePath(id: string, query = ""): string {
  return `/state/${encodeURIComponent(id)}${query}`;
}
