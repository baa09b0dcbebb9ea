/**
 * The leader's clock hand: finds deadlines that are due and proposes them by key; `apply` checks each one again.
 *
 * Only the near ones are in memory, so many of them at most; the rest stay on disk until the horizon reaches them. With
 * nothing due there is nothing proposed: an idle cluster writes nothing (semantics C.4).
 */
import TinyQueue from "tinyqueue";
import { dueOf, keys } from "../src/select/keys.js";
import type { Command } from "../src/select/command.js";
import { systemTime, type Cancel, type Time } from "./environment.js";
import { failpoint } from "./failpoint.js";
import type { Committed, Store } from "./types.js";

export interface TimersOptions {
  readonly store: Pick<Store, "range" | "get">;
  /** What is refused in this term is refused before what is submitted afterwards. */
  readonly submit: (command: Command) => Promise<Committed>;
  /** That of the stamps, ms: it never goes back, so what is due here is due for the log. */
  readonly clock: () => number;
  readonly observeLateness: (seconds: number) => void;
  readonly onError: (error: unknown) => void;
  readonly time?: Time;
}

/** Deadlines in one `expire` entry: bounds the time one apply takes. */
const expireMax = 100;
/** How far ahead deadlines are kept in memory, */
const aheadMs = 60_000;
/** and how many: of those that are read; with those that are armed meanwhile twice as many. */
const nearMax = 20_000;
/** Deadlines that are on their way at once, at most: what is requested meanwhile is applied after them. */
const flyingMax = 2 * expireMax;
/** Beside others goes what has been due for so long: a slow log makes entries larger before it makes them more. */
const patienceMs = 10;
/** A jump of the wall clock is noticed after at most this time. */
const sleepMsMax = 1000;
/** Keys read from disk at once. */
const pageMax = 2500;

export class Timers {
  readonly #options: TimersOptions;
  readonly #time: Time;
  #near = new TinyQueue<string>([], compareKeys);
  /** Deadlines before this key are in `#near`, and no others; empty: not the leader. */
  #horizon = "";
  /** While a scan runs, where it is: what is behind it might be overtaken, and deadlines are proposed in order. */
  #scannedTo: string | undefined;
  #firing = false;
  /** Deadlines in entries that are on their way. */
  #flying = 0;
  /** The last key that was looked at: a scan may have brought it a second time. */
  #taken = "";
  #cancel: Cancel | undefined;
  /** Work begun under an earlier leadership stops when it sees that this has moved on. */
  #reign = 0;

  constructor(options: TimersOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
  }

  /** This node may propose now: everything applied so far is in the store. */
  start(): void {
    this.stop();
    this.#horizon = keys.deadline(0, 0);
    void this.#advanceHorizon();
  }

  stop(): void {
    this.#reign++;
    this.#horizon = "";
    this.#near = new TinyQueue<string>([], compareKeys);
    this.#scannedTo = undefined;
    this.#firing = false;
    this.#flying = 0;
    this.#taken = "";
    this.#cancel?.();
  }

