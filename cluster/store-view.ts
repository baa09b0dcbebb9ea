/**
 * The records of LevelDB at one index: a LevelDB snapshot, read page by page beside everything else.
 *
 * The mark that LevelDB holds in the same snapshot says which index that is, so it is exact whatever is written meanwhile.
 * What is read is checked record by record, and, if it is read from the start, against the hash of all: a damaged store is
 * not passed on.
 */
import { damaged } from "./level-open.js";
import type { CheckedPair, LevelRecords, LevelSnapshot } from "./level-records.js";
import { appliedKey, decodeApplied, StateHash, type AppliedMark } from "./store-record.js";
import type { ReadView } from "./types.js";

type StoredPage = readonly (readonly [key: string, stored: Buffer])[];

/** One read of the iterator: at most so many records, and no more once it has so many bytes. They are checked in one go. */
const pageRecordsMax = 250;
const pageBytes = 128 * 1024;

export class LevelView implements ReadView {
  readonly #records: LevelRecords;
  /** Keeps the files of values that its pointers lead to. */
  readonly #unpin: () => void;
  readonly #snapshot: LevelSnapshot;
  readonly #fail: (error: unknown) => Error;
  readonly #mark: AppliedMark;
  #closed = false;

  /** @param fail what becomes of an error of LevelDB, or of damage that is found; returns what is to be thrown */
  constructor(records: LevelRecords, fail: (error: unknown) => Error) {
    this.#records = records;
    this.#fail = fail;
    this.#unpin = records.values.pin();
    this.#snapshot = records.db.snapshot();
    this.#mark = this.#guarded(() => this.#readMark());
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
    return this.#guarded(() => this.#records.getSync(key, this.#snapshot)?.value);
  }

  async *pages(after: string): AsyncGenerator<StoredPage> {
    const found = new StateHash();
    const options = { gt: after, snapshot: this.#snapshot, highWaterMarkBytes: pageBytes, fillCache: false };
    const iterator = this.#guarded(() => this.#records.db.iterator(options));
    try {
      while (!this.#closed) {
        const read = await iterator.nextv(pageRecordsMax).catch((error: unknown) => {
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
    throw this.#failed(
      damaged(this.#records.dir, `it holds ${found.records} records where ${this.records} were stored`),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unpin();
    await this.#snapshot.close();
  }

  #readMark(): AppliedMark {
    const stored = this.#records.db.getSync(appliedKey, { snapshot: this.#snapshot });
    if (stored === undefined) return { index: 0, term: 0, hash: new StateHash(), values: [], closed: true };
    const mark = decodeApplied(stored);
    if (mark === undefined) throw damaged(this.#records.dir, "the applied index is not what was stored");
    return mark;
  }

  async *#resolved(held: StoredPage): AsyncGenerator<readonly CheckedPair[]> {
    try {
      yield* this.#records.resolve(held);
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
