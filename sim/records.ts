/**
 * All records of the engine, sorted by kind as they are written: what checks would otherwise sort anew after each entry.
 */
import { configurationKey } from "../cluster/configuration.js";
import type { Configuration } from "../raft/types.js";
import { keys } from "../src/select/keys.js";
import type { PendingRecord } from "../src/select/pending.js";
import type { Chan, Deadline, Demand, Meta, State, Waiter } from "../src/select/types.js";
import type { View } from "../src/select/view.js";
import type { Records } from "./model/invariants.js";
import type { Writes } from "./store.js";

export class SortedRecords implements View, Records {
  readonly states = new Map<string, State>();
  readonly chans = new Map<string, Chan>();
  readonly waiters = new Map<string, Waiter>();
  readonly deadlines = new Map<string, Deadline>();
  readonly pending = new Map<string, PendingRecord>();
  readonly demands = new Map<string, Demand>();
  readonly requests = new Map<string, unknown>();
  readonly values = new Map<string, unknown>();
  readonly data = new Map<string, unknown>();
  meta: Meta | undefined;
  /** Who is in the cluster; none before the first change. */
  configuration: Configuration | undefined;
  readonly #all = new Map<string, unknown>();
  #writes: [string, unknown][] = [];

  get(key: string): unknown {
    return this.#all.get(key);
  }

  put(key: string, value: unknown): void {
    this.#all.set(key, value);
    this.#writes.push([key, value]);
    if (key === keys.meta) this.meta = value as Meta;
    else if (key === configurationKey) this.configuration = value as Configuration;
    else this.#kind(key).set(nameOf(key), value);
  }

  del(key: string): void {
    this.#all.delete(key);
    this.#writes.push([key, undefined]);
    this.#kind(key).delete(nameOf(key));
  }

  get size(): number {
    return this.#all.size;
  }

  entries(): IterableIterator<[string, unknown]> {
    return this.#all.entries();
  }

  /** What was written since the last call. */
  takeWrites(): Writes {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  #kind(key: string): Map<string, unknown> {
    switch (key.charAt(0)) {
      case "s":
        return this.states;
      case "c":
        return this.chans;
      case "w":
        return this.waiters;
      case "t":
        return this.deadlines;
      case "p":
        return this.pending;
      case "q":
        return this.demands;
      case "r":
        return this.requests;
      case "v":
        return this.values;
      case "d":
        return this.data;
      default:
        throw new Error(`a key of no known kind: ${JSON.stringify(key)}`);
    }
  }
}

/** States and channels go by their id, everything else by its key. */
function nameOf(key: string): string {
  return key[0] === "s" || key[0] === "c" ? key.slice(2) : key;
}
