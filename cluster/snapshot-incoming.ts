/**
 * Where an arriving snapshot is gathered: a LevelDB of its own beside the applied records, `DIR/incoming`.
 *
 * Records come in the order of their keys, so the last key that is there says how far it got, also after a crash. When it is
 * whole it is closed, opened again and read through: what counts is what is on disk. Source: reliability 30–32, H6–H9, L6.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ArchiveError, type ArchiveHeader, type ArchiveTrailer, type StoredPair } from "./archive-format.js";
import { makeDirectory } from "./directory.js";
import { checkLevelFiles } from "./level-check.js";
import { openLevel, type Db } from "./level-open.js";
import { LevelRecords } from "./level-records.js";
import { appliedKey, checkRecord, decodeRecord, encodeApplied, encodeRecord, StateHash } from "./store-record.js";

export interface Incoming {
  /**
   * Begins the transfer `id`, or goes on with it; what is there of another one is dropped.
   * @returns the last key that is there; "": nothing
   */
  open(id: string): Promise<string>;
  add(records: readonly StoredPair[]): Promise<void>;
  /**
   * Nothing is missing: durable and checked when it resolves, and a store of its own from then on.
   * @throws ArchiveError when it is not what `trailer` says; StorageError when the disk is to blame; what `signal` says
   */
  complete(header: Pick<ArchiveHeader, "index" | "term">, trailer: ArchiveTrailer, signal?: AbortSignal): Promise<void>;
  /** Stops for now. */
  close(): Promise<void>;
  /** Stops, and removes all of it. */
  discard(): Promise<void>;
}

export const incomingName = "incoming";
/** The transfer that the records are of, until they are whole. Before every key of the engine. */
const transferKey = "\0incoming";
/** Part of the time that checking what arrived may take beside the work of a node. */
const shareBesideWork = 0.5;

export class LevelIncoming implements Incoming {
  readonly #dir: string;
  readonly #checkShare: number;
  #db: Db | undefined;

  constructor(dataDir: string, checkShare = shareBesideWork) {
    this.#checkShare = checkShare;
    this.#dir = join(dataDir, incomingName);
  }

  async open(id: string): Promise<string> {
    await this.close();
    const found = await this.#resume(id).catch(() => undefined);
    if (found !== undefined) return found;
    await this.discard();
    await makeDirectory(this.#dir);
    this.#db = await openLevel(this.#dir);
    await this.#db.put(transferKey, encodeRecord(transferKey, id).bytes, { sync: true });
    return "";
  }

  async add(records: readonly StoredPair[]): Promise<void> {
    const batch = this.#opened().batch();
    for (const [key, stored] of records) batch.put(key, stored);
    await batch.write();
  }

  async complete(
    { index, term }: Pick<ArchiveHeader, "index" | "term">,
    trailer: ArchiveTrailer,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const hash = StateHash.parse(trailer.hash, trailer.records);
    const mark = encodeApplied({ index, term, hash, values: [], closed: true });
    await this.#opened().batch().put(appliedKey, mark).del(transferKey).write({ sync: true });
    await this.close();
    const { records, applied } = await LevelRecords.open(this.#dir);
    try {
      if (applied.index !== index) throw new ArchiveError(`a store of index ${applied.index} instead of ${index}`);
      await records.verify({ share: this.#checkShare, signal });
      signal.throwIfAborted();
    } finally {
      await records.close();
    }
  }

  async close(): Promise<void> {
    const db = this.#db;
    this.#db = undefined;
    await db?.close();
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Undefined: there is nothing of this transfer. @throws when it is damaged */
  async #resume(id: string): Promise<string | undefined> {
    if (!existsSync(this.#dir)) return undefined;
    await checkLevelFiles(this.#dir);
    const db = await openLevel(this.#dir);
    this.#db = db;
    const stored = await db.get(transferKey);
    if (stored === undefined || checkRecord(transferKey, stored) === undefined) return undefined;
    if (decodeRecord(stored) !== id) return undefined;
    const [last] = await db.keys({ gt: transferKey, reverse: true, limit: 1 }).all();
    return last ?? "";
  }

  #opened(): Db {
    if (this.#db === undefined) throw new Error("no snapshot is arriving");
    return this.#db;
  }
}
