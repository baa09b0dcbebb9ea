/**
 * The few file operations that the log is built on, so that tests can make each of them fail.
 *
 * A write is durable when it resolves: files are opened with O_DSYNC (docs/decisions/006-log-sync.md). Files are filled
 * with zeros once when they are made, so that later writes change no metadata.
 */
import { close, constants, fstatSync, openSync, readSync, writev } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { lockDirectory, syncDirectory, type DirectoryLock } from "./directory.js";

export interface LogFile {
  readonly path: string;
  readonly bytes: number;
  /** Durable when it resolves. A rejected write is indeterminate: all, none or part of it may be on disk. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills `target` from `position`. @throws when the file ends before */
  read(target: Uint8Array, position: number): void;
  close(): Promise<void>;
}

export interface Files {
  /** Takes the directory, created if it is new, for this process. @throws StorageError `in_use` */
  lock(dir: string): Promise<DirectoryLock>;
  /** Names in `dir`, sorted. */
  list(dir: string): Promise<string[]>;
  /** Creates a file of `bytes` zeros; its content is durable, its name once the directory is synced. */
  create(path: string, bytes: number): Promise<void>;
  open(path: string): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

const fillBytes = 1024 * 1024;
const closeFile = promisify(close);

export const diskFiles: Files = {
  lock: lockDirectory,

  async list(dir) {
    return (await readdir(dir)).sort();
  },

  async create(path, bytes) {
    const file = await open(path, "wx", 0o600);
    try {
      const zeros = Buffer.alloc(Math.min(fillBytes, bytes));
      for (let at = 0; at < bytes;) {
        const { bytesWritten } = await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at);
        at += bytesWritten;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  },

  // eslint-disable-next-line @typescript-eslint/require-await -- opening is part of the asynchronous face
  async open(path) {
    return new DiskFile(path);
  },

  rename,

  remove(path) {
    return rm(path);
  },

  syncDirectory,
};

class DiskFile implements LogFile {
  readonly path: string;
  readonly bytes: number;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_DSYNC);
    this.bytes = fstatSync(this.#fd).size;
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return new Promise((done, fail) => {
      const next = (rest: readonly Uint8Array[], at: number) => {
        writev(this.#fd, rest, at, (error, written) => {
          if (error !== null) return fail(error);
          const left = after(rest, written);
          if (left.length === 0) return done();
          if (written === 0) return fail(new Error(`${this.path}: nothing was written at ${at}`));
          next(left, at + written);
        });
      };
      next(buffers, position);
    });
  }

  read(target: Uint8Array, position: number): void {
    for (let at = 0; at < target.length;) {
      const count = readSync(this.#fd, target, at, target.length - at, position + at);
      if (count === 0) throw new Error(`${this.path} ends at ${position + at}`);
      at += count;
    }
  }

  close(): Promise<void> {
    return closeFile(this.#fd);
  }
}

/** What is left of `buffers` after `written` bytes. */
function after(buffers: readonly Uint8Array[], written: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (written >= buffer.length) {
      written -= buffer.length;
      continue;
    }
    left.push(written === 0 ? buffer : buffer.subarray(written));
    written = 0;
  }
  return left;
}
