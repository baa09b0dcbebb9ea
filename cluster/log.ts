/**
 * The durable Raft log: one gathered, synced write per batch into preallocated, recycled segment files.
 *
 * Boundary: decides nothing about Raft. Bytes: log-format.ts; what is accepted after a crash: log-scan.ts and
 * log-recovery.ts; why O_DSYNC: docs/decisions/006-log-sync.md. Source: reliability 0.1–0.3, 47, 49, L1–L14.
 */
import { performance } from "node:perf_hooks";
import { invariant } from "../src/invariant.js";
import type { Entry, HardState, Index, Term } from "../raft/types.js";
import type { DirectoryLock } from "./directory.js";
import { diskFiles, type Files } from "./files.js";
import {
  align,
  encodeHardState,
  encodeMark,
  entryRecord,
  pageBytes,
  type Floor,
  type LogRecord,
} from "./log-format.js";
import { LogIndex, RecentEntries } from "./log-index.js";
import { readEntries } from "./log-reader.js";
import { newLog, recoverLog, type Recovered } from "./log-recovery.js";
import { LogWriter } from "./log-writer.js";
import { SegmentFiles, type Segment } from "./log-segments.js";
import { StorageError, storageErrorOf } from "./storage-error.js";
import type { LogStore } from "./types.js";

export interface SegmentLogOptions {
  readonly dir: string;
  readonly clusterId: string;
  readonly nodeId: string;
  /** Size of a segment file; a larger entry gets a file of its own. */
  readonly segmentBytes: number;
  /** Data bytes of the newest entries that stay in memory. */
  readonly recentBytesMax?: number;
  readonly files?: Files;
  /** There was a log here before: an empty directory is refused. */
  readonly mustExist?: boolean;
  /** An unfinished write, never acknowledged, was dropped at the end of the log: normal after a crash. */
  readonly onTorn?: (place: { readonly file: string; readonly offset: number }) => void;
}

const recentBytesMaxDefault = 32 * 1024 * 1024;
/** A mark follows this long after the last write: from then on damage to that write cannot be taken for a crash. */
const markAfterMs = 50;
const segmentBytesMin = 4 * pageBytes;

