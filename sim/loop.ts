/**
 * Simulated time: one heap of events ordered by (time, number of the event), and the promises that events set off.
 *
 * An event runs to its end, then everything that promises have ready, then the next event begins: so the code of a node
 * may use promises and is still a function of the order of events.
 */
import { invariant } from "../src/invariant.js";

export interface Event {
  readonly atMs: number;
  readonly number: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class Loop {
  #nowMs = 0;
  #number = 0;
  #events = 0;
  readonly #heap: Event[] = [];
  /** At the present time, before anything in the heap. */
  #soon: Event[] = [];
  #soonAt = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that were run. */
  get events(): number {
    return this.#events;
  }

  after(delayMs: number, run: () => void): Event {
    const event = { atMs: this.#nowMs + delayMs, number: ++this.#number, run, cancelled: false };
    this.#push(event);
    return event;
  }

  soon(run: () => void): Event {
    const event = { atMs: this.#nowMs, number: ++this.#number, run, cancelled: false };
    this.#soon.push(event);
    return event;
  }

  /** @returns false when there is nothing left to do, or nothing before `untilMs` */
  step(untilMs: number): boolean {
    const event = this.#next(untilMs);
    if (event === undefined) return false;
    this.#events += 1;
    event.run();
    return true;
  }

  #next(untilMs: number): Event | undefined {
    for (;;) {
      let event = this.#soon[this.#soonAt];
      if (event !== undefined) {
        this.#soonAt += 1;
        if (this.#soonAt === this.#soon.length) {
          this.#soon = [];
          this.#soonAt = 0;
        }
      } else {
        event = this.#heap[0];
        if (event === undefined || event.atMs > untilMs) return undefined;
        this.#pop();
        this.#nowMs = event.atMs;
      }
      if (!event.cancelled) return event;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] as Event;
      if (isBefore(other, event)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below += 1;
      if (isBefore(last, heap[below] as Event)) break;
      heap[at] = heap[below] as Event;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}

/** Node's own name for "run what is ready": ticks and promise jobs, now and not after the present script. */
const runJobs = (process as unknown as { readonly _tickCallback: () => void })._tickCallback.bind(process);

/** Runs every promise job that is ready, and those that they make ready. */
export function settle(): void {
  runJobs();
}

/**
 * Calls `run` where {@link settle} works: not from within a promise job.
 */
export async function outsideJobs<T>(run: () => T): Promise<T> {
  const ended = await new Promise<{ readonly value: T } | { readonly error: unknown }>((resolve) => {
    setImmediate(() => {
      try {
        let settled = false;
        void Promise.resolve().then(() => (settled = true));
        settle();
        invariant(settled, "this Node does not run promise jobs on demand");
        resolve({ value: run() });
      } catch (error) {
        resolve({ error });
      }
    });
  });
  if ("error" in ended) throw ended.error;
  return ended.value;
}
