/**
 * Reads records out of the files of values (value-files.ts), of which some are kept open.
 */
import { closeSync, openSync, read, readSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { StorageError } from "./storage-error.js";

/** Where a record stands. */
export interface Place {
  readonly file: number;
  /** Of the record, not of its frame. */
  readonly offset: number;
  /** Bytes of the record. */
  readonly length: number;
}

/** A file stays open until all that read it are done, even if it is no longer needed. */
interface OpenFile {
  readonly fd: number;
  reads: number;
  isForgotten: boolean;
}

/** Files that are kept open, besides those that are being read. */
const openMax = 64;
const readAsync = promisify(read);

export function valueFileName(file: number): string {
  return `${String(file).padStart(8, "0")}.values`;
}

export class ValueReader {
  readonly #dir: string;
  /** In the order of their last use. */
  readonly #open = new Map<number, OpenFile>();
  #isClosed = false;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws StorageError `corrupt` when the file ends before, or is not there */
  readSync({ file, offset, length }: Place): Buffer {
    const { fd } = this.#opened(file);
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length;) {
      const count = readSync(fd, bytes, at, length - at, offset + at);
      if (count === 0) throw this.#tooShort(file, offset);
      at += count;
    }
    return bytes;
  }

  /** Beside everything else; to be called under a pin of the values. @throws as {@link readSync} */
  async read({ file, offset, length }: Place): Promise<Buffer> {
    const opened = this.#opened(file);
    const bytes = Buffer.allocUnsafeSlow(length);
    opened.reads++;
    try {
      for (let at = 0; at < length;) {
        const { bytesRead } = await readAsync(opened.fd, bytes, at, length - at, offset + at);
        if (bytesRead === 0) throw this.#tooShort(file, offset);
        at += bytesRead;
      }
    } finally {
      opened.reads--;
      closeUnused(opened);
    }
    return bytes;
  }

  /** It is not kept open any more. */
  forget(file: number): void {
    const opened = this.#open.get(file);
    if (opened === undefined) return;
    this.#open.delete(file);
    opened.isForgotten = true;
    closeUnused(opened);
  }

  close(): void {
    this.#isClosed = true;
    for (const file of [...this.#open.keys()]) this.forget(file);
  }

  #opened(file: number): OpenFile {
    if (this.#isClosed) throw new Error("the store is closed");
    const opened = this.#open.get(file) ?? { fd: this.#openFile(file), reads: 0, isForgotten: false };
    this.#open.delete(file);
    this.#open.set(file, opened);
    const [oldest] = this.#open.keys();
    if (oldest !== undefined && this.#open.size > openMax) this.forget(oldest);
    return opened;
  }

  #openFile(file: number): number {
    try {
      return openSync(this.#path(file), "r");
    } catch (error) {
      const kind = (error as { code?: unknown }).code === "ENOENT" ? "corrupt" : "io";
      throw new StorageError(kind, "it cannot be opened", { file: this.#path(file) }, error);
    }
  }

  #tooShort(file: number, offset: number): StorageError {
    return new StorageError("corrupt", "it ends too early", { file: this.#path(file), offset });
  }

  #path(file: number): string {
    return join(this.#dir, valueFileName(file));
  }
}

function closeUnused({ fd, reads, isForgotten }: OpenFile): void {
  if (isForgotten && reads === 0) closeSync(fd);
}
