/**
 * What all hand-outs of one worker share: its processes, how data is written, and the processes that are in memory.
 */
import { systemClock, type Clock } from "../client/clock.js";
import { codecList, type Codec, type Codecs } from "../client/codec.js";
import type { SlctError } from "../client/errors.js";
import { queuesOf, type Implementation } from "../process/activity.js";
import type { Execution } from "../process/execution.js";
import type { Guard } from "../process/guard.js";
import { Registry, type Runnable } from "./registry.js";

/** What workers and {@link serve} have in common. */
export interface RuntimeOptions {
  readonly processes?: readonly Runnable[];
  /** What is done here for processes that run anywhere. */
  readonly activities?: readonly Implementation[];
  /** As the clients' that start them. Default plain JSON. */
  readonly codec?: Codec | Codecs;
  /** Clocks, chance and network in process code outside of steps: `warn` (default), `throw`, `off`. */
  readonly guard?: "warn" | "throw" | "off";
  /** Processes kept in memory between two hand-outs; the others are brought back from their journal. Default 1000. */
  readonly cached?: number;
  /** How long process code may await something that is no operation, ms. Default 2000. */
  readonly foreignMs?: number;
  /** Is told the same thing once. Default `console.warn`. */
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
  /** A process that was put back broke the rules later: its code went on by itself. Default `warn`. */
  readonly onLate?: (id: string, error: SlctError) => void;
}

const defaults = { cached: 1000, foreignMs: 2000 } as const;

/** Warnings that are not repeated. */
const warnedMax = 1000;

interface Kept {
  readonly execution: Execution;
  /** Of its state: another state of the same ID is another process. */
  readonly createdAt: number;
}

export class Runtime {
  readonly registry: Registry;
  readonly codecs: Codecs;
  readonly guard: Guard | undefined;
  readonly foreignMs: number;
  /** @param key what it is about, if the message is not the same every time */
  readonly warn: (message: string, key?: string) => void;
  readonly clock: Clock;
  readonly onLate: (id: string, error: SlctError) => void;
  /** Oldest first. */
  readonly #kept = new Map<string, Kept>();
  readonly #keptMax: number;

  constructor(options: RuntimeOptions) {
    const {
      processes = [],
      activities = [],
      codec,
      guard = "warn",
      cached = defaults.cached,
      clock = systemClock,
    } = options;
    this.registry = new Registry([...processes, ...queuesOf(activities)]);
    this.codecs = codecList(codec);
    const warn = options.warn ?? ((message: string) => console.warn(message));
    const warned = new Set<string>();
    this.warn = (message, key = message) => {
      if (warned.has(key)) return;
      if (warned.size >= warnedMax) warned.clear();
      warned.add(key);
      warn(message);
    };
    this.guard = guard === "off" ? undefined : { mode: guard, report: this.warn };
    this.foreignMs = options.foreignMs ?? defaults.foreignMs;
    this.clock = clock;
    this.onLate = options.onLate ?? ((_, error) => this.warn(error.message));
    this.#keptMax = cached;
  }

  keep(id: string, execution: Execution, createdAt: number): void {
    if (this.#keptMax === 0) return;
    this.#kept.set(id, { execution, createdAt });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#keptMax && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** The process in memory, if it has come to where the state is. It is no longer kept. */
  take(id: string, createdAt: number, turns: number): Execution | undefined {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (kept === undefined || kept.createdAt !== createdAt) return undefined;
    const { execution } = kept;
    return execution.turns === turns && execution.broken === undefined ? execution : undefined;
  }

  isKept(id: string): boolean {
    return this.#kept.has(id);
  }
}
