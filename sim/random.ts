/**
 * Chance that repeats: streams that a seed and a name begin, and draws that depend on nothing but their arguments.
 *
 * Each concern has a stream of its own, and what is decided per message or per write is drawn by its number, so that
 * leaving one fault out does not shift the others: shrinking depends on it.
 */

/** A well-mixed 32-bit number; the same for the same arguments. */
export function mix(a: number, b: number): number {
  let h = (a ^ Math.imul(b, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The seed of the stream `name`. */
export function streamSeed(seed: number, name: string): number {
  let h = mix(seed, name.length + 1);
  for (let at = 0; at < name.length; at += 1) h = mix(h, name.charCodeAt(at));
  return h;
}

/** Uniform in [0, 1), from numbers alone. */
export function drawAt(seed: number, number: number): number {
  return mix(seed, number) / 2 ** 32;
}

/** Exponential with the given mean, from one uniform draw. */
export function exponential(mean: number, draw: number): number {
  return -mean * Math.log(1 - draw);
}

/** mulberry32: 32 bits of state, good enough to pick commands and faults. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  exponential(mean: number): number {
    return exponential(mean, this.next());
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  of<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  any<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}
