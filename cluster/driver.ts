/**
 * The one loop of a node: take what Raft decided, write it, send it, apply it.
 *
 * Everything that arrives while a write is in flight joins the next one, so one sync serves many requests (group
 * commit). The leader's messages leave beside its own write, answers only after it (dissertation 10.2.1). Decides nothing.
 */
import { decodeEntry, type Origin } from "../src/codec.js";
import { invariant } from "../src/invariant.js";
import type { Machine } from "../src/select/machine.js";
import type { Command } from "../src/select/command.js";
import type { Applied } from "../src/select/outcome.js";
import type { Raft } from "../raft/raft.js";
import type { Configuration, Entry, Index, Message, NodeId, ReadState, Ready } from "../raft/types.js";
import { applyConfiguration, forgetting, readConfiguration } from "./configuration.js";
import { cpuMs, systemTime, type Time } from "./environment.js";
import { failpoint } from "./failpoint.js";
import type { LogStore, Store } from "./types.js";

/** One entry, applied here. */
export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  /** Effective log time: never less than that of the entry before. */
  readonly nowMs: number;
  readonly origin: Origin;
  readonly command: Command;
  readonly applied: Applied;
}

export interface DriverHost {
  /** Called at the start of every turn: the place to hand queued proposals to Raft or to the leader. */
  beforeTurn(): void;
  send(message: Message): void;
  /** Synchronous, in log order; the store already reflects the entry. */
  onApplied(entry: AppliedEntry): void;
  /** An entry changed the members; the record is in the store. */
  onConfiguration(configuration: Configuration, at: { readonly index: number; readonly term: number }): void;
  /** The first entry of `term` was applied: no entry of an earlier term can follow. */
  onTerm(term: number): void;
  onReads(reads: readonly ReadState[]): void;
  /** These members need a snapshot. */
  onSnapshotsTo(ids: readonly NodeId[]): void;
  /** An arrived snapshot is to be installed: nothing is called afterwards, the node has to start over. */
  onInstall(install: NonNullable<Ready["install"]>): void;
  /** End of a batch of applied entries. */
  onProgress(appliedIndex: number): void;
  observeSync(seconds: number, entries: number): void;
  /** One step of applying: all that was done before anything else was let in, and what it took of a core. */
  observeApply(seconds: number, cpuSeconds: number): void;
  onFatal(error: unknown): void;
}

export interface DriverParts {
  readonly raft: Raft;
  readonly log: LogStore;
  readonly store: Store;
  readonly machine: Machine;
  /** Log time of the last applied entry. */
  readonly nowMs: number;
  readonly host: DriverHost;
  readonly time?: Time;
}

/**
 * What one turn applies: after so many entries, or so long, the rest waits for the next ones, so that whoever has much to
 * catch up with, or entries with much to do, still hears and answers heartbeats.
 */
const applyEntriesMax = 256;
const applyMsMax = 4;

/** After so long a write is not slow but stuck: who has such a disk must not go on as if it led. */
const slowWriteMsMax = 2500;

/** Proposes what follows from an entry itself. */
const nobody: Origin = { node: "", epoch: 0, seq: 0 };

export class Driver {
  readonly #raft: Raft;
  readonly #log: LogStore;
  readonly #store: Store;
  readonly #machine: Machine;
  readonly #host: DriverHost;
  readonly #time: Time;
  #scheduled = false;
  /** The loop is going round and will see whatever comes: set and cleared in the step in which it looks. */
  #running = false;
  #draining: Promise<void> = Promise.resolve();
  /** When the write under way began. */
  #writingSinceMs: number | undefined;
  #closed = false;
  /** Committed, and not yet applied from `#applyFrom` on. */
  #committed: readonly Entry[] = [];
  #applyFrom = 0;
  #nowMs: number;
  /** As of the last applied entry. */
  #removed: ReadonlySet<NodeId>;

  constructor(parts: DriverParts) {
    this.#raft = parts.raft;
    this.#log = parts.log;
    this.#store = parts.store;
    this.#machine = parts.machine;
    this.#nowMs = parts.nowMs;
    this.#host = parts.host;
    this.#time = parts.time ?? systemTime;
    this.#removed = new Set(readConfiguration(parts.store)?.removed);
  }

