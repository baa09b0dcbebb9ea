/**
 * Snapshots on a simulated disk: the records at one index, those that arrive from another node, and how they take the place
 * of the own ones. What they are made of and how they travel is the production code.
 */
import { ArchiveError, type ArchiveHeader, type ArchiveTrailer, type StoredPair } from "../cluster/archive-format.js";
import type { Incoming } from "../cluster/snapshot-incoming.js";
import { checkRecord, decodeRecord, encodeRecord, StateHash } from "../cluster/store-record.js";
import type { SnapshotStorage } from "../cluster/snapshots.js";
import type { ReadView } from "../cluster/types.js";
import type { Index, Term } from "../raft/types.js";
import { invariant } from "../src/invariant.js";
import type { Disk } from "./disk.js";

/** What has arrived so far; it outlives the process. */
export interface Arrived {
  readonly id: string;
  readonly records: Map<string, Buffer>;
  /** All of it is here and was checked. */
  whole: { readonly index: Index; readonly term: Term } | undefined;
}

/** Records in one read of a view. */
const pageRecords = 64;

export class SimView implements ReadView {
  readonly index: Index;
  readonly term: Term;
  readonly hash: string;
  readonly #records: ReadonlyMap<string, unknown>;
  readonly #pairs: readonly StoredPair[];

  constructor(records: ReadonlyMap<string, unknown>, { index, term }: { readonly index: Index; readonly term: Term }) {
    this.index = index;
    this.term = term;
    this.#records = new Map(records);
    const keys = [...records.keys()].sort();
    const hash = new StateHash();
    this.#pairs = keys.map((key) => {
      const { bytes, sum } = encodeRecord(key, records.get(key));
      hash.add(key, sum);
      return [key, bytes];
    });
    this.hash = hash.digits;
  }

  get records(): number {
    return this.#pairs.length;
  }

  get(key: string): unknown {
    return this.#records.get(key);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a view is read piece by piece
  async *pages(after: string): AsyncGenerator<readonly StoredPair[]> {
    const rest = this.#pairs.filter(([key]) => key > after);
    for (let at = 0; at < rest.length; at += pageRecords) yield rest.slice(at, at + pageRecords);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class SimIncoming implements Incoming {
  readonly #disk: Disk;
  readonly #write: () => Promise<void>;

  /** @param write resolves after the time that a write takes, in the process that writes */
  constructor(disk: Disk, write: () => Promise<void>) {
    this.#disk = disk;
    this.#write = write;
  }

  async open(id: string): Promise<string> {
    await this.#write();
    const found = this.#disk.arrived;
    if (found?.id === id && found.whole === undefined) return [...found.records.keys()].at(-1) ?? "";
    this.#disk.arrived = { id, records: new Map(), whole: undefined };
    return "";
  }

  async add(records: readonly StoredPair[]): Promise<void> {
    await this.#write();
    for (const [key, stored] of records) this.#opened().records.set(key, stored);
  }

  async complete({ index, term }: Pick<ArchiveHeader, "index" | "term">, trailer: ArchiveTrailer): Promise<void> {
    await this.#write();
    const arrived = this.#opened();
    const hash = new StateHash();
    for (const [key, stored] of arrived.records) {
      const sum = checkRecord(key, stored);
      if (sum === undefined) throw new ArchiveError(`the record ${JSON.stringify(key)} is damaged`);
      hash.add(key, sum);
    }
    if (hash.records !== trailer.records || hash.digits !== trailer.hash)
      throw new ArchiveError(`${hash.records} records arrived, ${trailer.records} were sent`);
    arrived.whole = { index, term };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    this.#disk.arrived = undefined;
    return Promise.resolve();
  }

  #opened(): Arrived {
    const { arrived } = this.#disk;
    if (arrived === undefined) throw new Error("no snapshot is arriving");
    return arrived;
  }
}

export function storageOf(disk: Disk, write: () => Promise<void>): SnapshotStorage {
  return {
    incoming: new SimIncoming(disk, write),
    intend: ({ index, term }) => (disk.intent = { index, term }),
  };
}

/** As cluster/snapshot-install.ts, in one step: at every start. @returns whether there was something to install */
export function install(disk: Disk): boolean {
  const { intent, arrived } = disk;
  if (intent === undefined) return false;
  invariant(arrived?.whole?.index === intent.index, `the snapshot of ${intent.index} is whole`);
  if (disk.term(intent.index) !== intent.term) disk.reset(intent.index, intent.term);
  disk.records.clear();
  for (const [key, stored] of arrived.records) disk.records.set(key, decodeRecord(stored));
  disk.mark = { ...intent };
  disk.intent = undefined;
  disk.arrived = undefined;
  return true;
}
