/**
 * Opens LevelDB for the store: files checked first, then the one record that says what is in it.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { checkLevelFiles } from "./level-check.js";
import { StorageError, storageErrorOf } from "./storage-error.js";
import { appliedKey, checkRecord, decodeApplied, decodeRecord, StateHash, type AppliedMark } from "./store-record.js";
import { scan, type ScanOptions } from "./store-range.js";

export type Db = Level<string, Buffer>;

/** Batches are large and reads are by key: fewer, larger files than LevelDB's defaults. */
const levelOptions = { writeBufferSize: 8 * 1024 * 1024, maxFileSize: 8 * 1024 * 1024, cacheSize: 32 * 1024 * 1024 };

/** @throws StorageError when the files are damaged or in use */
export async function openRecords(dir: string): Promise<{ readonly db: Db; readonly applied: AppliedMark }> {
  await checkLevelFiles(dir);
  const db = await openLevel(dir);
  try {
    return { db, applied: await readApplied(dir, db) };
  } catch (error) {
    await db.close();
    throw error;
  }
}

export function damaged(dir: string, what: string): StorageError {
  return new StorageError("corrupt", `the store is damaged: ${what}`, { file: dir });
}

/** A read beyond the end of a table, or of one that is missing: LevelDB calls it an error of the disk. */
const tableGone = /\.(ldb|sst): (Invalid argument|No such file or directory)$/;

/** The error that ends the store, for whatever came out of LevelDB. */
export function failureOf(dir: string, error: unknown): Error {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const what = `the store failed: ${String(message)}`;
  if (code === "LEVEL_CORRUPTION" || tableGone.test(what))
    return new StorageError("corrupt", what, { file: dir }, error);
  return storageErrorOf(error, what, { file: dir });
}

/** @throws StorageError when `stored` is not what was stored under `key` */
export function openRecord(
  dir: string,
  key: string,
  stored: Buffer,
): { readonly value: unknown; readonly sum: number } {
  const sum = checkRecord(key, stored);
  if (sum === undefined) throw damaged(dir, `the record ${JSON.stringify(key)} is not what was stored`);
  return { value: decodeRecord(stored), sum };
}

/**
 * Reads every record and compares their hash with the one recorded beside them: a record that vanished changes it.
 * @throws StorageError `corrupt`
 */
export async function verifyRecords(dir: string, db: Db, options: ScanOptions): Promise<void> {
  const found = new StateHash();
  let recorded = new StateHash();
  const complete = await scan(db.iterator({}), options, (key, stored) => {
    const sum = checkRecord(key, stored);
    if (sum === undefined) throw damaged(dir, `the record ${JSON.stringify(key)} is not what was stored`);
    if (key === appliedKey) recorded = decodeApplied(stored)?.hash ?? recorded;
    else found.add(key, sum);
  });
  if (!complete || (found.digits === recorded.digits && found.records === recorded.records)) return;
  const [is, should] = [found, recorded].map(({ records, digits }) => `${records} records with hash ${digits}`);
  throw damaged(dir, `it holds ${is} where ${should} were stored`);
}

/** Bytes of all files in `dir`. */
export async function fileBytes(dir: string): Promise<number> {
  // Compaction removes files meanwhile.
  const sizeOf = (name: string) =>
    stat(join(dir, name)).then(
      ({ size }) => size,
      () => 0,
    );
  const sizes = await Promise.all((await readdir(dir)).map(sizeOf));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** @throws StorageError when the files are damaged or in use */
export async function openLevel(dir: string): Promise<Db> {
  const db: Db = new Level(dir, { keyEncoding: "utf8", valueEncoding: "buffer", ...levelOptions });
  try {
    await db.open();
  } catch (error) {
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const kind = cause?.code === "LEVEL_LOCKED" ? "in_use" : cause?.code === "LEVEL_CORRUPTION" ? "corrupt" : "io";
    throw new StorageError(kind, `LevelDB does not open: ${cause?.message ?? "unknown reason"}`, { file: dir }, error);
  }
  return db;
}

async function readApplied(dir: string, db: Db): Promise<AppliedMark> {
  const stored = await db.get(appliedKey);
  if (stored === undefined) {
    const [first] = await db.keys({ limit: 1 }).all();
    if (first !== undefined) throw damaged(dir, "it holds records, but not the index they were applied at");
    return { index: 0, term: 0, hash: new StateHash(), closed: true };
  }
  const mark = decodeApplied(stored);
  if (mark === undefined) throw damaged(dir, "the applied index is not what was stored");
  return mark;
}