  /** Log time of the last applied entry. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Something changed (a message, a tick, a proposal): run a turn soon, once for everything that came by then. */
  wake(): void {
    if (this.#scheduled || this.#closed || this.#running) return;
    this.#scheduled = true;
    this.#time.soon(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#draining = this.#drain();
    });
  }

  /**
   * To be called with every tick. A disk that takes its time holds up the turn, but not what promises nothing of the write:
   * a leader that writes is not silent (docs/decisions/027-a-slow-write-is-not-silence.md).
   */
  sendMeanwhile(): void {
    const sinceMs = this.#writingSinceMs;
    if (this.#closed || sinceMs === undefined || this.#time.nowMs() - sinceMs > slowWriteMsMax) return;
    for (const message of this.#raft.takeMessages()) this.#host.send(message);
  }

  /** Stops after the turn under way; no callback is called afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
  }

  get #isBehind(): boolean {
    return this.#applyFrom < this.#committed.length;
  }

  async #drain(): Promise<void> {
    this.#running = true;
    try {
      this.#host.beforeTurn();
      while (!this.#closed && (this.#raft.hasReady() || this.#isBehind)) {
        await this.#turn(this.#raft.takeReady(!this.#isBehind));
        if (!this.#closed) this.#host.beforeTurn();
      }
    } catch (error) {
      this.#closed = true;
      this.#host.onFatal(error);
    } finally {
      this.#running = false;
    }
  }

  async #turn(ready: Ready): Promise<void> {
    failpoint("driver.before-send");
    for (const message of ready.messages) this.#host.send(message);
    failpoint("driver.after-send");
    if (ready.snapshotsTo.length > 0) this.#host.onSnapshotsTo(ready.snapshotsTo);
    const startedMs = this.#time.nowMs();
    const write = this.#write(ready);
    if (write !== undefined) this.#writingSinceMs = startedMs;
    try {
      if (!this.#isBehind) [this.#committed, this.#applyFrom] = [ready.committed, 0];
      this.#apply();
      if (ready.reads.length > 0) this.#host.onReads(ready.reads);
    } finally {
      await write;
      this.#writingSinceMs = undefined;
    }
    if (write !== undefined) this.#host.observeSync((this.#time.nowMs() - startedMs) / 1000, ready.entries.length);
    failpoint("driver.before-answer");
    for (const message of ready.messagesAfterPersist) this.#host.send(message);
    failpoint("driver.after-answer");
    this.#raft.persisted(ready);
    if (ready.install !== undefined) {
      this.#closed = true;
      return this.#host.onInstall(ready.install);
    }
    // Turns without a write (a replay, reads) would follow each other without ever letting messages and ticks in.
    if (write === undefined) await new Promise<void>((resolve) => this.#time.soon(resolve));
  }

  #write(ready: Ready): Promise<void> | undefined {
    if (ready.hardState === undefined && ready.entries.length === 0) return undefined;
    const { hardState, entries } = ready;
    failpoint(hardState === undefined ? "driver.before-persist-entries" : "driver.before-persist-vote");
    return this.#log.append(hardState === undefined ? { entries } : { hardState, entries });
  }

  #apply(): void {
    const end = Math.min(this.#committed.length, this.#applyFrom + applyEntriesMax);
    if (this.#applyFrom === end) return;
    const [startedMs, startedCpuMs] = [this.#time.nowMs(), cpuMs()];
    do {
      const entry = this.#committed[this.#applyFrom++];
      invariant(entry !== undefined, "only entries that are there are applied");
      this.#applyEntry(entry);
    } while (this.#applyFrom < end && this.#time.nowMs() - startedMs < applyMsMax);
    if (!this.#isBehind) [this.#committed, this.#applyFrom] = [[], 0];
    this.#host.onProgress(this.#store.appliedIndex);
    const tookMs = this.#time.nowMs() - startedMs;
    // Other threads have their part in the CPU of the process: this one had at most the time that passed.
    this.#host.observeApply(tookMs / 1000, Math.min(tookMs, cpuMs() - startedCpuMs) / 1000);
  }

  #applyEntry(entry: Entry): void {
    if (entry.term !== this.#store.appliedTerm) this.#host.onTerm(entry.term);
    if (entry.kind === "configuration") this.#configure(entry);
    else if (entry.data.length === 0) this.#store.advance(entry.index, entry.term);
    else this.#applyCommand(entry);
  }

  #applyCommand({ index, term, data }: Entry): void {
    const { nowMs, origin, command } = decodeEntry(data);
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    failpoint("driver.before-apply");
    const applied = this.#machine.apply({ index, nowMs: this.#nowMs, command });
    const forgotten = this.#removed.has(origin.node) ? this.#forget([origin.node], index) : [];
    failpoint("driver.after-apply");
    this.#store.advance(index, term);
    this.#host.onApplied({ index, term, nowMs: this.#nowMs, origin, command, applied });
    for (const one of forgotten) this.#host.onApplied({ index, term, nowMs: this.#nowMs, ...one });
  }

  /** The record changes, and what a node that is removed by it had parked goes in the same entry. */
  #configure({ index, term, data }: Entry): void {
    failpoint("driver.before-configure");
    const { before, after } = applyConfiguration(this.#store, data);
    failpoint("driver.after-configure");
    this.#removed = new Set(after.removed);
    const forgotten = this.#forget(
      after.removed.filter((id) => before?.removed.includes(id) !== true),
      index,
    );
    this.#store.advance(index, term);
    for (const one of forgotten) this.#host.onApplied({ index, term, nowMs: this.#nowMs, ...one });
    this.#host.onConfiguration(after, { index, term });
  }

  #forget(nodes: readonly NodeId[], index: Index): readonly Pick<AppliedEntry, "origin" | "command" | "applied">[] {
    return nodes.map((node) => {
      const command = forgetting(node);
      return { origin: nobody, command, applied: this.#machine.apply({ index, nowMs: this.#nowMs, command }) };
    });
  }
}