export class SegmentLog implements LogStore {
  readonly #dir: string;
  readonly #lock: DirectoryLock;
  readonly #pool: SegmentFiles;
  readonly #segments: Map<number, Segment>;
  #index: LogIndex;
  readonly #recent: RecentEntries;
  readonly #writer: LogWriter;
  #hardState: HardState;
  #floor: Floor;
  /** Everything durable is followed by something that proves it. */
  #marked = false;
  #wroteMs = 0;
  #markTimer: NodeJS.Timeout | undefined;
  /** Writes run one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #recycling: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  /**
   * Opens or creates the log in `dir`, after taking the directory's lock.
   * @throws StorageError when the directory is in use, damaged, cut or belongs to another node; nothing is changed then
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    const { dir, files = diskFiles } = options;
    const segmentBytes = Math.max(align(options.segmentBytes, pageBytes), segmentBytesMin);
    const segmentOptions = { ...options, files, segmentBytes };
    const lock = await files.lock(dir);
    let log: SegmentLog | undefined;
    try {
      const names = await files.list(dir);
      const found = await recoverLog(segmentOptions, names);
      if (found === undefined && options.mustExist === true) {
        throw new StorageError("corrupt", "this node has had a log, but its directory holds none", { file: dir });
      }
      const pool = new SegmentFiles(segmentOptions);
      await pool.adopt(names);
      if (found?.torn !== undefined) options.onTorn?.(found.torn);
      log = new SegmentLog(options, { lock, pool, recovered: found ?? newLog(await pool.take(1, 0)) });
      await log.#begin(found);
      return log;
    } catch (error) {
      await (log === undefined ? lock.release() : log.close());
      throw storageErrorOf(error, "the log cannot be opened", { file: dir });
    }
  }

  private constructor(
    options: SegmentLogOptions,
    { lock, pool, recovered }: { lock: DirectoryLock; pool: SegmentFiles; recovered: Recovered },
  ) {
    this.#dir = options.dir;
    this.#lock = lock;
    this.#pool = pool;
    this.#segments = new Map(recovered.live.map((segment) => [segment.sequence, segment]));
    this.#index = recovered.index;
    this.#recent = new RecentEntries(options.recentBytesMax ?? recentBytesMaxDefault);
    this.#hardState = recovered.hardState;
    this.#floor = recovered.floor;
    const end = () => {
      const lastIndex = this.#index.last;
      return { lastIndex, lastTerm: this.#index.term(lastIndex) ?? 0, floor: this.#floor, hardState: this.#hardState };
    };
    const onSegment = (segment: Segment) => void this.#segments.set(segment.sequence, segment);
    this.#writer = new LogWriter({ pool, end, onSegment }, recovered);
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  firstIndex(): Index {
    return this.#index.first;
  }

  lastIndex(): Index {
    return this.#index.last;
  }

  term(index: Index): Term | undefined {
    return this.#index.term(index);
  }

  entries(from: Index, to: Index, bytesMax: number): Entry[] {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return readEntries(this.#segments, this.#index, this.#recent, { from, to, bytesMax });
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /**
   * `entries[0]` must be new or in conflict with what is stored at its index. A batch is all or nothing after a crash,
   * unless it is larger than a segment: then a prefix of it may stand, the hard state first.
   */
  append({
    hardState,
    entries,
  }: {
    readonly hardState?: HardState;
    readonly entries: readonly Entry[];
  }): Promise<void> {
    return this.#exclusive(async () => {
      this.#checkOrder(entries);
      const records: LogRecord[] =
        hardState === undefined ? [] : [this.#writer.record("hardState", encodeHardState(hardState))];
      const first = records.length;
      for (const entry of entries) records.push(entryRecord(entry));
      let reported = 0;
      await this.#writer.write(records, ({ count, segment, offsets }) => {
        if (hardState !== undefined && reported === 0) this.#hardState = hardState;
        const part = entries.slice(Math.max(0, reported - first), reported + count - first);
        const skipped = count - part.length;
        for (const [position, { index, term, data }] of part.entries()) {
          const offset = offsets[skipped + position];
          invariant(offset !== undefined, "each record has a place");
          this.#index.set(index, term, { segment, offset, bodyBytes: data.length });
        }
        this.#recent.append(part);
        reported += count;
      });
      if (records.length > 0) this.#markSoon();
    });
  }

  async compact(index: Index, tailBytes = 0): Promise<void> {
    await this.#exclusive(async () => {
      const needed = Math.max(index + 1, this.#index.first);
      let segment = this.#segmentOf(needed);
      for (let kept = 0; kept < tailBytes && segment > this.#floor.segment;)
        kept += this.#segments.get(--segment)?.file.bytes ?? 0;
      if (segment <= this.#floor.segment) return;
      const first = this.#index.firstIn(segment);
      const prevTerm = this.#index.term(first - 1);
      invariant(prevTerm !== undefined, `the log knows the term of ${first - 1}`);
      this.#floor = { segment, index: first, prevTerm };
      await this.#mark();
      this.#index.dropBelow(first, prevTerm);
    });
    await this.#recycle(this.#takeUnneeded());
  }

  async reset(index: Index, term: Term): Promise<void> {
    await this.#exclusive(async () => {
      // All of it is in the opening record of the next segment: before that is durable the old log stands, then the new.
      await this.#writer.roll();
      this.#index = new LogIndex(index + 1, term);
      this.#recent.clear();
      this.#hardState = { ...this.#hardState, commitIndex: index };
      this.#floor = { segment: this.#writer.segment, index: index + 1, prevTerm: term };
      await this.#mark();
    });
    await this.#recycle(this.#takeUnneeded());
  }

  bytesFrom(index: Index): number {
    const from = this.#segmentOf(Math.max(index, this.#index.first));
    const needed = [...this.#segments.values()].filter(({ sequence }) => sequence >= from);
    return needed.reduce((sum, { file }) => sum + file.bytes, 0);
  }

  async close(): Promise<void> {
    clearTimeout(this.#markTimer);
    await this.#exclusive(() => (this.#marked ? Promise.resolve() : this.#mark())).catch(() => undefined);
    this.#failure ??= new Error("the log is closed");
    await this.#recycling;
    await this.#pool.close();
    for (const { file } of this.#segments.values()) await file.close();
    this.#segments.clear();
    await this.#lock.release();
  }

  /** Makes the log writable: an opening record where there is none, a mark where an unfinished write was dropped. */
  async #begin(found: Recovered | undefined): Promise<void> {
    if (found?.next !== undefined) this.#pool.adoptNext(found.next);
    await this.#exclusive(() => this.#mark(found?.torn !== undefined));
    this.#pool.prepare(this.#writer.segment + 1);
    if (found !== undefined) await this.#recycle(found.leftovers);
  }

  async #mark(littered = false): Promise<void> {
    const mark = this.#writer.record("mark", encodeMark({ floor: this.#floor, littered }));
    await this.#writer.write([mark], () => undefined);
    this.#marked = true;
  }

  #markSoon(): void {
    this.#marked = false;
    this.#wroteMs = performance.now();
    this.#markTimer ??= setTimeout(() => this.#markWhenQuiet(), markAfterMs).unref();
  }

  #markWhenQuiet(): void {
    this.#markTimer = undefined;
    if (this.#marked || this.#failure !== undefined) return;
    const quietMs = performance.now() - this.#wroteMs;
    if (quietMs < markAfterMs) {
      this.#markTimer = setTimeout(() => this.#markWhenQuiet(), markAfterMs - quietMs).unref();
    } else {
      // A failure poisons the log; whoever appends next hears of it.
      this.#exclusive(() => this.#mark()).catch(() => undefined);
    }
  }

  #checkOrder(entries: readonly Entry[]): void {
    const { first, last } = this.#index;
    const start = entries[0]?.index ?? first;
    invariant(start >= first && start <= last + 1, `entry ${start} does not follow ${last}`);
    for (const [position, { index }] of entries.entries())
      invariant(index === start + position, `entry ${index} is out of order`);
  }

  /** Where an entry is, or would be. */
  #segmentOf(index: Index): number {
    return index > this.#index.last ? this.#writer.segment : this.#index.location(index).segment;
  }

  #takeUnneeded(): Segment[] {
    const gone = [...this.#segments.values()].filter(({ sequence }) => sequence < this.#floor.segment);
    for (const { sequence } of gone) this.#segments.delete(sequence);
    return gone;
  }

  async #recycle(segments: readonly Segment[]): Promise<void> {
    if (segments.length === 0) return;
    const done = this.#recycling.then(() => this.#pool.recycle(segments));
    this.#recycling = done.catch((error: unknown) => void this.#fail(error));
    await done;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      return work();
    });
    this.#queue = run.then(
      () => undefined,
      (error: unknown) => void this.#fail(error),
    );
    return run.catch((error: unknown) => {
      throw this.#fail(error);
    });
  }

  /** The first failure is final: what is on disk is unknown from then on (reliability 0.1, 0.3). */
  #fail(error: unknown): Error {
    this.#failure ??= storageErrorOf(error, "the log cannot be written", { file: this.#dir });
    return this.#failure;
  }
}
