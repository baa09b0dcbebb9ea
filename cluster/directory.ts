/**
 * Directories: made durably, open to their owner only, used by one process at a time.
 *
 * Node has no call for file locks, LevelDB takes one when it opens: an empty database beside the data is the lock. The
 * kernel drops it with the process, however that ends, and it holds across containers that share a volume; a file with
 * a process id does neither. POSIX drops the lock as well when this process closes any descriptor of its LOCK file, so
 * nothing may copy it while it is held.
 */
import { mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ClassicLevel } from "classic-level";
import { Level } from "level";
import { StorageError } from "./storage-error.js";

export const lockName = "process-lock";

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Takes the lock of `dir` (created, mode 0700, if it is new) before anything in it is read or written.
 * @throws StorageError `in_use`
 */
export async function lockDirectory(dir: string): Promise<DirectoryLock> {
  await makeDirectory(dir);
  const path = join(dir, lockName);
  await makeDirectory(path);
  try {
    return await hold(path);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    // Nothing is kept in it: if it is damaged, it is made anew. Removing it needs the lock, too.
    await (Level as unknown as typeof ClassicLevel).destroy(path);
    return await hold(path);
  }
}

async function hold(path: string): Promise<DirectoryLock> {
  const level = new Level(path);
  try {
    await level.open();
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    if (cause?.code === "LEVEL_LOCKED")
      throw new StorageError("in_use", "the directory is in use", { file: path }, error);
    throw error;
  }
  return { release: () => level.close() };
}

/** Creates `path` and its parents, mode 0700, durably. An existing directory is left as it is. */
export async function makeDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  const top = dirname(resolve(made));
  for (let dir = resolve(path); dir !== top; dir = dirname(dir)) await syncDirectory(dirname(dir));
}

/** Makes the names in `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  const dir = await open(path, "r");
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}
