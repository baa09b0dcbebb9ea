/**
 * Requests of this node that wait for an effect: polls, plain sends and receives, `PUT ?wait`.
 *
 * What waits is parked in the log under a {@link Ref}; the node that owns the ref answers its client from its own apply.
 * A wait that is over is withdrawn through the log, so that either the answer has the value or the value is where it was.
 */
import { SlctError } from "../src/errors.js";
import type { Command } from "../src/select/command.js";
import type { Effect, HandOut, Outcome } from "../src/select/outcome.js";
import type { Ref, Result } from "../src/select/types.js";
import { pause, systemTime, type Time } from "./environment.js";
import { failpoint } from "./failpoint.js";
import type { Committed, Waitable, Waited } from "./types.js";

type Accepted = Extract<Outcome, { ok: true }>;
type Arrival = { readonly index: number } & (
  | { readonly kind: "granted"; readonly handOuts: readonly HandOut[]; readonly shared: boolean }
  | { readonly kind: "result"; readonly result: Result }
);

export interface WaitsOptions {
  readonly node: string;
  readonly epoch: number;
  readonly waitsMax: number;
  /** Last index of the log when the node started: what was granted up to there, an earlier run may have answered. */
  readonly replayedTo?: number;
  readonly submit: (command: Command) => Promise<Committed>;
  readonly onError: (message: string, error: unknown) => void;
  /** The clock that leases end by, unix ms: a hand-out whose lease is over is given to nobody. Absent: none ever is. */
  readonly clock?: () => number;
  readonly time?: Time;
}

interface Wait {
  arrival: Arrival | undefined;
  /** The log has nothing parked for it any more: this node was forgotten, or a repetition of the request waited to its end. */
  dropped: "forgotten" | "withdrawn" | undefined;
  /** Index of the entry that parked it, once that is known. */
  parkedIndex: number | undefined;
  /** Its time, its client or its node is gone, or there is something to answer. */
  readonly end: () => void;
  readonly ended: Promise<void>;
}

/** A command that parked something. */
interface Parked {
  readonly ref: Ref;
  readonly wait: Wait;
  readonly index: number;
  readonly outcome: Accepted;
  /** What comes can be given back. */
  readonly handsOut: boolean;
  /** A plain request with a Request-Id: a repetition may wait for the same select, at another node. */
  readonly repeatable: boolean;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Refs in one `withdraw` entry. */
const withdrawMax = 1000;
const retryMs = 500;

export class Waits {
  readonly #options: WaitsOptions;
  readonly #time: Time;
  readonly #open = new Map<number, Wait>();
  /** Ended here, perhaps still parked in the log: withdrawn until that is committed. */
  #leftovers: Ref[] = [];
  #withdrawing = false;
  #seq = 0;
  /** Index of the last entry that dropped what this node had parked. */
  #forgottenIndex = 0;
  #closed = false;

  constructor(options: WaitsOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
  }

  get count(): number {
    return this.#open.size;
  }

