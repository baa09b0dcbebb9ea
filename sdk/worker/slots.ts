/**
 * How many processes run at once: who has no slot waits for one, first come, first served.
 */

export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  get free(): number {
    return this.#free;
  }

  /** @param first before all others that wait */
  acquire(first = false): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => void (first ? this.#waiting.unshift(resolve) : this.#waiting.push(resolve)));
  }

  /** As many as there are free, up to `count`. */
  take(count: number): number {
    const taken = Math.max(0, Math.min(count, this.#free));
    this.#free -= taken;
    return taken;
  }

  release(count = 1): void {
    for (let i = 0; i < count; i++) {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
