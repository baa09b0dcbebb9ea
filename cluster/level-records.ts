/**
 * The records on disk: LevelDB, and the files that hold the large ones.
 *
 * Boundary: the only place that knows where a record stands. Outside, a stored record is `checksum · msgpack`. Every
 * iterator holds a snapshot of LevelDB, and none may outlive a write: LevelDB would give out what was overwritten or deleted
 * (docs/decisions/029-no-snapshot-outlives-a-write.md).
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { StoredPair } from "./archive-format.js";
import { Gate } from "./gate.js";
import { compareKeys } from "./key-order.js";
import { checkLevelFiles } from "./level-check.js";
import { cloneLevel } from "./level-clone.js";
import { damaged, openLevel, type Db } from "./level-open.js";
import { absent, type Stored } from "./overlay.js";
import { appliedKey, checkRecord, decodeApplied, decodePointer, decodeRecord, StateHash } from "./store-record.js";
import type { AppliedMark } from "./store-record.js";
import { pageBytes, pageMax, restFor, type Picked, type RecordIterator, type ScanOptions } from "./store-range.js";
import { ValueFiles } from "./value-files.js";

export type Batch = ReturnType<Db["batch"]>;
/** A record as stored, and its checksum. */
export type CheckedPair = readonly [key: string, stored: Buffer, sum: number];

/** What is read of LevelDB at once. */
export interface KeyRange {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
}

/** A check of all records that is under way. */
interface Scan {
  /** Of the records up to `upTo`, as they are now. */
  readonly hash: StateHash;
  upTo: string;
  isOver: boolean;
}

/** Folder of the store for copies of LevelDB that views read; what an earlier run left there is of no use. */
const clonesFolder = "views";
/** Bytes of records from which on they are passed on. */
const resolveBytes = 256 * 1024;

export interface Found extends Stored {
  readonly value: unknown;
}

export class LevelRecords {
  readonly dir: string;
  readonly db: Db;
  readonly values: ValueFiles;
  /** Iterators share it, a write is alone. */
  readonly #snapshots = new Gate();
  /** The writing of a generation is alone, whoever checks all records shares it for a page. */
  readonly #turns = new Gate();
  #scan: Scan | undefined;
  readonly #clones = new Set<LevelRecords>();
  #cloned = 0;

  /** @throws StorageError when the files are damaged or in use */
  static async open(
    dir: string,
    valueFileBytes?: number,
  ): Promise<{ readonly records: LevelRecords; readonly applied: AppliedMark }> {
    await rm(join(dir, clonesFolder), { recursive: true, force: true });
    await checkLevelFiles(dir);
    const db = await openLevel(dir);
    try {
      const applied = await readApplied(dir, db);
      return {
        records: new LevelRecords(dir, db, await ValueFiles.open(dir, applied.values, valueFileBytes)),
        applied,
      };
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  private constructor(dir: string, db: Db, values: ValueFiles) {
    this.dir = dir;
    this.db = db;
    this.values = values;
  }

  /** Undefined: there is none. @throws StorageError when it is not what was stored */
  getSync(key: string): Found | undefined {
    const held = this.db.getSync(key);
    if (held === undefined) return undefined;
    const { sum, place } = this.#head(key, held);
    const stored = place === undefined ? held : this.values.reader.readSync(place);
    if (place !== undefined) this.#check(key, stored, sum);
    return { value: decodeRecord(stored), sum, place };
  }

  /** As {@link getSync}, without the value: nothing is read but LevelDB. */
  headSync(key: string): Stored | undefined {
    const held = this.db.getSync(key);
    return held && this.#head(key, held);
  }

  /** The values of a page. To be called under a pin of the values. */
  async decode(picked: readonly Picked[]): Promise<[key: string, value: unknown][]> {
    const held = picked.flatMap(([key, one]): StoredPair[] => ("held" in one ? [[key, one.held]] : []));
    const decoded: unknown[] = [];
    for await (const page of this.resolve(held)) for (const [, stored] of page) decoded.push(decodeRecord(stored));
    let at = 0;
    return picked.map(([key, one]) => [key, "held" in one ? decoded[at++] : one.value]);
  }

  /**
   * The records that `held` of LevelDB stand for, checked, some at a time. To be called under a pin of the values.
   * @throws StorageError when one is not what was stored
   */
  async *resolve(held: readonly StoredPair[]): AsyncGenerator<readonly CheckedPair[]> {
    let page: CheckedPair[] = [];
    let bytes = 0;
    for (const [key, stored] of held) {
      const { sum, place } = this.#head(key, stored);
      // One at a time: the log needs the threads that files are read by, too.
      const record = place === undefined ? stored : await this.values.reader.read(place);
      if (place !== undefined) this.#check(key, record, sum);
      page.push([key, record, sum]);
      bytes += record.length;
      if (bytes < resolveBytes) continue;
      yield page;
      page = [];
      bytes = 0;
    }
    if (page.length > 0) yield page;
  }

  /** The mark of the last batch. @throws StorageError `corrupt` */
  applied(): Promise<AppliedMark> {
    return readApplied(this.dir, this.db);
  }

  /** @param read begins in the same step as the view of the iterator, and is to be short: writes wait for its end */
  iterate<T>(range: KeyRange, read: (iterator: RecordIterator) => Promise<T>): Promise<T> {
    return this.#snapshots.share(async () => {
      const iterator = this.db.iterator({ ...range, highWaterMarkBytes: pageBytes, fillCache: false });
      try {
        return await read(iterator);
      } finally {
        await iterator.close();
      }
    });
  }

