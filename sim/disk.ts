/**
 * The disk of one node, which outlives its process: log, term and vote, flushed records.
 *
 * Writes are batches. One is durable when it completes; a crash before that keeps all of it or nothing, an error leaves
 * open which. Source: reliability 0.1–0.3 for what real disks and LevelDB do.
 */
import { Instances } from "../cluster/instances.js";
import { StorageError } from "../cluster/storage-error.js";
import type { LogStore } from "../cluster/types.js";
import type { Entry, HardState, Index, Term } from "../raft/types.js";
import { invariant } from "../src/invariant.js";
import { drawAt, exponential, streamSeed } from "./random.js";
import type { DiskConfig } from "./config.js";
import type { Event, Loop } from "./loop.js";
import type { Arrived } from "./snapshots.js";

export interface Batch {
  readonly hardState?: HardState;
  readonly entries: readonly Entry[];
}

/** What is durable. */
export class Disk {
  entries: Entry[] = [];
  /** What lies right below the first stored entry. */
  cut: { index: Index; term: Term } = { index: 0, term: 0 };
  hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  /** Starts of the node. */
  epoch = 0;
  /** How often it was emptied. */
  wipes = 0;
  /** What was in the log until then: some leader may count it still. */
  wiped: readonly Entry[] = [];
  /** Which directory of each other node this one has met. */
  instances = new Instances();
  /** Flushed records, and the entry they reflect. */
  readonly records = new Map<string, unknown>();
  mark: { index: Index; term: Term } = { index: 0, term: 0 };
  /** Records that were flushed were lost: the log may begin above what there is. */
  isSpoiled = false;
  /** A snapshot that arrives, and the wish to install it. */
  arrived: Arrived | undefined;
  intent: { readonly index: Index; readonly term: Term } | undefined;
  /** The node knows that it was removed: it does not start any more. */
  isRemoved = false;
  /** An entry whose record is not what was written: reading it fails, and so does every start. */
  rottenIndex: Index | undefined;
  /** The next write fails. `landed`: it is there nevertheless. */
  failsNext: { readonly landed: boolean } | undefined;
  /** No write succeeds before this time. */
  fullUntilMs = 0;
  /** Writes wait until this time. */
  stalledUntilMs = 0;

  get lastIndex(): Index {
    return this.cut.index + this.entries.length;
  }

  get isRotten(): boolean {
    return this.rottenIndex !== undefined;
  }

  /** The records do not reach up to the log: they have to come from another member. */
  get lacksRecords(): boolean {
    return this.mark.index < this.cut.index;
  }

  get isWiped(): boolean {
    return this.wipes > 0;
  }

  /** Damaged records are put aside. */
  loseRecords(): void {
    this.records.clear();
    this.mark = { index: 0, term: 0 };
    this.isSpoiled = true;
  }

  /** As a new one. */
  wipe(): void {
    this.wipes += 1;
    this.wiped = this.entries;
    this.reset(0, 0);
    this.hardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
    this.instances = new Instances();
    this.loseRecords();
    this.arrived = undefined;
    this.intent = undefined;
  }

  term(index: Index): Term | undefined {
    return index === this.cut.index ? this.cut.term : this.entries[index - this.cut.index - 1]?.term;
  }

  write({ hardState, entries }: Batch): void {
    if (hardState !== undefined) this.hardState = hardState;
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > this.cut.index && first.index <= this.lastIndex + 1, `a hole before ${first.index}`);
    this.entries.length = first.index - this.cut.index - 1;
    if (this.rottenIndex !== undefined && this.rottenIndex >= first.index) this.rottenIndex = undefined;
    for (const entry of entries) this.entries.push(entry);
  }

  /** Everything goes; what follows comes behind `index`. */
  reset(index: Index, term: Term): void {
    this.entries = [];
    this.cut = { index, term };
    this.rottenIndex = undefined;
  }

  compact(index: Index): void {
    const to = Math.min(index, this.lastIndex);
    const term = this.term(to);
    if (to <= this.cut.index || term === undefined) return;
    this.entries = this.entries.slice(to - this.cut.index);
    this.cut = { index: to, term };
    if (this.rottenIndex !== undefined && this.rottenIndex <= to) this.rottenIndex = undefined;
  }
}

