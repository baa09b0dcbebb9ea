/**
 * The applied records: a dirty overlay over LevelDB, written lazily in atomic batches.
 *
 * The Raft log makes records durable, LevelDB only saves replaying it from the start: after a crash the applied index that
 * stands in LevelDB is the truth. While one generation of the overlay is written, the next takes the writes that come
 * meanwhile; what was written last stays as a cache. Any error of LevelDB is final (reliability 0.1): it goes to `onError`
 * and every later call throws it. Damage that LevelDB does not report is found by level-check.ts when the store opens, by
 * the checksum of each record when it is read, and by {@link LevelStore.verify}. Source: design decision 3.
 */
import { invariant } from "../src/invariant.js";
import type { Index, Term } from "../raft/types.js";
import { lockDirectory, type DirectoryLock } from "./directory.js";
import { failureOf, fileBytes } from "./level-open.js";
import { LevelRecords } from "./level-records.js";
import { estimateBytes, missing, nothingStored, Overlay, storedOf, type Slot } from "./overlay.js";
import { writeGeneration } from "./store-flush.js";
import { mergePages, pickPage } from "./store-range.js";
import type { AppliedMark } from "./store-record.js";
import { LevelView } from "./store-view.js";
import type { ReadView, Store } from "./types.js";
import { Collector } from "./value-collect.js";

export interface LevelStoreOptions {
  readonly dir: string;
  /** Estimated bytes of dirty records from which on they are written. Up to three times as much stays in memory. */
  readonly overlayBytesMax: number;
  /** Size from which on a file of large records is not appended to any more. Default: 256 MiB. */
  readonly valueFileBytes?: number;
  /** The store failed or its content is damaged; called once. */
  readonly onError: (error: unknown) => void;
}

/** Written at the latest after this many entries, so that a restart replays no more. */
const flushEntriesMax = 50_000;
/** Part of the time that checking in the background may take. */
const backgroundShare = 0.25;

export class LevelStore implements Store {
  readonly #records: LevelRecords;
  readonly #collector: Collector;
  readonly #lock: DirectoryLock;
  readonly #overlayBytesMax: number;
  readonly #onError: (error: unknown) => void;
  #active = new Overlay();
  /** Being written. */
  #frozen: Overlay | undefined;
  /** As in LevelDB: the generation written last, and what was read since. */
  #clean: Map<string, Slot> = new Map();
  #cleanBytes = 0;
  #appliedIndex: Index;
  #appliedTerm: Term;
  #flushed: AppliedMark;
  /** Applied index of what is being written. */
  #frozenIndex: Index | undefined;
  #entriesSince = 0;
  /** Writes of an entry that is not complete: nothing may be frozen. */
  #open = false;
  #flushing: Promise<void> | undefined;
  #verifying: Promise<void> | undefined;
  /** Nothing goes on in the background any more. */
  readonly #stop = new AbortController();
  #failure: Error | undefined;

