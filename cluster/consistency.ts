/**
 * Compares the records of the replicas: equal hashes at equal applied indexes, or an alarm (reliability 50).
 *
 * A hash belongs to one index, so all replicas have to take theirs at the same ones. They agree on these without a word:
 * the first entry of every period of log time, and the last entry when nothing comes any more. Each tells its newest
 * with its status; a replica that lags finds the mark of the other among those it keeps.
 */
import type { Index, NodeId } from "../raft/types.js";
import type { Alarms } from "./alarms.js";
import type { Store } from "./types.js";

/** Hash of all records as of an index. */
export interface StateMark {
  readonly index: Index;
  readonly hash: string;
}

export interface ConsistencyOptions {
  readonly self: NodeId;
  readonly others: () => readonly NodeId[];
  readonly store: Pick<Store, "stateHash" | "appliedIndex">;
  /** Log time of the last applied entry, ms. */
  readonly logTimeMs: number;
  readonly alarms: Alarms;
  readonly onError: (error: unknown) => void;
}

/** Taking a hash writes what is dirty; so often that is nothing beside the log, and half a minute has many chances. */
export const periodMs = 2000;
/** Marks kept per replica: some minutes. */
const marksMax = 128;

export class Consistency {
  readonly #options: ConsistencyOptions;
  /** This replica's included. */
  readonly #marks = new Map<NodeId, Map<Index, string>>();
  /** Replicas whose records are not those of this one, and the index that showed it. */
  readonly #different = new Map<NodeId, Index>();
  #latest: StateMark | undefined;
  #period: number;
  #seenIndex = -1;
  #taking = false;
  #closed = false;

  constructor(options: ConsistencyOptions) {
    this.#options = options;
    this.#period = periodOf(options.logTimeMs);
  }

  /** The newest hash at an index where the others take theirs as well. */
  get latest(): StateMark | undefined {
    return this.#latest;
  }

  /** The hash at the current applied index, whatever the load. */
  async hash(): Promise<StateMark> {
    const mark = await this.#options.store.stateHash();
    this.#note(this.#options.self, mark);
    return mark;
  }

  /** The store reflects the entry, and nothing of what follows it. */
  onApplied(logTimeMs: number): void {
    const period = periodOf(logTimeMs);
    if (period === this.#period) return;
    this.#period = period;
    this.#take();
  }

  /** Called once a second: all replicas rest at the same index. */
  tick(): void {
    const { appliedIndex } = this.#options.store;
    const isQuiet = appliedIndex === this.#seenIndex;
    this.#seenIndex = appliedIndex;
    if (isQuiet && this.#latest?.index !== appliedIndex) this.#take();
    this.#judge();
  }

  onMark(from: NodeId, mark: StateMark): void {
    this.#note(from, mark);
  }

  close(): void {
    this.#closed = true;
  }

  #take(): void {
    if (this.#taking) return;
    this.#taking = true;
    const { store, onError } = this.#options;
    const { appliedIndex } = store;
    this.hash()
      .then(
        (mark) => {
          // While a batch is being written the next one cannot begin, and ends somewhere later.
          if (mark.index === appliedIndex) this.#latest = mark;
        },
        (error: unknown) => {
          // The store may be closed while it is read.
          if (!this.#closed) onError(error);
        },
      )
      .finally(() => (this.#taking = false));
  }

  #note(node: NodeId, { index, hash }: StateMark): void {
    const { self, others } = this.#options;
    const marks = this.#marks.get(node) ?? new Map<Index, string>();
    if (marks.get(index) === hash) return;
    marks.set(index, hash);
    for (const oldest of marks.keys()) {
      if (marks.size <= marksMax) break;
      marks.delete(oldest);
    }
    this.#marks.set(node, marks);
    for (const other of node === self ? others() : [self]) {
      const there = this.#marks.get(other)?.get(index);
      if (there !== undefined) this.#compared(node === self ? other : node, index, there === hash);
    }
    this.#judge();
  }

  #compared(other: NodeId, index: Index, isEqual: boolean): void {
    if (!isEqual) this.#different.set(other, index);
    else if (index >= (this.#different.get(other) ?? 0)) this.#different.delete(other);
  }

  #judge(): void {
    const { self, others, alarms } = this.#options;
    const members = others();
    for (const id of this.#different.keys()) if (!members.includes(id)) this.#different.delete(id);
    const found = [...this.#different].map(([id, index]) => `those of ${id} at index ${index}`);
    if (found.length === 0) alarms.clear("state_mismatch");
    else alarms.raise("state_mismatch", `the records of ${self} are not ${found.join(", nor ")}`);
  }
}

function periodOf(logTimeMs: number): number {
  return Math.floor(logTimeMs / periodMs);
}
