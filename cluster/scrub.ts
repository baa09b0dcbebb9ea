/**
 * Reads the whole store again and again, beside the work: finds what the disk changed in silence, before it is needed.
 *
 * Source: reliability 0.2, 50. What damage leads to is the store's business.
 */
import type { Time } from "./environment.js";

export interface ScrubOptions {
  /** Reads every record, in no more than `share` of the time; rejects on damage, which the store reports by itself. */
  readonly verify: (options: { readonly share: number }) => Promise<void>;
  readonly time: Pick<Time, "nowMs" | "after">;
}

/** From the end of one pass to the begin of the next. */
const restMs = 15_000;
/** A pass is to take this long; it is slowed down to it, or takes longer when that would need more than the largest share. */
const passMs = 20_000;
const shareMin = 0.002;
const shareMax = 0.005;

export class Scrub {
  readonly #options: ScrubOptions;
  #share = shareMax;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#rest();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #rest(): void {
    if (!this.#closed) this.#cancel = this.#options.time.after(restMs, () => void this.#pass());
  }

  async #pass(): Promise<void> {
    const { verify, time } = this.#options;
    const beganMs = time.nowMs();
    try {
      await verify({ share: this.#share });
    } catch {
      // The store has failed and says so.
      return;
    }
    const busyMs = (time.nowMs() - beganMs) * this.#share;
    this.#share = Math.min(Math.max(busyMs / passMs, shareMin), shareMax);
    this.#rest();
  }
}