  /**
   * Opens or creates the store in `dir`. If it was not closed in order, all records are checked in the background.
   * @throws StorageError when the directory is in use or damaged
   */
  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    const { dir } = options;
    const lock = await lockDirectory(dir);
    try {
      const { records, applied } = await LevelRecords.open(dir, options.valueFileBytes);
      const store = new LevelStore(options, records, lock, applied);
      if (!applied.closed) store.verify({ share: backgroundShare }).catch(() => undefined);
      return store;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(options: LevelStoreOptions, records: LevelRecords, lock: DirectoryLock, flushed: AppliedMark) {
    this.#records = records;
    this.#collector = new Collector(records);
    this.#lock = lock;
    this.#overlayBytesMax = options.overlayBytesMax;
    this.#onError = options.onError;
    this.#flushed = flushed;
    this.#appliedIndex = flushed.index;
    this.#appliedTerm = flushed.term;
  }

  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  get flushedIndex(): Index {
    return this.#flushed.index;
  }

  /** Writing does not keep up: nothing new should be taken in. */
  get congested(): boolean {
    return this.#flushing !== undefined && this.#active.bytes > 2 * this.#overlayBytesMax;
  }

  get(key: string): unknown {
    if (this.#failure !== undefined) throw this.#failure;
    const slot = this.#active.slots.get(key) ?? this.#frozen?.slots.get(key) ?? this.#clean.get(key);
    return slot === undefined ? this.#read(key) : slot.value;
  }

  put(key: string, value: unknown, isNew = false): void {
    invariant(value !== undefined, "a record is put, not deleted");
    this.#set(key, value, isNew);
  }

  del(key: string): void {
    this.#set(key, undefined, false);
  }

  advance(index: Index, term: Term): void {
    invariant(index >= this.#appliedIndex, `applied ${index} after ${this.#appliedIndex}`);
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#open = false;
    this.#entriesSince++;
    this.#flushIfDue();
  }

  /** Resolves when everything applied so far is in LevelDB. */
  async flush(): Promise<void> {
    const generation = this.#active;
    const isWritten = generation.slots.size === 0 && this.#appliedIndex === (this.#frozenIndex ?? this.#flushed.index);
    while (!isWritten && this.#active === generation) {
      if (this.#flushing === undefined) this.#startFlush(false);
      else await this.#flushing;
    }
    await this.#flushing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async range({ gte, lt, limit }: Parameters<Store["range"]>[0]): Promise<[string, unknown][]> {
    if (this.#failure !== undefined) throw this.#failure;
    let unpin = (): void => undefined;
    try {
      const picked = await this.#records.iterate({ gte, lt }, (iterator) => {
        // Both overlays and the iterator's view are taken before anything else can be applied.
        unpin = this.#records.values.pin();
        const newer = this.#active.page(gte, lt, limit);
        // Each of them may hide one of the older ones.
        const dirty = mergePages(newer, this.#frozen?.page(gte, lt, limit + newer.length) ?? []);
        return pickPage(iterator, dirty, limit);
      });
      return await this.#records.decode(picked);
    } catch (error) {
      throw this.#fail(error);
    } finally {
      unpin();
    }
  }

  async stateHash(): Promise<{ readonly index: Index; readonly hash: string }> {
    await this.flush();
    return { index: this.#flushed.index, hash: this.#flushed.hash.digits };
  }

  sizeBytes(): Promise<number> {
    return fileBytes(this.#records.dir);
  }

  async readView(): Promise<ReadView> {
    await this.flush();
    // What was open when the store was closed breaks off; that is no failure of the store.
    const { signal } = this.#stop;
    return LevelView.open(this.#records, (error) => (signal.aborted ? new Error("closed") : this.#fail(error)));
  }

  /**
   * Reads every record and compares their hash with the one recorded: finds what LevelDB lost or changed in silence.
   * Too slow to wait for at every start, so it runs beside the work; a difference ends the node.
   * @param share part of the time it may take, (0, 1]
   * @throws StorageError `corrupt`
   */
  verify({ share = 1 }: { readonly share?: number } = {}): Promise<void> {
    this.#verifying ??= this.#verify(share).finally(() => (this.#verifying = undefined));
    return this.#verifying;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.#verifying, this.#flushing]);
    try {
      if (this.#failure === undefined) {
        await this.flush();
        if (!this.#flushed.closed) {
          this.#startFlush(true);
          await this.#flushing;
        }
      }
    } finally {
      this.#failure ??= new Error("the store is closed");
      await this.#records.close();
      await this.#lock.release();
    }
  }

  // ------------------------------------------------------------------------------------------------------ reading

  #read(key: string): unknown {
    let slot = missing;
    try {
      const found = this.#records.getSync(key);
      if (found !== undefined) slot = { ...found, bytes: estimateBytes(found.value), base: undefined };
    } catch (error) {
      throw this.#fail(error);
    }
    if (this.#cleanBytes > this.#overlayBytesMax) {
      this.#clean = new Map();
      this.#cleanBytes = 0;
    }
    this.#cleanBytes += slot.bytes;
    this.#clean.set(key, slot);
    return slot.value;
  }

  async #verify(share: number): Promise<void> {
    try {
      await this.#records.verify({ share, signal: this.#stop.signal });
    } catch (error) {
      throw this.#fail(error);
    }
  }

  // ------------------------------------------------------------------------------------------------------ writing

  #set(key: string, value: unknown, isNew: boolean): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#open = true;
    if (this.#active.change(key, value)) return;
    this.#active.add(
      key,
      value,
      isNew ? nothingStored : (this.#frozen?.slots.get(key) ?? storedOf(this.#clean.get(key))),
    );
  }

  #flushIfDue(): void {
    if (this.#flushing !== undefined || this.#open || this.#failure !== undefined) return;
    if (this.#active.bytes > this.#overlayBytesMax || this.#entriesSince >= flushEntriesMax) this.#startFlush(false);
  }

  #startFlush(closed: boolean): void {
    if (this.#failure !== undefined) throw this.#failure;
    invariant(!this.#open, "only whole entries are written");
    const generation = this.#active;
    const mark = { index: this.#appliedIndex, term: this.#appliedTerm, hash: this.#flushed.hash.copy(), closed };
    this.#frozen = generation;
    this.#frozenIndex = mark.index;
    this.#active = new Overlay();
    this.#entriesSince = 0;
    const flushing = this.#write(generation, mark);
    flushing.catch(() => undefined);
    this.#flushing = flushing;
  }

  async #write(generation: Overlay, mark: Omit<AppliedMark, "values">): Promise<void> {
    const isUrgent = () =>
      generation.bytes + this.#active.bytes > this.#overlayBytesMax / 2 || this.#stop.signal.aborted;
    try {
      this.#flushed = await this.#records.writing(() =>
        writeGeneration(this.#records, this.#collector, generation, mark, isUrgent),
      );
    } catch (error) {
      throw this.#fail(error);
    }
    this.#clean = generation.slots;
    this.#cleanBytes = generation.bytes;
    this.#frozen = undefined;
    this.#frozenIndex = undefined;
    this.#flushing = undefined;
    this.#flushIfDue();
  }

  // ------------------------------------------------------------------------------------------------------ failing

  /** The first failure is final. What LevelDB says of itself afterwards cannot be trusted. */
  #fail(error: unknown): Error {
    if (this.#failure === undefined) {
      this.#failure = failureOf(this.#records.dir, error);
      this.#stop.abort();
      this.#onError(this.#failure);
    }
    return this.#failure;
  }
}
