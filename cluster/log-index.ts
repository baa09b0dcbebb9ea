/**
 * Where the entries of the log are: a place in a file for each, and the newest ones in memory as well.
 */
import { invariant } from "../src/invariant.js";
import type { Entry, Index, Term } from "../raft/types.js";

export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly bodyBytes: number;
}

/** Numbers per entry: segment, offset, bodyBytes, term. */
const width = 4;

/** Locations of the contiguous indexes `[first, last]`, in flat memory: a log may hold millions. */
export class LogIndex {
  #rows = new Float64Array(width * 1024);
  #first: Index;
  #prevTerm: Term;
  #count = 0;
  /** Row of `#first`. */
  #head = 0;

  constructor(first: Index, prevTerm: Term) {
    this.#first = first;
    this.#prevTerm = prevTerm;
  }

  get first(): Index {
    return this.#first;
  }

  get last(): Index {
    return this.#first + this.#count - 1;
  }

  term(index: Index): Term | undefined {
    if (index === this.#first - 1) return this.#prevTerm;
    if (index < this.#first || index > this.last) return undefined;
    return this.#rows[this.#row(index) + 3];
  }

  location(index: Index): Location {
    invariant(index >= this.#first && index <= this.last, `entry ${index} is not stored`);
    const row = this.#row(index);
    return {
      segment: this.#rows[row] ?? 0,
      offset: this.#rows[row + 1] ?? 0,
      bodyBytes: this.#rows[row + 2] ?? 0,
    };
  }

  /** Stores `index`; what was there from `index` on is forgotten. */
  set(index: Index, term: Term, { segment, offset, bodyBytes }: Location): void {
    invariant(index >= this.#first && index <= this.last + 1, `entry ${index} does not follow ${this.last}`);
    this.#count = index - this.#first;
    this.#reserve();
    this.#rows.set([segment, offset, bodyBytes, term], this.#row(index));
    this.#count++;
  }

  /** Forgets everything below `first`, at most all. */
  dropBelow(first: Index, prevTerm: Term): void {
    const dropped = Math.min(first - this.#first, this.#count);
    if (dropped < 0) return;
    this.#head += dropped;
    this.#count -= dropped;
    this.#first = first;
    this.#prevTerm = prevTerm;
  }

  /** The first index that is stored in `segment` or a later one; `last + 1` if there is none. Locations only grow. */
  firstIn(segment: number): Index {
    let low = this.#first;
    let high = this.last + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.location(middle).segment >= segment) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #row(index: Index): number {
    return (this.#head + index - this.#first) * width;
  }

  #reserve(): void {
    if ((this.#head + this.#count + 1) * width <= this.#rows.length) return;
    const from = this.#head * width;
    const to = from + this.#count * width;
    if (this.#head > this.#count) {
      this.#rows.copyWithin(0, from, to);
    } else {
      const rows = new Float64Array(this.#rows.length * 2);
      rows.set(this.#rows.subarray(from, to));
      this.#rows = rows;
    }
    this.#head = 0;
  }
}

/** The newest entries, bounded by the bytes of their data: what followers that keep up are sent is never read back. */
export class RecentEntries {
  readonly #bytesMax: number;
  #entries: Entry[] = [];
  /** Position of the first one that is still held. */
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(index: Index): Entry | undefined {
    const first = this.#entries[this.#head];
    return first === undefined || index < first.index ? undefined : this.#entries[this.#head + index - first.index];
  }

  /** Adds entries; what was held from the first of them on is replaced. */
  append(entries: readonly Entry[]): void {
    const [added] = entries;
    const first = this.#entries[this.#head];
    if (added === undefined) return;
    const keep = first === undefined ? 0 : Math.max(0, added.index - first.index);
    for (const entry of this.#entries.splice(this.#head + keep)) this.#bytes -= entry.data.length;
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.data.length;
    }
    while (this.#bytes > this.#bytesMax) this.#dropFirst();
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #dropFirst(): void {
    const first = this.#entries[this.#head];
    invariant(first !== undefined, "entries are held as long as there are bytes");
    this.#bytes -= first.data.length;
    // The array is cut rarely; the entry must not be kept alive until then.
    this.#entries[this.#head++] = { ...first, data: nothing };
  }
}

const nothing = new Uint8Array(0);
