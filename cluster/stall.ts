/**
 * Notices when this process did not run: stopped, starved, or busy with one thing for too long.
 *
 * Whoever wakes up after an election timeout may have been replaced without knowing it. Nothing that is answered depends
 * on it: writes need a majority of this term, reads a round of heartbeats that began after them (dissertation 6.4). What is
 * told apart by it is what this node believes of others from their silence, which may be its own. Source: reliability 52.
 */
import type { Time } from "./environment.js";

export interface StallWatchOptions {
  /** A gap beyond this is a stall, ms. */
  readonly gapMsMax: number;
  readonly time: Pick<Time, "nowMs">;
  /** Called after a stall, before anything else of the same turn. */
  readonly onStall: (gapMs: number) => void;
}

export class StallWatch {
  readonly #options: StallWatchOptions;
  #lastMs: number;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#lastMs = options.time.nowMs();
  }

  /** To be called far more often than `gapMsMax`. */
  tick(): void {
    const nowMs = this.#options.time.nowMs();
    const gapMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (gapMs > this.#options.gapMsMax) this.#options.onStall(gapMs);
  }
}
