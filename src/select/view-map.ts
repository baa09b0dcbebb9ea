/**
 * A {@link View} in memory: the base of tests and of the SDK's harness.
 */

import type { View } from "./view.js";

export class MapView implements View {
  readonly #records = new Map<string, unknown>();

  get size(): number {
    return this.#records.size;
  }

  get(key: string): unknown {
    return this.#records.get(key);
  }

  put(key: string, value: unknown): void {
    this.#records.set(key, value);
  }

  del(key: string): void {
    this.#records.delete(key);
  }

  /** Records whose key starts with `prefix`, in key order. For checks and loading, not for the engine. */
  entries(prefix = ""): [key: string, value: unknown][] {
    return [...this.#records]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  [Symbol.iterator](): IterableIterator<[key: string, value: unknown]> {
    return this.entries()[Symbol.iterator]();
  }
}
