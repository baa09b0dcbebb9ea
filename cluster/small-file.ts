/**
 * Small files that are read whole and replaced whole: after a crash there is the old text or the new one.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { failpoint } from "./failpoint.js";

/** The text; undefined if there is no such file. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Durable when it returns. Readable by the owner only. */
export function replaceFile(file: string, text: string): void {
  const temporary = `${file}.tmp`;
  const fd = openSync(temporary, "w", 0o600);
  writeSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  failpoint("file.before-rename");
  renameSync(temporary, file);
  failpoint("file.after-rename");
  const dir = openSync(dirname(file), "r");
  fsyncSync(dir);
  closeSync(dir);
}
