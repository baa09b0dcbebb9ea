/**
 * The applied records of one node: in memory, flushed to its disk now and then as one atomic batch with their index.
 */
import type { ReadView, Store } from "../cluster/types.js";
import type { Index, Term } from "../raft/types.js";
import type { Disk } from "./disk.js";
import type { Event, Loop } from "./loop.js";
import { SimView } from "./snapshots.js";

/** In the order in which an entry wrote them; undefined: deleted. */
export type Writes = readonly (readonly [key: string, value: unknown])[];

export interface StoreHost {
  readonly loop: Loop;
  readonly flushEntries: number;
  readonly flushMs: () => number;
  /** Runs what follows from a flush in the node, if it still lives. */
  complete(run: () => void): void;
  /** An entry is applied here, these are its writes. */
  onAdvanced(index: Index, term: Term, writes: Writes): void;
  /** The store cannot keep up. */
  isCongested(): boolean;
}

export class SimStore implements Store {
  readonly #disk: Disk;
  readonly #host: StoreHost;
  readonly #records: Map<string, unknown>;
  #writes: [string, unknown][] = [];
  /** Since the last flush began. */
  #dirty = new Map<string, unknown>();
  #flushing: { readonly done: Event; readonly promise: Promise<void> } | undefined;
  #appliedIndex: Index;
  #appliedTerm: Term;
  #entries = 0;

  constructor(disk: Disk, host: StoreHost) {
    this.#disk = disk;
    this.#host = host;
    this.#records = new Map(disk.records);
    this.#appliedIndex = disk.mark.index;
    this.#appliedTerm = disk.mark.term;
  }

  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  get flushedIndex(): Index {
    return this.#disk.mark.index;
  }

  get congested(): boolean {
    return this.#host.isCongested();
  }

  get records(): ReadonlyMap<string, unknown> {
    return this.#records;
  }

  get(key: string): unknown {
    return this.#records.get(key);
  }

  put(key: string, value: unknown): void {
    this.#records.set(key, value);
    this.#writes.push([key, value]);
  }

  del(key: string): void {
    this.#records.delete(key);
    this.#writes.push([key, undefined]);
  }

  advance(index: Index, term: Term): void {
    const writes = this.#writes;
    this.#writes = [];
    for (const [key, value] of writes) this.#dirty.set(key, value);
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#entries += 1;
    this.#host.onAdvanced(index, term, writes);
    if (this.#entries >= this.#host.flushEntries && this.#flushing === undefined) void this.#startFlush();
  }

  async flush(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing.promise;
    if (this.#dirty.size > 0 || this.#disk.mark.index < this.#appliedIndex) await this.#startFlush();
  }

  /** Key by key in memory: what waits for it sees a consistent page. */
  range({ gte, lt, limit }: { gte: string; lt: string; limit: number }): Promise<[string, unknown][]> {
    const found: [string, unknown][] = [];
    for (const [key, value] of this.#records) if (key >= gte && key < lt) found.push([key, value]);
    found.sort(([a], [b]) => (a < b ? -1 : 1));
    return Promise.resolve(found.slice(0, limit));
  }

  stateHash(): Promise<{ index: Index; hash: string }> {
    return Promise.resolve({ index: this.#appliedIndex, hash: "" });
  }

  sizeBytes(): Promise<number> {
    return Promise.resolve(0);
  }

  async readView(): Promise<ReadView> {
    await this.flush();
    return new SimView(this.#disk.records, this.#disk.mark);
  }

  close(): Promise<void> {
    return this.flush();
  }

  /** The process is gone: what was not flushed is lost. */
  crash(): void {
    if (this.#flushing !== undefined) this.#flushing.done.cancelled = true;
  }

  #startFlush(): Promise<void> {
    const dirty = this.#dirty;
    const mark = { index: this.#appliedIndex, term: this.#appliedTerm };
    this.#dirty = new Map();
    this.#entries = 0;
    let finish: () => void = () => undefined;
    const promise = new Promise<void>((resolve) => (finish = resolve));
    const done = this.#host.loop.after(this.#host.flushMs(), () => {
      this.#flushing = undefined;
      for (const [key, value] of dirty) {
        if (value === undefined) this.#disk.records.delete(key);
        else this.#disk.records.set(key, value);
      }
      this.#disk.mark = mark;
      this.#host.complete(finish);
    });
    this.#flushing = { done, promise };
    return promise;
  }
}
