/**
 * Clocks and timers that a test moves.
 */
import type { Time } from "../../cluster/environment.js";

interface Timer {
  dueMs: number;
  readonly everyMs: number | undefined;
  readonly run: () => void;
}

export class ManualTime implements Time {
  /** Wall clock less monotonic clock. */
  offMs = 1_700_000_000_000;
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  wallMs(): number {
    return this.#nowMs + this.offMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + ms, everyMs: undefined, run });
  }

  every(ms: number, run: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + ms, everyMs: ms, run });
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Time passes; what is due runs in order, and so does what follows from it without waiting. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await turn();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.everyMs;
      next.run();
      await turn();
    }
    this.#nowMs = endMs;
  }

  /** The process does not run while the clocks go on; then what was due runs once. */
  stop(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers) timer.dueMs = Math.max(timer.dueMs, this.#nowMs);
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(endMs: number): Timer | undefined {
    const due = [...this.#timers].filter(({ dueMs }) => dueMs <= endMs);
    return due.sort((a, b) => a.dueMs - b.dueMs)[0];
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
