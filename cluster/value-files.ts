/**
 * Large records beside LevelDB: files that are only appended to, into which the records of LevelDB point.
 *
 * LevelDB writes a value again with every compaction it takes part in, which for 10 KB costs more than all the rest of a
 * write. Here it is written once, and again only if it outlives half of its file (value-collect.ts). A file is durable
 * before the batch that points into it; what a crash leaves behind that batch is cut off by the next run, which goes on
 * with the last file. Source: "WiscKey" (FAST '16); docs/decisions/010-large-records.md.
 *
 *   DIR/values/00000001.values   frames of value-frame.ts
 */
import { closeSync, fdatasync, openSync, statSync, writev } from "node:fs";
import { readdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeDirectory, syncDirectory } from "./directory.js";
import { failpoint } from "./failpoint.js";
import { StorageError } from "./storage-error.js";
import { invariant } from "../src/invariant.js";
import { frameBytes, frameHead } from "./value-frame.js";
import { ValueReader, valueFileName, type Place } from "./value-reader.js";

/** Of one file, frames included: written and synced, and no longer pointed at. */
export interface Account {
  readonly file: number;
  readonly bytes: number;
  readonly dead: number;
}

/** The file that is appended to. */
interface Active {
  readonly file: number;
  readonly fd: number;
  /** With what is pending. */
  bytes: number;
  /** Its name is durable. */
  isNamed: boolean;
}

/** What somebody reads meanwhile. */
interface Pin {
  /** Number of the newest file that it may look into. */
  readonly newest: number;
}

const fileBytesDefault = 64 * 1024 * 1024;
/** Part of a file that must be dead before it is collected. */
const deadShare = 0.5;
const namePattern = /^(\d{8,})\.values$/;
const writeAsync = promisify(writev);
const syncAsync = promisify(fdatasync);

export class ValueFiles {
  readonly #dir: string;
  readonly #fileBytesMax: number;
  readonly #accounts: Map<number, { bytes: number; dead: number }>;
  readonly reader: ValueReader;
  /** Files that the mark of the next batch does not name any more. */
  #dropped: number[] = [];
  /** Files that no mark names any more, and who may still look into them. */
  readonly #doomed = new Map<number, Set<Pin>>();
  readonly #pins = new Set<Pin>();
  /** Files that were appended to since the last {@link sync}: LevelDB does not point at all of it yet. */
  readonly #unsettled = new Set<number>();
  #newest: number;
  /** The file whose records are on their way to another one. */
  collecting: number | undefined;
  #active: Active | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #diedBytes = 0;