  onArmed(key: string): void {
    if (key >= this.#horizon) return;
    this.#near.push(key);
    if (this.#near.length > 2 * nearMax) this.#leave([...this.#near.data].sort(compareKeys)[nearMax] ?? key);
    if (this.#near.peek() === key) this.#schedule();
  }

  /** Leaves what comes from `key` on to the store. */
  #leave(key: string): void {
    this.#horizon = key;
    this.#near = new TinyQueue(
      this.#near.data.filter((one) => one < key),
      compareKeys,
    );
  }

  /** Whether deadlines that are due soon may stand in the store alone. */
  get #isShort(): boolean {
    if (this.#horizon === "" || this.#near.length > nearMax / 2) return false;
    return dueOf(this.#horizon) - this.#options.clock() < aheadMs / 2;
  }

  /** Goes on from the horizon until the near ones are enough. */
  async #advanceHorizon(): Promise<void> {
    if (this.#scannedTo !== undefined) return;
    const reign = this.#reign;
    let gte = this.#horizon;
    this.#scannedTo = gte;
    // Set first: what is armed while the scan runs goes to memory by itself. A key met twice does no harm.
    const lt = keys.deadline(this.#options.clock() + aheadMs, 0);
    this.#horizon = lt;
    try {
      while (gte < this.#horizon) {
        const page = await this.#options.store.range({ gte, lt, limit: pageMax });
        if (reign !== this.#reign) return;
        for (const [key] of page) this.#near.push(key);
        if (page.length < pageMax) break;
        gte = `${page.at(-1)?.[0]}\0`;
        this.#scannedTo = gte;
        if (this.#near.length > nearMax && gte < this.#horizon) this.#leave(gte);
        this.#schedule();
      }
    } catch (error) {
      // The store may be closed while it is read.
      if (reign !== this.#reign) return;
      this.#options.onError(error);
      this.#leave(gte);
    }
    this.#scannedTo = undefined;
    this.#schedule();
  }

  /** The next deadline that may be proposed, whether or not it is due. */
  #head(): string | undefined {
    const key = this.#near.peek();
    return key === undefined || (this.#scannedTo !== undefined && key >= this.#scannedTo) ? undefined : key;
  }

  #schedule(): void {
    this.#cancel?.();
    if (this.#horizon === "") return;
    // What is on its way looks for more when it is done.
    const next = this.#firing || this.#isFull ? undefined : this.#head();
    const waitMs = next === undefined ? sleepMsMax : this.#turnOf(next) - this.#options.clock();
    this.#cancel = this.#time.after(Math.min(Math.max(waitMs, 0), sleepMsMax), () => this.#wakeUp());
  }

  /** What is due waits for what is on its way. */
  get #isFull(): boolean {
    return this.#flying + expireMax > flyingMax;
  }

  /** When it may be proposed if nothing else comes to its end before, ms. */
  #turnOf(key: string): number {
    return dueOf(key) + (this.#flying === 0 ? 0 : patienceMs);
  }

  #wakeUp(): void {
    if (this.#isShort) void this.#advanceHorizon();
    if (this.#firing) this.#schedule();
    else void this.#fire();
  }

  async #fire(): Promise<void> {
    const reign = this.#reign;
    this.#firing = true;
    for (;;) {
      const next = this.#isFull ? undefined : this.#head();
      if (next === undefined || this.#turnOf(next) > this.#options.clock()) break;
      const due = this.#takeDue();
      if (this.#isShort) void this.#advanceHorizon();
      if (due.length > 0) void this.#propose(due);
      // Nothing but disarmed ones: there may be many, and others want to run too.
      else await new Promise<void>((resolve) => this.#time.soon(resolve));
      if (reign !== this.#reign) return;
    }
    this.#firing = false;
    this.#schedule();
  }

  /** Due keys that are still armed, each once, of at most one entry's worth of keys. */
  #takeDue(): string[] {
    const nowMs = this.#options.clock();
    const due: string[] = [];
    for (let looked = 0; looked < expireMax; looked++) {
      const key = this.#head();
      if (key === undefined || dueOf(key) > nowMs) break;
      this.#near.pop();
      if (key !== this.#taken && this.#options.store.get(key) !== undefined) due.push(key);
      this.#taken = key;
    }
    return due;
  }

  async #propose(due: readonly string[]): Promise<void> {
    const reign = this.#reign;
    this.#flying += due.length;
    try {
      this.#options.observeLateness((this.#options.clock() - dueOf(due[0] ?? "")) / 1000);
      failpoint("timers.before-propose");
      await this.#options.submit({ kind: "expire", keys: due });
      failpoint("timers.after-propose");
    } catch {
      // Not the leader any more, or it has too much to do: look at everything again from the store.
      if (reign !== this.#reign) return;
      this.stop();
      this.#cancel = this.#time.after(sleepMsMax, () => this.start());
      return;
    }
    if (reign !== this.#reign) return;
    this.#flying -= due.length;
    // Not at once: if the next one was refused just now, that is to be known before anything overtakes it.
    this.#time.soon(() => {
      if (reign === this.#reign) this.#wakeUp();
    });
  }
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
