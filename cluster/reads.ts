/**
 * Linearizable reads of this node: one ReadIndex round serves every read that waited when it began.
 *
 * Source: dissertation 6.4; reliability 45. A read is answered once this node has applied the index that was confirmed.
 */
import TinyQueue from "tinyqueue";
import { SlctError } from "../src/errors.js";
import type { ReadState, Term } from "../raft/types.js";
import { systemTime, type Time } from "./environment.js";
import type { Freshness } from "./types.js";
import type { Leadership } from "./proposals.js";

interface Waiting {
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: SlctError) => void;
}

interface Round {
  readonly context: number;
  readonly term: Term;
  readonly startedMs: number;
  readonly reads: readonly Waiting[];
}

interface AtIndex extends Waiting {
  readonly index: number;
}

export interface ReadsOptions {
  /** Reads that wait at once. */
  readonly readsMax: number;
  readonly timeoutMs: number;
  readonly applied: () => number;
  /** `Raft.readIndex` */
  readonly ask: (context: number) => void;
  /** Has `pump` called soon. */
  readonly wake: () => void;
  readonly time?: Time;
}

/** A round whose answer may be lost is asked again. */
const roundTimeoutMs = 500;

export class Reads {
  #queued: Waiting[] = [];
  #round: Round | undefined;
  #context = 0;
  #behind = byIndex([]);
  /** A round was refused under this term: it is asked again under another one, or a tick later. */
  #refusedTerm: Term = 0;
  #closed = false;
  readonly #options: ReadsOptions;
  readonly #time: Time;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
  }

  /** @throws SlctError `no_leader`, `overloaded`, or `timeout` when `minIndex` is not reached in time */
  async fresh({ stale, minIndex }: Freshness, leadership: Leadership): Promise<void> {
    const deadlineMs = this.#time.nowMs() + this.#options.timeoutMs;
    if (!stale) {
      if (leadership.leader === null && leadership.hopeless) throw noLeader();
      await this.#wait(deadlineMs, (read) => {
        this.#queued.push(read);
        this.#options.wake();
      });
    }
    if (minIndex > this.#options.applied())
      await this.#wait(deadlineMs, (read) => this.#behind.push({ ...read, index: minIndex }));
  }

  /** Begins the next round if none is under way. */
  pump({ leader, term }: Leadership): void {
    if (leader === null || term === this.#refusedTerm) return;
    if (this.#queued.length === 0 || this.#round !== undefined) return;
    this.#round = { context: ++this.#context, term, startedMs: this.#time.nowMs(), reads: this.#queued };
    this.#queued = [];
    this.#options.ask(this.#round.context);
  }

  onReads(states: readonly ReadState[]): void {
    for (const { context, index } of states) {
      const round = this.#round;
      if (round?.context !== context) continue;
      this.#round = undefined;
      if (index === 0) {
        this.#refusedTerm = round.term;
        this.#queued = [...round.reads, ...this.#queued];
      } else {
        for (const read of round.reads) this.#at(index, read);
      }
    }
    if (this.#queued.length > 0) this.#options.wake();
  }

  onApplied(index: number): void {
    for (let next = this.#behind.peek(); next !== undefined && next.index <= index; next = this.#behind.peek()) {
      this.#behind.pop();
      next.resolve();
    }
  }

  sweep(leadership: Leadership): void {
    const nowMs = this.#time.nowMs();
    this.#refusedTerm = 0;
    if (this.#round !== undefined && nowMs - this.#round.startedMs > roundTimeoutMs) {
      this.#queued = [...this.#round.reads, ...this.#queued];
      this.#round = undefined;
    }
    const hopeless = leadership.leader === null && leadership.hopeless;
    this.#queued = this.#queued.filter((read) => keep(read, hopeless || read.deadlineMs < nowMs, noLeader));
    if (this.#behind.length > 0 && this.#behind.data.some((one) => one.deadlineMs < nowMs)) {
      const late = () => new SlctError("timeout", "this node has not applied the wanted index in time");
      const kept = this.#behind.data.filter((one) => keep(one, one.deadlineMs < nowMs, late));
      this.#behind = byIndex(kept);
    }
    if (this.#queued.length > 0) this.#options.wake();
  }

  close(): void {
    this.#closed = true;
    for (const read of [...this.#queued, ...(this.#round?.reads ?? []), ...this.#behind.data]) read.reject(noLeader());
    this.#queued = [];
    this.#round = undefined;
    this.#behind = byIndex([]);
  }

  #wait(deadlineMs: number, enqueue: (read: Waiting) => void): Promise<void> {
    if (this.#closed) throw noLeader();
    const waiting = this.#queued.length + (this.#round?.reads.length ?? 0) + this.#behind.length;
    if (waiting >= this.#options.readsMax) throw new SlctError("overloaded", "too many reads wait on this node");
    return new Promise((resolve, reject) => enqueue({ deadlineMs, resolve, reject }));
  }

  #at(index: number, read: Waiting): void {
    if (index <= this.#options.applied()) read.resolve();
    else this.#behind.push({ ...read, index });
  }
}

function byIndex(reads: AtIndex[]): TinyQueue<AtIndex> {
  return new TinyQueue<AtIndex>(reads, (a, b) => a.index - b.index);
}

function keep(read: Waiting, over: boolean, error: () => SlctError): boolean {
  if (over) read.reject(error());
  return !over;
}

function noLeader(): SlctError {
  return new SlctError("no_leader", "no leader is reachable");
}