  // ------------------------------------------------------------------------------------------------------ writing

  /** The writing of one generation, from the first look at what is on disk to the end of {@link write}. */
  writing<T>(generation: () => Promise<T>): Promise<T> {
    return this.#turns.alone(generation);
  }

  /** Resolves when it is durable. */
  write(batch: Batch): Promise<void> {
    return this.#snapshots.alone(() => batch.write({ sync: true }));
  }

  /** The generation that is being written changes this record. Checksums, or {@link absent}; `keySum`: that of the key. */
  changed(key: string, { before, after, keySum }: { before: number; after: number; keySum: number }): void {
    const scan = this.#scan;
    if (scan === undefined || compareKeys(key, scan.upTo) > 0) return;
    if (before !== absent) scan.hash.remove(key, before, keySum);
    if (after !== absent) scan.hash.add(key, after, keySum);
  }

  // ------------------------------------------------------------------------------------------------- all of them

  /**
   * Reads every record and compares their hash with the one recorded beside them: a record that vanished changes it.
   * What is written meanwhile is followed. One at a time.
   * @throws StorageError `corrupt`
   */
  async verify({ share, signal }: ScanOptions): Promise<void> {
    const scan: Scan = { hash: new StateHash(), upTo: "", isOver: false };
    this.#scan = scan;
    try {
      while (!scan.isOver && !signal.aborted) {
        const busyMs = await this.#scanPage(scan);
        if (!scan.isOver) await restFor(busyMs, { share, signal });
      }
    } finally {
      this.#scan = undefined;
    }
  }

  /** One page of it. @returns ms that it took, without waiting for its turn */
  async #scanPage(scan: Scan): Promise<number> {
    let unpin = (): void => undefined;
    let startedMs = NaN;
    const pointers: StoredPair[] = [];
    try {
      await this.#turns.share(async () => {
        unpin = this.values.pin();
        const page = await this.iterate({ gt: scan.upTo }, (iterator) => {
          startedMs = performance.now();
          return iterator.nextv(pageMax);
        });
        for (const [key, stored] of page) {
          const { sum, place } = this.#head(key, stored);
          if (key !== appliedKey) scan.hash.add(key, sum);
          if (place !== undefined) pointers.push([key, stored]);
        }
        scan.upTo = page.at(-1)?.[0] ?? scan.upTo;
        scan.isOver = page.length === 0;
        if (scan.isOver) await this.#compare(scan.hash);
      });
      for await (const page of this.resolve(pointers)) if (page.length === 0) break;
      return performance.now() - startedMs;
    } finally {
      unpin();
    }
  }

  async #compare(found: StateHash): Promise<void> {
    const { hash } = await this.applied();
    if (found.digits === hash.digits && found.records === hash.records) return;
    const [is, should] = [found, hash].map(({ records, digits }) => `${records} records with hash ${digits}`);
    throw damaged(this.dir, `it holds ${is} where ${should} were stored`);
  }

  /**
   * The records as they are on disk now, in a LevelDB of their own that nothing is written to; `unpin` keeps what they point
   * at. To be given to {@link drop} at the end.
   */
  async clone(): Promise<{ readonly records: LevelRecords; readonly unpin: () => void }> {
    const dir = join(this.dir, clonesFolder, `${++this.#cloned}`);
    let unpin = (): void => undefined;
    try {
      await this.#snapshots.alone(() => {
        unpin = this.values.pin();
        return cloneLevel(this.dir, dir);
      });
      const records = new LevelRecords(dir, await openLevel(dir), this.values);
      this.#clones.add(records);
      return { records, unpin };
    } catch (error) {
      unpin();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Closes and removes a clone. */
  async drop(clone: LevelRecords): Promise<void> {
    if (!this.#clones.delete(clone)) return;
    await clone.db.close();
    await rm(clone.dir, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    try {
      await Promise.all([...this.#clones].map((clone) => this.drop(clone)));
      await this.db.close();
    } finally {
      this.values.close();
    }
  }

  /** Of the record that LevelDB holds, or for which it holds a pointer. */
  #head(key: string, held: Buffer): Stored {
    const sum = checkRecord(key, held);
    if (sum === undefined) throw this.#damaged(key);
    return decodePointer(held) ?? { sum, place: undefined };
  }

  #check(key: string, stored: Buffer, sum: number): void {
    if (checkRecord(key, stored) !== sum) throw this.#damaged(key);
  }

  #damaged(key: string): Error {
    return damaged(this.dir, `the record ${JSON.stringify(key)} is not what was stored`);
  }
}

async function readApplied(dir: string, db: Db): Promise<AppliedMark> {
  const stored = db.getSync(appliedKey);
  if (stored === undefined) {
    const [first] = await db.keys({ limit: 1 }).all();
    if (first !== undefined) throw damaged(dir, "it holds records, but not the index they were applied at");
    return { index: 0, term: 0, hash: new StateHash(), values: [], closed: true };
  }
  const mark = decodeApplied(stored);
  if (mark === undefined) throw damaged(dir, "the applied index is not what was stored");
  return mark;
}