  /**
   * @param dir of the store
   * @param accounts as in the last mark; what it does not name is removed
   * @param fileBytesMax a file that has so many bytes is not appended to any more
   * @throws StorageError `corrupt` when one of them is missing or too short
   */
  static async open(dir: string, accounts: readonly Account[], fileBytesMax = fileBytesDefault): Promise<ValueFiles> {
    const values = new ValueFiles(join(dir, "values"), accounts, fileBytesMax);
    await makeDirectory(values.#dir);
    for (const { file, bytes } of accounts) {
      const path = values.#path(file);
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size === undefined || size < bytes)
        throw new StorageError("corrupt", `it has ${size ?? "no"} bytes where ${bytes} were stored`, { file: path });
      if (size > bytes) await truncate(path, bytes);
    }
    for (const name of await readdir(values.#dir)) {
      const number = Number(namePattern.exec(name)?.[1] ?? 0);
      if (number > 0 && !values.#accounts.has(number)) await rm(join(values.#dir, name));
    }
    values.#goOn();
    return values;
  }

  private constructor(dir: string, accounts: readonly Account[], fileBytesMax: number) {
    this.#dir = dir;
    this.reader = new ValueReader(dir);
    this.#fileBytesMax = fileBytesMax;
    this.#accounts = new Map(accounts.map(({ file, bytes, dead }) => [file, { bytes, dead }]));
    this.#newest = Math.max(0, ...this.#accounts.keys());
  }

  /** For the mark of the batch that points at what was appended. */
  get accounts(): Account[] {
    return [...this.#accounts].map(([file, { bytes, dead }]) => ({ file, bytes, dead }));
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** What died since the last {@link sync}. */
  get diedBytes(): number {
    return this.#diedBytes;
  }

  // ------------------------------------------------------------------------------------------------------ writing

  /** @param record in one or more pieces. Nobody may point there before {@link sync} */
  append(key: string, ...record: readonly Uint8Array[]): Place {
    const active = (this.#active ??= this.#begin());
    const length = record.reduce((sum, piece) => sum + piece.length, 0);
    const head = frameHead(key, length);
    const place = { file: active.file, offset: active.bytes + head.length, length };
    this.#unsettled.add(active.file);
    this.#pending.push(head, ...record);
    this.#pendingBytes += head.length + length;
    active.bytes += head.length + length;
    return place;
  }

  /** Hands what was appended to the operating system. */
  async write(): Promise<void> {
    const [active, pending, bytes] = [this.#active, this.#pending, this.#pendingBytes];
    if (active === undefined) return;
    [this.#pending, this.#pendingBytes] = [[], 0];
    let position = active.bytes - bytes;
    for (let left = pending; left.length > 0;) {
      const { bytesWritten } = await writeAsync(active.fd, left, position);
      left = rest(left, bytesWritten);
      position += bytesWritten;
    }
    this.#account(active.file).bytes += bytes;
    if (active.bytes >= this.#fileBytesMax) await this.#end();
  }

  /** What was appended is durable when it resolves. */
  async sync(): Promise<void> {
    await this.write();
    failpoint("values.before-sync");
    if (this.#active !== undefined) await this.#makeDurable(this.#active);
    this.#unsettled.clear();
    this.#diedBytes = 0;
  }

  /** The record of `key` at `place` is not pointed at any more. */
  release(key: string, place: Place): void {
    const bytes = frameBytes(key, place.length);
    this.#account(place.file).dead += bytes;
    this.#diedBytes += bytes;
  }

  /** No file that LevelDB points into by now is removed before the returned function is called. */
  pin(): () => void {
    const pin: Pin = { newest: this.#newest };
    this.#pins.add(pin);
    return () => {
      this.#pins.delete(pin);
      for (const blockers of this.#doomed.values()) blockers.delete(pin);
    };
  }

  // ---------------------------------------------------------------------------------------------------- collecting

  /** A record that was at `place` may be elsewhere by now: its file is being collected, or was. */
  isMoving(place: Place | undefined): boolean {
    return place !== undefined && (place.file === this.collecting || !this.#accounts.has(place.file));
  }

  /** The file with the largest dead part, if that is large enough. */
  get worst(): Account | undefined {
    const full = this.accounts.filter(({ file }) => file !== this.#active?.file && !this.#unsettled.has(file));
    const share = ({ bytes, dead }: Account): number => dead / bytes;
    return full.filter((account) => share(account) >= deadShare).sort((a, b) => share(b) - share(a))[0];
  }

  /**
   * Nothing in LevelDB points into it, once the batch is written that the next mark belongs to.
   * @returns false: something still does
   */
  drop(file: number): boolean {
    const { bytes, dead } = this.#account(file);
    if (dead !== bytes) return false;
    this.#accounts.delete(file);
    this.#dropped.push(file);
    return true;
  }

  /** Removes what was dropped and is pinned by nobody. To be called when the batch is durable. */
  async removeDropped(): Promise<void> {
    // Whoever came before the batch was there still sees what was before it.
    for (const file of this.#dropped)
      this.#doomed.set(file, new Set([...this.#pins].filter(({ newest }) => newest >= file)));
    this.#dropped = [];
    for (const [file, blockers] of this.#doomed) {
      if (blockers.size > 0) continue;
      this.#doomed.delete(file);
      this.reader.forget(file);
      await rm(this.#path(file), { force: true });
    }
  }

  close(): void {
    this.reader.close();
    if (this.#active !== undefined) closeSync(this.#active.fd);
    this.#active = undefined;
  }

  #begin(): Active {
    const file = ++this.#newest;
    this.#accounts.set(file, { bytes: 0, dead: 0 });
    return { file, fd: openSync(this.#path(file), "wx", 0o600), bytes: 0, isNamed: false };
  }

  /** With the last file, unless it is full: however often a node starts, its files are no more than they must be. */
  #goOn(): void {
    const file = this.#newest;
    const bytes = this.#accounts.get(file)?.bytes ?? this.#fileBytesMax;
    if (bytes < this.#fileBytesMax) this.#active = { file, fd: openSync(this.#path(file), "r+"), bytes, isNamed: true };
  }

  async #end(): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    await this.#makeDurable(active);
    this.#active = undefined;
    closeSync(active.fd);
  }

  async #makeDurable(active: Active): Promise<void> {
    await syncAsync(active.fd);
    if (!active.isNamed) await syncDirectory(this.#dir);
    active.isNamed = true;
  }

  #account(file: number): { bytes: number; dead: number } {
    const account = this.#accounts.get(file);
    invariant(account !== undefined, `there is a file ${file} of values`);
    return account;
  }

  #path(file: number): string {
    return join(this.#dir, valueFileName(file));
  }
}

/** What `buffers` hold behind the first `count` bytes. */
function rest(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let at = 0;
  for (; at < buffers.length && left >= (buffers[at]?.length ?? 0); at++) left -= buffers[at]?.length ?? 0;
  const [first, ...others] = buffers.slice(at);
  return first === undefined ? [] : [first.subarray(left), ...others];
}
