/**
 * Time as this SDK sees it: deadlines, pauses and heartbeats. The test harness puts a virtual one in its place.
 */

export interface Clock {
  /** Unix ms. */
  now(): number;
  /** Calls `run` once. Returns how to call it off. */
  after(ms: number, run: () => void): () => void;
}

/** Longer timers would fire at once: they are set in legs. */
const legMs = 0x7fffffff;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    let timer: ReturnType<typeof setTimeout>;
    const set = (left: number) => {
      timer = left > legMs ? setTimeout(() => set(left - legMs), legMs) : setTimeout(run, left);
    };
    set(ms);
    return () => clearTimeout(timer);
  },
};

/** @throws the reason of `signal` when it aborts */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", abort);
    };
    const abort = () => {
      end();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      end();
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
