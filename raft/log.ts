/**
 * The log as Raft sees it: what is durable (read through {@link LogReader}) overlaid by a tail in memory.
 *
 * The tail holds at least everything that is not durable yet, and what was not handed out as committed since it was
 * appended here, so the usual path from proposal to apply reads nothing back. Does no I/O of its own; a read error of
 * the reader is fatal and passes through. Source: dissertation 3.5, 10.2.1.
 */

import { invariant } from "../src/invariant.js";
import { Configurations } from "./configuration.js";
import type { Configuration, ConflictHint, Entry, Index, LogReader, Term } from "./types.js";

/** Data bytes read at once when the log is searched for configurations. */
const scanBytesMax = 4 * 1024 * 1024;

/** Invariants: `handedIndex <= min(commitIndex, durableIndex)`, `commitIndex <= lastIndex`, `tailStart <= durableIndex + 1`. */
export class RaftLog {
  readonly #reader: LogReader;
  /** Entries of `[#tailStart, #lastIndex]`; the reader is not asked about them. */
  #tail: Entry[] = [];
  #tailStart: Index;
  #lastIndex: Index;
  #lastTerm: Term;
  /** The reader holds exactly this log up to here. */
  #durableIndex: Index;
  /** The write in flight makes the log durable up to here; lowered when entries under way are replaced. */
  #writingTo: Index;
  #commitIndex: Index;
  #handedIndex: Index;
  readonly #configurations: Configurations;

  /** @param at `appliedIndex` undefined: nothing is ever handed out, as there is nothing left to apply it to */
  constructor(
    reader: LogReader,
    at: {
      readonly commitIndex: Index;
      readonly appliedIndex: Index | undefined;
      /** As of `appliedIndex`. */
      readonly configuration: Configuration;
    },
  ) {
    const appliedIndex = at.appliedIndex ?? reader.firstIndex() - 1;
    const last = reader.lastIndex();
    invariant(at.commitIndex <= last, `the log ends at ${last}, below the recorded commit index ${at.commitIndex}`);
    invariant(appliedIndex <= last, `the log ends at ${last}, below the applied index ${appliedIndex}`);
    invariant(appliedIndex >= reader.firstIndex() - 1, `the log was cut above the applied index ${appliedIndex}`);
    const lastTerm = reader.term(last);
    invariant(lastTerm !== undefined, `the log cannot tell the term of its last index ${last}`);
    this.#reader = reader;
    this.#tailStart = last + 1;
    this.#lastIndex = last;
    this.#lastTerm = lastTerm;
    this.#durableIndex = last;
    this.#writingTo = last;
    this.#commitIndex = Math.max(at.commitIndex, appliedIndex);
    this.#handedIndex = at.appliedIndex ?? Infinity;
    this.#configurations = new Configurations(at.configuration, appliedIndex);
    for (let from = appliedIndex + 1; from <= last;) {
      const read = reader.entries(from, last + 1, scanBytesMax);
      invariant(read.length > 0, `the log did not return entry ${from}`);
      this.#configurations.append(read);
      from += read.length;
    }
    this.#configurations.commit(this.#commitIndex);
  }

  get configurations(): Pick<Configurations, "latest" | "before"> {
    return this.#configurations;
  }

  get lastIndex(): Index {
    return this.#lastIndex;
  }

  get lastTerm(): Term {
    return this.#lastTerm;
  }

  get durableIndex(): Index {
    return this.#durableIndex;
  }

  get commitIndex(): Index {
    return this.#commitIndex;
  }

  firstIndex(): Index {
    return this.#reader.firstIndex();
  }

