/**
 * A {@link LogReader} in memory, with the writing side a host needs: for tests and for embedding without a disk.
 */

import { invariant } from "../src/invariant.js";
import type { Entry, Index, LogReader, Term } from "./types.js";

export class MemoryLog implements LogReader {
  #entries: Entry[] = [];
  /** What lies right below the first stored entry. */
  #cut: { readonly index: Index; readonly term: Term } = { index: 0, term: 0 };

  constructor(entries: readonly Entry[] = []) {
    this.append(entries);
  }

  firstIndex(): Index {
    return this.#cut.index + 1;
  }

  lastIndex(): Index {
    return this.#cut.index + this.#entries.length;
  }

  term(index: Index): Term | undefined {
    return index === this.#cut.index ? this.#cut.term : this.#entries[index - this.#cut.index - 1]?.term;
  }

  entries(from: Index, to: Index, bytesMax: number): Entry[] {
    const end = Math.min(to, this.lastIndex() + 1);
    invariant(from > this.#cut.index, `entry ${from} was cut off`);
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < end; index += 1) {
      const entry = this.#entries[index - this.#cut.index - 1];
      if (entry === undefined) break;
      bytes += entry.data.length;
      if (bytes > bytesMax && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  /** Entries replace whatever is stored from `entries[0].index` on. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > this.#cut.index && first.index <= this.lastIndex() + 1, `a hole before ${first.index}`);
    this.#entries.length = first.index - this.#cut.index - 1;
    for (const entry of entries) this.#entries.push(entry);
  }

  /** Makes room for a snapshot of entry `index`: keeps what follows if that entry is here, and nothing otherwise. */
  install(index: Index, term: Term): void {
    if (this.term(index) === term) return this.compact(index);
    this.#entries = [];
    this.#cut = { index, term };
  }

  /** Drops entries up to `index`, at most all. */
  compact(index: Index): void {
    const to = Math.min(index, this.lastIndex());
    const term = this.term(to);
    if (to <= this.#cut.index || term === undefined) return;
    this.#entries = this.#entries.slice(to - this.#cut.index);
    this.#cut = { index: to, term };
  }
}
