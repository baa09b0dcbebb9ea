/**
 * What a workload gives the run: it works until it is stopped, ends what is open, then says what was wrong.
 */
export interface Workload {
  readonly name: string;
  /** Resolves when every operation has a known outcome. */
  stop(): Promise<void>;
  /** After the cluster has healed: every violation found, in words. */
  violations(): Promise<string[]>;
  /** Counts for the log of the run. */
  counts(): Readonly<Record<string, number>>;
}

/** Runs `count` loops of `body` until `stop` is called. Every loop rejects loudly: an unknown outcome is a failure. */
export function loops(
  count: number,
  body: (worker: number, round: number) => Promise<void>,
): { stop(): Promise<void> } {
  let running = true;
  const all = Array.from({ length: count }, async (_, worker) => {
    for (let round = 0; running; round++) await body(worker, round);
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