  /** Undefined beyond the end and below the cut. */
  term(index: Index): Term | undefined {
    if (index > this.#lastIndex) return undefined;
    if (index === this.#lastIndex) return this.#lastTerm;
    if (index >= this.#tailStart) return this.#tail[index - this.#tailStart]?.term;
    return this.#reader.term(index);
  }

  /** Whether a log that ends so contains everything this one may have committed (dissertation 3.6.1). */
  isUpToDate(lastLogIndex: Index, lastLogTerm: Term): boolean {
    return lastLogTerm > this.#lastTerm || (lastLogTerm === this.#lastTerm && lastLogIndex >= this.#lastIndex);
  }

  /** Adds entries that follow the last one. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    const last = entries.at(-1);
    if (first === undefined || last === undefined) return;
    invariant(first.index === this.#lastIndex + 1, `append at ${first.index} to a log that ends at ${this.#lastIndex}`);
    for (const entry of entries) this.#tail.push(entry);
    this.#configurations.append(entries);
    this.#lastIndex = last.index;
    this.#lastTerm = last.term;
  }

  /** Takes over what a leader sent; the entry before `entries[0]` is known to match. Keeps everything that agrees. */
  merge(entries: readonly Entry[]): void {
    const start = this.#firstConflict(entries);
    const conflict = entries[start];
    if (conflict === undefined) return;
    if (conflict.index <= this.#lastIndex) this.#truncate(conflict.index);
    this.append(start === 0 ? entries : entries.slice(start));
  }

  /** The last index at or below `index` whose term is at most `term`; term 0 where this log cannot tell. */
  findConflictByTerm(index: Index, term: Term): ConflictHint {
    if (index > this.#lastIndex) return { index, term: 0 };
    let low = this.firstIndex() - 1;
    let high = index;
    if (high < low) return { index, term: 0 };
    if ((this.term(low) ?? 0) > term) return { index: low - 1, term: 0 };
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.term(middle) ?? 0) <= term) low = middle;
      else high = middle - 1;
    }
    return { index: low, term: this.term(low) ?? 0 };
  }

  /** Entries of `[from, to)`, at least one if there is any, at most `bytesMax` of data beyond that. */
  entries(from: Index, to: Index, bytesMax: number): Entry[] {
    if (from >= to) return [];
    if (from >= this.#tailStart) return within(this.#tail, from - this.#tailStart, to - this.#tailStart, bytesMax);
    const read = this.#reader.entries(from, Math.min(to, this.#tailStart), bytesMax);
    invariant(read[0]?.index === from, `the log did not return entry ${from}`);
    return within(read, 0, read.length, bytesMax);
  }

  /** Data bytes of entries in `(after, to]` that were appended here and not handed out yet. */
  bytesBetween(after: Index, to: Index): number {
    let bytes = 0;
    for (let index = after + 1; index <= to; index += 1) bytes += this.#tail[index - this.#tailStart]?.data.length ?? 0;
    return bytes;
  }

  /** @returns whether the commit index grew */
  commitTo(index: Index): boolean {
    if (index <= this.#commitIndex) return false;
    invariant(index <= this.#lastIndex, `commit index ${index} beyond the end of the log ${this.#lastIndex}`);
    this.#commitIndex = index;
    this.#configurations.commit(index);
    return true;
  }

  // ------------------------------------------------------------------------------------------- hand over to the host

  hasUnwritten(): boolean {
    return this.#lastIndex > this.#durableIndex;
  }

  /** What the host has to write next. Followed by {@link written} before the next call. */
  takeUnwritten(): Entry[] {
    this.#writingTo = this.#lastIndex;
    return this.#tail.slice(this.#durableIndex + 1 - this.#tailStart);
  }

  /** The write is durable: as far as its entries were not replaced meanwhile. */
  written(): void {
    this.#durableIndex = this.#writingTo;
    this.#trim();
  }

  hasCommitted(): boolean {
    return this.#handedIndex < Math.min(this.#commitIndex, this.#durableIndex);
  }

  /** The next committed entries that are durable here, each once, in order. */
  takeCommitted(bytesMax: number): Entry[] {
    const to = Math.min(this.#commitIndex, this.#durableIndex) + 1;
    const entries = this.entries(this.#handedIndex + 1, to, bytesMax);
    this.#handedIndex += entries.length;
    this.#trim();
    return entries;
  }

  // ----------------------------------------------------------------------------------------------------- inside

  /** Position in `entries` of the first one that is new or differs here. */
  #firstConflict(entries: readonly Entry[]): number {
    if (entries[0]?.index === this.#lastIndex + 1) return 0;
    const cut = this.firstIndex() - 1;
    return entries.findIndex(({ index, term }) => {
      if (index < cut || this.term(index) === term) return false;
      invariant(index > this.#commitIndex, `entry ${index} of term ${term} conflicts with a committed entry`);
      return true;
    });
  }

  #truncate(from: Index): void {
    invariant(from > this.#commitIndex, `truncation at ${from}, not above the commit index ${this.#commitIndex}`);
    const lastTerm = this.term(from - 1);
    invariant(lastTerm !== undefined, `truncation at ${from} leaves a log of unknown term`);
    this.#configurations.truncate(from);
    if (from <= this.#tailStart) {
      this.#tail = [];
      this.#tailStart = from;
    } else {
      this.#tail.length = from - this.#tailStart;
    }
    this.#lastIndex = from - 1;
    this.#lastTerm = lastTerm;
    this.#durableIndex = Math.min(this.#durableIndex, from - 1);
    this.#writingTo = Math.min(this.#writingTo, from - 1);
  }

  /** Drops what nobody needs from memory any more, in steps that keep the cost per entry constant. */
  #trim(): void {
    const droppable = Math.min(this.#durableIndex, this.#handedIndex) + 1 - this.#tailStart;
    if (droppable <= 0 || droppable * 2 < this.#tail.length) return;
    this.#tail.splice(0, droppable);
    this.#tailStart += droppable;
  }
}

function within(entries: Entry[], from: number, to: number, bytesMax: number): Entry[] {
  let bytes = 0;
  let end = from;
  for (let entry = entries[end]; end < to && entry !== undefined; entry = entries[end]) {
    bytes += entry.data.length;
    if (bytes > bytesMax && end > from) break;
    end += 1;
  }
  return from === 0 && end === entries.length ? entries.slice() : entries.slice(from, end);
}
