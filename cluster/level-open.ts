/**
 * LevelDB as the store opens it, and what its errors mean.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { StorageError, storageErrorOf } from "./storage-error.js";

export type Db = Level<string, Buffer>;

/**
 * Batches are large and reads are by key: fewer, larger files than LevelDB's defaults, and a large table in memory, because
 * what leaves it is merged soon (docs/decisions/028-reads-that-make-leveldb-merge.md).
 */
const levelOptions = { writeBufferSize: 64 * 1024 * 1024, maxFileSize: 8 * 1024 * 1024, cacheSize: 32 * 1024 * 1024 };

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

/** Bytes of a file, or of all files below a directory; 0 for what is gone: merges remove tables meanwhile, views their directories. */
export async function fileBytes(path: string): Promise<number> {
  try {
    const found = await stat(path);
    // A table that a view has linked is found twice.
    if (!found.isDirectory()) return found.size / found.nlink;
    const sizes = await Promise.all((await readdir(path)).map((name) => fileBytes(join(path, name))));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
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
