/**
 * The real select engine over a map behind a queue of commands: a test decides when each is applied, or that it is lost.
 */
import { SlctError } from "../../src/errors.js";
import { Machine } from "../../src/select/machine.js";
import type { Command } from "../../src/select/command.js";
import type { Applied } from "../../src/select/outcome.js";
import type { Settings } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { compareKeys } from "../../cluster/key-order.js";
import type { Committed } from "../../cluster/types.js";

interface Queued {
  readonly command: Command;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (error: SlctError) => void;
}

export const settings: Settings = {
  attemptsMax: 10,
  retentionMs: 3_600_000,
  requestMemoryMs: 86_400_000,
  selectsMax: 1024,
  callbackLeaseMs: 30_000,
};

export class Engine {
  readonly view = new MapView();
  readonly machine = new Machine(this.view);
  index = 0;
  /** Stamp of what is applied from now on. */
  nowMs = 1_000_000;
  /** Set: everything is refused. */
  outage: SlctError | undefined;
  /** False: what is submitted waits for {@link commit}. */
  instant = true;
  readonly commands: Command[] = [];
  readonly queue: Queued[] = [];
  readonly #listeners: ((applied: Applied, at: { index: number; command: Command }) => void)[] = [];

  constructor() {
    this.#apply({ kind: "configure", seed: new Uint8Array(16), settings });
  }

  readonly submit = (command: Command): Promise<Committed> => {
    if (this.outage !== undefined) return Promise.reject(this.outage);
    this.commands.push(command);
    if (this.instant) return Promise.resolve(this.#apply(command));
    return new Promise((resolve, reject) => this.queue.push({ command, resolve, reject }));
  };

  /** Called as a node does it: before the answer of the same entry. */
  listen(listener: (applied: Applied, at: { index: number; command: Command }) => void): void {
    this.#listeners.push(listener);
  }

  /** Applies what waits, all in one step. */
  commit(): void {
    for (const { command, resolve } of this.queue.splice(0)) resolve(this.#apply(command));
  }

  /** The oldest that waits is never applied. */
  lose(code: "timeout" | "no_leader" | "overloaded"): void {
    this.queue.shift()?.reject(new SlctError(code, "lost"));
  }

  /** In the order of LevelDB. */
  range(options: { gte: string; lt: string; limit: number }): [string, unknown][] {
    return this.view
      .entries()
      .filter(([key]) => compareKeys(key, options.gte) >= 0 && compareKeys(key, options.lt) < 0)
      .sort(([a], [b]) => compareKeys(a, b))
      .slice(0, options.limit);
  }

  get(key: string): unknown {
    return this.view.get(key);
  }

  #apply(command: Command): Committed {
    this.index++;
    const applied = this.machine.apply({ index: this.index, nowMs: this.nowMs, command: structuredClone(command) });
    for (const listener of this.#listeners) listener(applied, { index: this.index, command });
    return { index: this.index, outcome: applied.outcome };
  }
}

/** Lets everything that is ready to run go on, and what follows from it. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 20; round++) await Promise.resolve();
}