  /** A ref for something that waits as long as the node lives (the callback dispatcher's demand). */
  newRef(): Ref {
    return { node: this.#options.node, epoch: this.#options.epoch, seq: ++this.#seq };
  }

  /** @throws SlctError as `Node.submitAndWait` */
  async submit(build: (ref: Ref) => Waitable, options: { waitMs: number; signal: AbortSignal }): Promise<Waited> {
    if (options.waitMs > 0 && this.#open.size >= this.#options.waitsMax)
      throw new SlctError("overloaded", "too many requests wait on this node");
    const ref = this.newRef();
    const command = build(ref);
    const wait = newWait();
    this.#open.set(ref.seq, wait);
    try {
      const { index, outcome } = await this.#commit(ref, command);
      if (!outcome.ok) return { kind: "refused", index, outcome };
      if (outcome.answer.kind !== "parked") return this.#answered(index, outcome, options.signal);
      return await this.#parked({ ref, wait, index, outcome, ...kindOf(command), ...options });
    } finally {
      this.#open.delete(ref.seq);
    }
  }

  /** An entry granted or answered something. Called in log order. */
  onEffect(effect: Effect, index: number): void {
    if (effect.kind !== "granted" && effect.kind !== "answered" && effect.kind !== "withdrawn") return;
    const holders = effect.kind === "granted" ? effect.demand.holders : effect.holders;
    const { node, epoch, replayedTo = 0 } = this.#options;
    for (const ref of holders) {
      if (ref.node !== node) continue;
      const wait = ref.epoch === epoch ? this.#open.get(ref.seq) : undefined;
      if (effect.kind === "withdrawn") {
        if (wait) drop(wait, "withdrawn");
      } else if (effect.kind === "answered") {
        if (wait) arrive(wait, { kind: "result", index, result: effect.result });
      } else if (wait) {
        failpoint("waits.before-hand-out");
        arrive(wait, { kind: "granted", index, handOuts: effect.handOuts, shared: holders.length > 1 });
        failpoint("waits.after-hand-out");
      } else if (holders.length === 1 && index > replayedTo) {
        this.#giveBack(effect.handOuts);
      }
    }
  }

  /** The entry at `index` dropped everything that this node had parked before. */
  onForgotten(index: number): void {
    this.#forgottenIndex = index;
    for (const wait of this.#open.values()) if (wait.parkedIndex !== undefined) drop(wait, "forgotten");
  }

  close(): void {
    this.#closed = true;
    for (const wait of this.#open.values()) wait.end();
  }

  async #commit(ref: Ref, command: Waitable): Promise<Committed> {
    try {
      return await this.#options.submit(command);
    } catch (error) {
      // If it may still be parked, whatever comes of it has nobody to take it.
      if (!isUntouched(error)) this.#leave(ref);
      throw error;
    }
  }

  /** A repeated answer may be in somebody's hands already. */
  #answered(index: number, outcome: Accepted, signal: AbortSignal): Waited {
    const { answer } = outcome;
    if (answer.kind !== "handOuts" || outcome.repeated === true) return { kind: "answer", index, outcome };
    const handOuts = this.#current(answer.handOuts);
    if (signal.aborted) this.#giveBack(handOuts);
    return { kind: "answer", index, outcome: { ...outcome, answer: { ...answer, handOuts } } };
  }

  async #parked(parked: Parked): Promise<Waited> {
    const { wait, index, outcome, waitMs, signal } = parked;
    wait.parkedIndex = index;
    // Both may have been applied in one batch, before this could run.
    if (index <= this.#forgottenIndex) drop(wait, "forgotten");
    const cancel = this.#time.after(this.#closed ? 0 : waitMs, wait.end);
    if (signal.aborted) wait.end();
    signal.addEventListener("abort", wait.end, { once: true });
    await wait.ended;
    cancel();
    signal.removeEventListener("abort", wait.end);
    if (wait.arrival !== undefined) return this.#arrived(wait.arrival, parked);
    if (wait.dropped === "forgotten" && parked.repeatable) throw unknownEnd();
    if (wait.dropped !== undefined) return { kind: "withdrawn", index, outcome };
    return this.#withdraw(parked);
  }

  #arrived({ index, ...arrival }: Arrival, { outcome, signal }: Parked): Waited {
    if (arrival.kind === "result") return { kind: "result", index, result: arrival.result };
    const handOuts = this.#current(arrival.handOuts);
    // The state that was waited for is deleted, or somebody else's by now: what was said about the PUT stays.
    if (handOuts.length === 0) return { kind: "withdrawn", index, outcome };
    // Another holder of the same demand may work with it.
    if (signal.aborted && !arrival.shared) this.#giveBack(handOuts);
    return { kind: "granted", index, handOuts, repeated: outcome.repeated === true, shared: arrival.shared };
  }

  /** This process may have been stopped since: what is over may be in other hands. */
  #current(handOuts: readonly HandOut[]): readonly HandOut[] {
    const nowMs = this.#options.clock?.() ?? -Infinity;
    return handOuts.filter(({ state }) => state.lock === undefined || state.lock.untilMs > nowMs);
  }

  /** The entry decides: what arrives before it is the answer. */
  async #withdraw(parked: Parked): Promise<Waited> {
    const { ref, wait, index, outcome, handsOut, signal } = parked;
    let withdrawnIndex: number | undefined;
    failpoint("waits.before-withdraw");
    try {
      withdrawnIndex = (await this.#options.submit({ kind: "withdraw", refs: [ref], waited: !signal.aborted })).index;
    } catch {
      this.#leave(ref);
    }
    if (wait.arrival !== undefined) return this.#arrived(wait.arrival, parked);
    // A hand-out that still comes is given back; a value that still comes to a plain request would be lost silently.
    if (withdrawnIndex === undefined && wait.dropped === undefined && !handsOut) throw unknownEnd();
    return { kind: "withdrawn", index: withdrawnIndex ?? index, outcome };
  }

  #giveBack(handOuts: readonly HandOut[]): void {
    for (const { state } of handOuts) {
      if (state.lock === undefined) continue;
      this.#options
        .submit({ kind: "unlock", id: state.id, lock: state.lock.token, delayMs: 0 })
        .catch((error: unknown) =>
          this.#options.onError("a hand-out without taker was not given back; its lease runs", error),
        );
    }
  }

  #leave(ref: Ref): void {
    this.#leftovers.push(ref);
    if (!this.#withdrawing) void this.#withdrawLeftovers();
  }

  async #withdrawLeftovers(): Promise<void> {
    this.#withdrawing = true;
    while (this.#leftovers.length > 0 && !this.#closed) {
      const refs = this.#leftovers.slice(0, withdrawMax);
      try {
        await this.#options.submit({ kind: "withdraw", refs });
        this.#leftovers = this.#leftovers.slice(refs.length);
      } catch {
        // No leader or no room: the next start of this node would forget them, until then try again.
        await pause(this.#time, retryMs);
      }
    }
    this.#withdrawing = false;
  }
}

function newWait(): Wait {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  return { arrival: undefined, dropped: undefined, parkedIndex: undefined, end, ended };
}

/** The first one counts. */
function arrive(wait: Wait, arrival: Arrival): void {
  wait.arrival ??= arrival;
  wait.end();
}

function drop(wait: Wait, why: "forgotten" | "withdrawn"): void {
  wait.dropped = why;
  wait.end();
}

function kindOf(command: Waitable): { handsOut: boolean; repeatable: boolean } {
  const plain = command.kind === "select";
  return { handsOut: !plain, repeatable: plain && command.requestId !== undefined };
}

function unknownEnd(): SlctError {
  return new SlctError("timeout", "the wait ended, but not for sure: repeat with the same Request-Id");
}

/** Nothing happened. */
function isUntouched(error: unknown): boolean {
  return error instanceof SlctError && (error.code === "no_leader" || error.code === "overloaded");
}
