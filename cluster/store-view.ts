/**
 * The records of LevelDB at one index: a clone of its files, read page by page beside everything else.
 *
 * The mark that the clone holds says which index that is, so it is exact whatever is written meanwhile.
 * What is read is checked record by record, and, if it is read from the start, against the hash of all: a damaged store is
 * not passed on.
 */
import { damaged } from "./level-open.js";
import type { CheckedPair, LevelRecords } from "./level-records.js";
import { StorageError } from "./storage-error.js";
import { pageBytes } from "./store-range.js";
import { appliedKey, StateHash, type AppliedMark } from "./store-record.js";
import type { ReadView } from "./types.js";

type StoredPage = readonly (readonly [key: string, stored: Buffer])[];

/** One read of the iterator: they are checked in one go. */
const pageMax = 250;

export class LevelView implements ReadView {
  readonly #from: LevelRecords;
  readonly #clone: LevelRecords;
  /** Keeps the files of values that its pointers lead to. */
  readonly #unpin: () => void;
  readonly #fail: (error: unknown) => Error;
  readonly #mark: AppliedMark;
  #closed = false;

  /**
   * @param fail what becomes of an error of LevelDB, or of damage that is found; returns what is to be thrown
   * @throws Error when there is no room for it, or the store is closed; that is no failure of the store
   */
  static async open(records: LevelRecords, fail: (error: unknown) => Error): Promise<LevelView> {
    let cloned: Awaited<ReturnType<LevelRecords["clone"]>> | undefined;
    try {
      cloned = await records.clone();
      const { records: clone, unpin } = cloned;
      return new LevelView(records, { clone, mark: await clone.applied(), unpin, fail });
    } catch (error) {
      cloned?.unpin();
      if (cloned !== undefined) await records.drop(cloned.records);
      // What is damaged in the clone is so in the store.
      throw error instanceof StorageError && error.kind === "corrupt" ? fail(error) : error;
    }
  }

  private constructor(
    from: LevelRecords,
    parts: { clone: LevelRecords; mark: AppliedMark; unpin: () => void; fail: (error: unknown) => Error },
  ) {
    this.#from = from;
    this.#clone = parts.clone;
    this.#mark = parts.mark;
    this.#unpin = parts.unpin;
    this.#fail = parts.fail;
  }

  get index(): number {
    return this.#mark.index;
  }

  get term(): number {
    return this.#mark.term;
  }

  get records(): number {
    return this.#mark.hash.records;
  }

  get hash(): string {
    return this.#mark.hash.digits;
  }

  get(key: string): unknown {
    return this.#guarded(() => this.#clone.getSync(key)?.value);
  }

  async *pages(after: string): AsyncGenerator<StoredPage> {
    const found = new StateHash();
    const options = { gt: after, highWaterMarkBytes: pageBytes, fillCache: false };
    // Nothing is written to the clone, so this may take as long as it takes.
    const iterator = this.#guarded(() => this.#clone.db.iterator(options));
    try {
      while (!this.#closed) {
        const read = await iterator.nextv(pageMax).catch((error: unknown) => {
          throw this.#failed(error);
        });
        if (read.length === 0) break;
        const held = read.filter(([key]) => key !== appliedKey);
        for await (const page of this.#resolved(held)) {
          for (const [key, , sum] of page) found.add(key, sum);
          yield page.map(([key, stored]) => [key, stored] as const);
        }
      }
    } finally {
      await iterator.close();
    }
    if (this.#closed) throw this.#failed(undefined);
    const isWhole = found.records === this.records && found.digits === this.hash;
    if (after !== "" || isWhole) return;
    throw this.#failed(damaged(this.#from.dir, `it holds ${found.records} records where ${this.records} were stored`));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unpin();
    await this.#from.drop(this.#clone);
  }

  async *#resolved(held: StoredPage): AsyncGenerator<readonly CheckedPair[]> {
    try {
      yield* this.#clone.resolve(held);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Using a view that was closed is the user's mistake, not LevelDB's. */
  #failed(error: unknown): Error {
    return this.#closed ? new Error("the view is closed", { cause: error }) : this.#fail(error);
  }
}
