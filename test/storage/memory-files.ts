/**
 * Files in memory with the failures of real ones: crashes that lose names, torn writes, errors, flipped bits.
 */
import { basename, dirname } from "node:path";
import type { Files, LogFile } from "../../cluster/files.js";
import { StorageError } from "../../cluster/storage-error.js";

interface Content {
  bytes: Buffer;
}

/** What is about to happen to the files. */
export type Step =
  | { readonly kind: "write"; readonly path: string; readonly data: Buffer; readonly position: number }
  | { readonly kind: "create" | "rename" | "remove" | "sync"; readonly path: string };

export class MemoryFiles implements Files {
  /** Names as the running process sees them, and as a crash would leave them. */
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  readonly #locked = new Set<string>();
  /** Called before each step; what it throws is the error of the step. */
  onStep: (step: Step) => void = () => undefined;

  /** A copy of everything, as after a crash. `synced`: names that were not synced are lost. */
  crash({ synced }: { readonly synced: boolean }): MemoryFiles {
    const copy = new MemoryFiles();
    for (const [path, { bytes }] of synced ? this.#durableNames : this.#names) {
      const content = { bytes: Buffer.from(bytes) };
      copy.#names.set(path, content);
      copy.#durableNames.set(path, content);
    }
    return copy;
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** The bytes themselves: changing them is damage. */
  bytes(path: string): Buffer {
    return this.#content(path).bytes;
  }

  replace(path: string, bytes: Buffer): void {
    this.#content(path).bytes = bytes;
  }

  lock(dir: string): Promise<{ release(): Promise<void> }> {
    if (this.#locked.has(dir))
      return Promise.reject(new StorageError("in_use", "the directory is in use", { file: dir }));
    this.#locked.add(dir);
    return Promise.resolve({
      release: () => {
        this.#locked.delete(dir);
        return Promise.resolve();
      },
    });
  }

  list(dir: string): Promise<string[]> {
    const names = this.paths().filter((path) => dirname(path) === dir);
    return Promise.resolve(names.map((path) => basename(path)));
  }

  create(path: string, bytes: number): Promise<void> {
    return this.#step({ kind: "create", path }, () => void this.#names.set(path, { bytes: Buffer.alloc(bytes) }));
  }

  open(path: string): Promise<LogFile> {
    const content = this.#content(path);
    return Promise.resolve({
      path,
      bytes: content.bytes.length,
      write: (buffers, position) => {
        const data = Buffer.concat(buffers);
        return this.#step({ kind: "write", path, data, position }, () => void data.copy(content.bytes, position));
      },
      read: (target, position) => {
        if (position + target.length > content.bytes.length) throw new Error(`${path} ends at ${content.bytes.length}`);
        content.bytes.copy(target, 0, position, position + target.length);
      },
      close: () => Promise.resolve(),
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#step({ kind: "rename", path: from }, () => {
      this.#names.set(to, this.#content(from));
      this.#names.delete(from);
    });
  }

  remove(path: string): Promise<void> {
    return this.#step({ kind: "remove", path }, () => void this.#names.delete(path));
  }

  syncDirectory(dir: string): Promise<void> {
    return this.#step({ kind: "sync", path: dir }, () => (this.#durableNames = new Map(this.#names)));
  }

  #content(path: string): Content {
    const content = this.#names.get(path);
    if (content === undefined) throw new Error(`${path} does not exist`);
    return content;
  }

  async #step(step: Step, perform: () => void): Promise<void> {
    // As on a disk, nothing has happened yet when the call returns.
    await Promise.resolve();
    this.onStep(step);
    perform();
  }
}
