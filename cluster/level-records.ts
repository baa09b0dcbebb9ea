/**
 * The records on disk: LevelDB, and the files that hold the large ones.
 *
 * Boundary: the only place that knows where a record stands. Outside, a stored record is `checksum · msgpack`.
 */
import type { StoredPair } from "./archive-format.js";
import { damaged, openLevel, type Db } from "./level-open.js";
import { checkLevelFiles } from "./level-check.js";
import type { Stored } from "./overlay.js";
import { appliedKey, checkRecord, decodeApplied, decodePointer, decodeRecord, StateHash } from "./store-record.js";
import type { AppliedMark } from "./store-record.js";
import { scan, type ScanOptions } from "./store-range.js";
import { ValueFiles } from "./value-files.js";

export type LevelSnapshot = ReturnType<Db["snapshot"]>;
/** A record as stored, and its checksum. */
export type CheckedPair = readonly [key: string, stored: Buffer, sum: number];

/** Bytes of records from which on they are passed on. */
const resolveBytes = 256 * 1024;

export interface Found extends Stored {
  readonly value: unknown;
}

export class LevelRecords {
  readonly dir: string;
  readonly db: Db;
  readonly values: ValueFiles;

  /** @throws StorageError when the files are damaged or in use */
  static async open(
    dir: string,
    valueFileBytes?: number,
  ): Promise<{ readonly records: LevelRecords; readonly applied: AppliedMark }> {
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
  getSync(key: string, snapshot?: LevelSnapshot): Found | undefined {
    const held = this.db.getSync(key, snapshot === undefined ? {} : { snapshot });
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

  /** The values of what `held` of LevelDB stands for. To be called under a pin of the values. */
  async decode(held: readonly StoredPair[]): Promise<[key: string, value: unknown][]> {
    const decoded: [string, unknown][] = [];
    for await (const page of this.resolve(held))
      for (const [key, stored] of page) decoded.push([key, decodeRecord(stored)]);
    return decoded;
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

  /**
   * Reads every record and compares their hash with the one recorded beside them: a record that vanished changes it.
   * @throws StorageError `corrupt`
   */
  async verify(options: ScanOptions): Promise<void> {
    const found = new StateHash();
    let recorded = new StateHash();
    const unpin = this.values.pin();
    try {
      const complete = await scan(this.db.iterator({}), options, async (held) => {
        for await (const page of this.resolve(held)) {
          for (const [key, stored, sum] of page) {
            if (key === appliedKey) recorded = decodeApplied(stored)?.hash ?? recorded;
            else found.add(key, sum);
          }
        }
      });
      if (!complete || (found.digits === recorded.digits && found.records === recorded.records)) return;
    } finally {
      unpin();
    }
    const [is, should] = [found, recorded].map(({ records, digits }) => `${records} records with hash ${digits}`);
    throw damaged(this.dir, `it holds ${is} where ${should} were stored`);
  }

  async close(): Promise<void> {
    try {
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
  const stored = await db.get(appliedKey);
  if (stored === undefined) {
    const [first] = await db.keys({ limit: 1 }).all();
    if (first !== undefined) throw damaged(dir, "it holds records, but not the index they were applied at");
    return { index: 0, term: 0, hash: new StateHash(), values: [], closed: true };
  }
  const mark = decodeApplied(stored);
  if (mark === undefined) throw damaged(dir, "the applied index is not what was stored");
  return mark;
}
