/**
 * Keeps this node's callback dispatcher hungry: its free slots are a demand parked in the log.
 *
 * One demand at a time is proposed; slots that come free meanwhile join the next one.
 */
import type { Command } from "../src/select/command.js";
import type { HandOut } from "../src/select/outcome.js";
import type { Demand, Ref } from "../src/select/types.js";
import { pause, systemTime, type Time } from "./environment.js";
import type { Committed } from "./types.js";

export interface CallbackDutyOptions {
  readonly slots: number;
  readonly leaseMs: number;
  readonly newRef: () => Ref;
  readonly submit: (command: Command) => Promise<Committed>;
  /** Runs the calls; tells {@link CallbackDuty.freed} when they end. */
  readonly take: (handOuts: readonly HandOut[]) => void;
  readonly time?: Time;
}

/** Slots asked for with one demand, and not granted yet. */
interface Asked {
  readonly ref: Ref;
  left: number;
  /** Index of the entry that parked it, once that is known. */
  parkedIndex: number | undefined;
}

const retryMs = 500;

export class CallbackDuty {
  readonly #options: CallbackDutyOptions;
  /** Slots neither asked for nor at work. */
  #free: number;
  /** By seq of the ref. */
  readonly #asked = new Map<number, Asked>();
  #asking = false;
  /** Index of the last entry that dropped what this node had parked. */
  #forgottenIndex = 0;
  #stopped = false;

  constructor(options: CallbackDutyOptions) {
    this.#options = options;
    this.#free = options.slots;
  }

  /** Asks for work with every free slot. */
  ask(): void {
    if (!this.#asking) void this.#askWhileFree();
  }

  freed(slots: number): void {
    this.#free += slots;
    this.ask();
  }

  /** True if the dispatcher took them; otherwise they have no taker. */
  onGranted(demand: Demand, ref: Ref, handOuts: readonly HandOut[]): boolean {
    const asked = this.#asked.get(ref.seq);
    if (asked === undefined || demand.kind !== "callback" || this.#stopped) return false;
    asked.left -= handOuts.length;
    if (asked.left === 0) this.#asked.delete(ref.seq);
    this.#options.take(handOuts);
    return true;
  }

  /** The entry at `index` dropped what this node had parked before: those slots are free again. */
  onForgotten(index: number): void {
    this.#forgottenIndex = index;
    for (const asked of this.#asked.values()) if (asked.parkedIndex !== undefined) this.#release(asked);
    this.ask();
  }

  /** Takes no more work; what is parked is withdrawn so that other nodes get it at once. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const refs = [...this.#asked.values()].map(({ ref }) => ref);
    // In vain if there is no leader: then it is dropped like that of a node that died.
    if (refs.length > 0) this.#options.submit({ kind: "withdraw", refs }).catch(() => undefined);
  }

  async #askWhileFree(): Promise<void> {
    this.#asking = true;
    while (this.#free > 0 && !this.#stopped) await this.#ask();
    this.#asking = false;
  }

  async #ask(): Promise<void> {
    const asked: Asked = { ref: this.#options.newRef(), left: this.#free, parkedIndex: undefined };
    this.#free = 0;
    this.#asked.set(asked.ref.seq, asked);
    let command = this.#demand(asked);
    while (!this.#stopped) {
      try {
        const { index, outcome } = await this.#options.submit(command);
        if (outcome.ok && command.kind === "demand") {
          asked.parkedIndex = index;
          // Both may have been applied in one batch, before this could run.
          if (index <= this.#forgottenIndex) this.#release(asked);
          return;
        }
        // Refused (no settings yet), or withdrawn after an unknown end: what was not granted is free again.
        this.#release(asked);
        if (!outcome.ok) await this.#pause();
        return;
      } catch {
        // It may be parked or not: withdraw it before asking anew.
        command = { kind: "withdraw", refs: [asked.ref] };
        await this.#pause();
      }
    }
  }

  #release(asked: Asked): void {
    if (!this.#asked.delete(asked.ref.seq)) return;
    this.#free += asked.left;
  }

  #pause(): Promise<void> {
    return pause(this.#options.time ?? systemTime, retryMs);
  }

  #demand({ ref, left }: Asked): Command {
    const { leaseMs } = this.#options;
    return { kind: "demand", for: "callback", prefix: "", max: left, leaseMs, park: true, ref };
  }
}
