/** A node's directory as a crash would leave it, taken while the store is open. */
import { cpSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { lockName } from "../../cluster/directory.js";

/** LevelDB's lock file must not be touched while the store is open. */
const filter = (path: string): boolean => ![lockName, "LOCK"].includes(basename(path));
const attemptsMax = 1000;

/**
 * LevelDB merges tables in a thread of its own, and files that are made ahead of need get their names meanwhile: only what
 * is the same before and after was one moment in time.
 */
export function copyAsCrashed(from: string, to: string): void {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      const before = filesOf(from);
      cpSync(from, to, { recursive: true, filter });
      if (filesOf(from) === before) return;
    } catch (error) {
      // It was listed, and gone before it was copied.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    rmSync(to, { recursive: true, force: true });
  }
  throw new Error(`${from} changed during each of ${String(attemptsMax)} copies`);
}

function filesOf(dir: string): string {
  const names = (readdirSync(dir, { recursive: true }) as string[]).sort();
  const stateOf = (name: string) => {
    const { size, mtimeMs } = statSync(join(dir, name));
    return [name, size, mtimeMs].join(":");
  };
  return names.map(stateOf).join("\n");
}
