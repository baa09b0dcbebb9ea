/**
 * The engine of a node, over its records; tells when it is about to apply something.
 */
import type { Entry } from "../src/select/command.js";
import { Machine } from "../src/select/machine.js";
import type { Applied } from "../src/select/outcome.js";
import type { PendingRecord } from "../src/select/pending.js";
import type { Demand } from "../src/select/types.js";
import type { SimStore } from "./store.js";

export function openMachine(store: SimStore, onApplying: () => void): Machine {
  const machine = new WatchedMachine(store, onApplying);
  const found = [...store.records].filter(([key]) => key.startsWith("p\0") || key.startsWith("q\0"));
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  const pending = found.filter(([key]) => key.startsWith("p"));
  const demands = found.filter(([key]) => key.startsWith("q"));
  machine.load(
    pending.map(([key, id]) => [Number(key.slice(2)), id as PendingRecord] as const),
    demands.map(([, demand]) => demand as Demand),
  );
  return machine;
}

class WatchedMachine extends Machine {
  readonly #onApplying: () => void;

  constructor(store: SimStore, onApplying: () => void) {
    super(store);
    this.#onApplying = onApplying;
  }

  override apply(entry: Entry): Applied {
    this.#onApplying();
    return super.apply(entry);
  }
}
