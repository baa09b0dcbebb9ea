/**
 * The records of LevelDB at one index: a LevelDB snapshot, read page by page beside everything else.
 *
 * The mark that LevelDB holds in the same snapshot says which index that is, so it is exact whatever is written meanwhile.
 * What is read is checked record by record, and, if it is read from the start, against the hash of all: a damaged store is
 * not passed on.
 */
import type { Level } from "level";
import { damaged, openRecord, type Db } from "./level-open.js";
import { appliedKey, checkRecord, decodeApplied, StateHash, type AppliedMark } from "./store-record.js";
import type { ReadView } from "./types.js";

type LevelSnapshot = ReturnType<Level<string, Buffer>["snapshot"]>;
type StoredPage = readonly (readonly [key: string, stored: Buffer])[];

/** One read of the iterator: at most so many records, and no more once it has so many bytes. They are checked in one go. */
const pageRecordsMax = 250;
const pageBytes = 128 * 1024;

export class LevelView implements ReadView {
  readonly #dir: string;
  readonly #db: Db;
  readonly #snapshot: LevelSnapshot;
  readonly #fail: (error: unknown) => Error;
  readonly #mark: AppliedMark;
  #closed = false;

  /** @param fail what becomes of an error of LevelDB, or of damage that is found; returns what is to be thrown */
  constructor(dir: string, db: Db, fail: (error: unknown) => Error) {
    this.#dir = dir;
    this.#db = db;
    this.#fail = fail;
    this.#snapshot = db.snapshot();
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
    return this.#guarded(() => {
      const stored = this.#db.getSync(key, { snapshot: this.#snapshot });
      return stored && openRecord(this.#dir, key, stored).value;
    });
  }

  async *pages(after: string): AsyncGenerator<StoredPage> {
    const found = new StateHash();
    const options = { gt: after, snapshot: this.#snapshot, highWaterMarkBytes: pageBytes, fillCache: false };
    const iterator = this.#guarded(() => this.#db.iterator(options));
    try {
      while (!this.#closed) {
        const read = await iterator.nextv(pageRecordsMax).catch((error: unknown) => {
          throw this.#failed(error);
        });
        if (read.length === 0) break;
        const page = read.filter(([key]) => key !== appliedKey);
        this.#guarded(() => this.#check(page, found));
        if (page.length > 0) yield page;
      }
    } finally {
      await iterator.close();
    }
    if (this.#closed) throw this.#failed(undefined);
    const isWhole = found.records === this.records && found.digits === this.hash;
    if (after !== "" || isWhole) return;
    throw this.#failed(damaged(this.#dir, `it holds ${found.records} records where ${this.records} were stored`));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#snapshot.close();
  }

  #readMark(): AppliedMark {
    const stored = this.#db.getSync(appliedKey, { snapshot: this.#snapshot });
    if (stored === undefined) return { index: 0, term: 0, hash: new StateHash(), closed: true };
    const mark = decodeApplied(stored);
    if (mark === undefined) throw damaged(this.#dir, "the applied index is not what was stored");
    return mark;
  }

  #check(page: StoredPage, found: StateHash): void {
    for (const [key, stored] of page) {
      const sum = checkRecord(key, stored);
      if (sum === undefined) throw damaged(this.#dir, `the record ${JSON.stringify(key)} is not what was stored`);
      found.add(key, sum);
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
