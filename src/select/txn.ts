/**
 * One log entry: its writes over the records, its sequence numbers and its effects.
 *
 * Handlers write here only; a refused entry is undone by dropping the transaction. States and channels that an entry
 * opens are drafts (draft.ts, chan.ts) until they are sealed, so that each is written once however often it changes.
 */

import type { ChanDraft } from "./chan.js";
import type { Demands } from "./demand.js";
import type { Draft } from "./draft.js";
import { keys } from "./keys.js";
import type { PendingStates } from "./pending.js";
import type { Entry, StateWait } from "./command.js";
import type { Effect } from "./outcome.js";
import type { ChanId, Meta, Settings, StateId, Status, StatusCounts, ValueCounts } from "./types.js";
import type { View } from "./view.js";

/** What lives in memory: changed only when the entry can no longer be refused. */
export interface Indexes {
  readonly pending: PendingStates;
  readonly demands: Demands;
}

/** `PUT ?wait`: the state of the entry that its own request waits for. */
export interface OwnWait {
  readonly draft: Draft;
  readonly wait: StateWait;
  /** Set by settle.ts: handed out in this entry; else it is parked. */
  handedOut: boolean;
}

export interface TxnOptions {
  readonly meta: Meta;
  readonly entry: Entry;
  readonly indexes: Indexes;
  readonly requestKey: string | undefined;
}

export class Txn {
  readonly nowMs: number;
  readonly index: number;
  readonly seed: Uint8Array;
  readonly settings: Settings;
  readonly pending: PendingStates;
  readonly demands: Demands;
  /** Opened states in the order in which they were opened. */
  readonly states = new Map<StateId, Draft>();
  readonly chans = new Map<ChanId, ChanDraft>();
  /** States that got a reason to be handed out, in that order. */
  readonly woken: Draft[] = [];
  readonly effects: Effect[] = [];
  readonly values: { -readonly [K in keyof ValueCounts]: number };
  /** States taken in this entry, by the seq of the demand that gets them. */
  readonly grants = new Map<number, Draft[]>();
  ownWait: OwnWait | undefined;
  /** Where the answer of the entry is to be remembered. */
  readonly requestKey: string | undefined;
  /** The demand that the entry itself parked. */
  parkedSeq: number | undefined;
  readonly #view: View;
  readonly #writes = new Map<string, unknown>();
  readonly #created = new Set<string>();
  #seq: number;
  #counts: StatusCounts;

  constructor(view: View, { meta, entry, indexes, requestKey }: TxnOptions) {
    this.#view = view;
    this.#seq = meta.seq;
    this.#counts = meta.counts;
    this.values = { ...meta.values };
    this.nowMs = Math.max(meta.nowMs, entry.nowMs);
    this.index = entry.index;
    this.seed = meta.seed;
    this.settings = meta.settings;
    this.pending = indexes.pending;
    this.demands = indexes.demands;
    this.requestKey = requestKey;
  }

  /** The record under `key` as of this point of the entry. The layout (keys.ts) vouches for its type. */
  get<T>(key: string): T | undefined {
    const written = this.#writes.get(key);
    if (written !== undefined || this.#writes.has(key)) return written as T | undefined;
    return this.#view.get(key) as T | undefined;
  }

  put(key: string, value: object | string): void {
    this.#writes.set(key, value);
  }

  /** Under a key that cannot have a record: it has a sequence number of this entry in it, or belongs to what is created. */
  create(key: string, value: object | string): void {
    this.#writes.set(key, value);
    this.#created.add(key);
  }

  del(key: string): void {
    this.#writes.set(key, undefined);
  }

  /** @returns the first of `count` sequence numbers that follow each other */
  nextSeq(count = 1): number {
    const first = this.#seq + 1;
    this.#seq += count;
    return first;
  }

  /** A state went from one status to another; undefined: it was not there before, or is gone. */
  count(from: Status | undefined, to: Status | undefined): void {
    if (from === to) return;
    const counts = { ...this.#counts };
    if (from !== undefined) counts[from] -= 1;
    if (to !== undefined) counts[to] += 1;
    this.#counts = counts;
  }

  /** Hands every write to the view, the meta record last. */
  commit(): void {
    for (const [key, value] of this.#writes) {
      if (value === undefined) this.#view.del(key);
      else this.#view.put(key, value, this.#created.has(key));
    }
    const { nowMs, seed, settings, values } = this;
    const meta: Meta = { seq: this.#seq, nowMs, seed, settings, counts: this.#counts, values };
    this.#view.put(keys.meta, meta);
  }
}