export interface LogHost {
  readonly loop: Loop;
  readonly seed: number;
  readonly config: DiskConfig;
  /** A batch is about to be written, before anything else can happen. */
  onAppend(batch: Batch): void;
  /** Runs what follows from a write in the node, if it still lives. */
  complete(run: () => void): void;
}

/** The log as a running node has it. */
export class SimLog implements LogStore {
  readonly #disk: Disk;
  readonly #host: LogHost;
  readonly #latencySeed: number;
  #writing: { readonly batch: Batch; readonly done: Event } | undefined;
  #writes = 0;
  #failure: Error | undefined;

  constructor(disk: Disk, host: LogHost) {
    this.#disk = disk;
    this.#host = host;
    this.#latencySeed = streamSeed(host.seed, `disk ${disk.epoch}`);
  }

  /** No write succeeds any more. */
  get isClosed(): boolean {
    return this.#failure !== undefined;
  }

  get hardState(): HardState {
    return this.#disk.hardState;
  }

  firstIndex(): Index {
    return this.#disk.cut.index + 1;
  }

  lastIndex(): Index {
    return this.#disk.lastIndex;
  }

  term(index: Index): Term | undefined {
    return this.#disk.term(index);
  }

  entries(from: Index, to: Index, bytesMax: number): Entry[] {
    if (this.#failure !== undefined) throw this.#failure;
    const { cut, entries, lastIndex, rottenIndex = Infinity } = this.#disk;
    invariant(from > cut.index, `entry ${from} was cut off`);
    const end = Math.min(to, lastIndex + 1);
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < end; index += 1) {
      if (index === rottenIndex) {
        this.#failure = new StorageError("corrupt", "the record is not what was written", { file: "log", index });
        throw this.#failure;
      }
      const entry = entries[index - cut.index - 1] as Entry;
      bytes += entry.data.length;
      if (bytes > bytesMax && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  append(batch: Batch): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    invariant(this.#writing === undefined, "one write at a time");
    this.#host.onAppend(batch);
    return new Promise((resolve, reject) => {
      const done = this.#host.loop.after(this.#latencyMs(), () => {
        this.#writing = undefined;
        const failure = this.#perform(batch);
        this.#host.complete(() => (failure === undefined ? resolve() : reject(failure)));
      });
      this.#writing = { batch, done };
    });
  }

  compact(index: Index, tailBytes = 0): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let to = Math.min(index, this.#disk.lastIndex);
    let bytes = 0;
    while (to > this.#disk.cut.index) {
      bytes += this.#disk.entries[to - this.#disk.cut.index - 1]?.data.length ?? 0;
      if (bytes > tailBytes) break;
      to -= 1;
    }
    this.#disk.compact(to);
    return Promise.resolve();
  }

  reset(index: Index, term: Term): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#disk.reset(index, term);
    return Promise.resolve();
  }

  bytesFrom(index: Index): number {
    let bytes = 0;
    for (const entry of this.#disk.entries) if (entry.index >= index) bytes += entry.data.length;
    return bytes;
  }

  close(): Promise<void> {
    this.#failure ??= new Error("the log is closed");
    return Promise.resolve();
  }

  /** The process is gone. `kept`: what it was writing reaches the disk all the same. */
  crash(kept: boolean): void {
    this.#failure = new Error("the process is gone");
    if (this.#writing === undefined) return;
    this.#writing.done.cancelled = true;
    if (kept) this.#disk.write(this.#writing.batch);
    this.#writing = undefined;
  }

  /** The first error is final. */
  #perform(batch: Batch): Error | undefined {
    const { failsNext, fullUntilMs } = this.#disk;
    this.#disk.failsNext = undefined;
    if (failsNext !== undefined) {
      if (failsNext.landed) this.#disk.write(batch);
      this.#failure = new StorageError("io", "EIO: i/o error, write", { file: "log" });
    } else if (this.#host.loop.nowMs < fullUntilMs) {
      this.#failure = new StorageError("io", "ENOSPC: no space left on device, write", { file: "log" });
    } else {
      this.#disk.write(batch);
    }
    return this.#failure;
  }

  #latencyMs(): number {
    const { loop, config } = this.#host;
    this.#writes += 1;
    const draw = drawAt(this.#latencySeed, this.#writes);
    const stallMs = Math.max(0, this.#disk.stalledUntilMs - loop.nowMs);
    return stallMs + config.latencyMinMs + exponential(config.latencyMeanMs, draw);
  }
}
