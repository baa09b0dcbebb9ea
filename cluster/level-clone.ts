/**
 * LevelDB's files as of now in another directory, to be opened as a LevelDB of its own: its tables never change, so they
 * are linked; its log, its list of files and the name of that are copied (docs/decisions/029-no-snapshot-outlives-a-write.md).
 *
 * Nothing may be written to LevelDB meanwhile. It may merge tables, though, and says so in the list of files at the end:
 * a list that is the same before and after names files that were all there.
 */
import { copyFile, link, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "./storage-error.js";

/** Merging tables ends with a change of the list some times a second at most; copying takes a tenth of one. */
const attemptsMax = 100;

/** @throws StorageError `io` when the files change all the time; Error of the file system */
export async function cloneLevel(from: string, to: string): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    await rm(to, { recursive: true, force: true });
    await mkdir(to, { recursive: true, mode: 0o700 });
    try {
      const before = await listOf(from);
      for (const name of await readdir(from)) {
        if (/\.(ldb|sst)$/.test(name)) await link(join(from, name), join(to, name));
        else if (/^\d+\.log$/.test(name) || name === before.name) await copyFile(join(from, name), join(to, name));
      }
      await writeFile(join(to, "CURRENT"), `${before.name}\n`);
      const after = await listOf(from);
      if (after.name === before.name && after.bytes === before.bytes) return;
    } catch (error) {
      // It was listed, and merged before it was linked.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new StorageError("io", "LevelDB changes its files all the time", { file: from });
}

/** LevelDB only appends to its list of files, or begins another one. */
async function listOf(dir: string): Promise<{ readonly name: string; readonly bytes: number }> {
  const name = (await readFile(join(dir, "CURRENT"), "latin1")).trimEnd();
  return { name, bytes: (await stat(join(dir, name))).size };
}
