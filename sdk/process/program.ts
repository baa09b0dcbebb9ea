/**
 * The code of a process from its first line to its end: main function, threads, what is undone when it fails.
 *
 * Boundary: called within turns only. Everything that has to be remembered is the execution's.
 */
import type { Json } from "../../api/contract.js";
import { Failure, writeError } from "../client/errors.js";
import type { Completion } from "../client/process-data.js";
import { durable } from "./journal.js";

export class Program {
  readonly vars: Record<string, Json> = {};
  readonly #controller = new AbortController();
  readonly #undos: (() => Promise<void>)[] = [];
  readonly #isBroken: () => boolean;
  readonly #onEnd: () => void;
  #orphans: { readonly error: unknown; readonly isAwaited: () => boolean }[] = [];
  readonly #offers = new Map<object, string>();
  /** Processes that are not to outlive what called them, with the operation that did. */
  readonly #bound = new Map<string, string>();
  #failing = false;
  isLaunched = false;
  outcome: Completion | undefined;

  constructor(isBroken: () => boolean, onEnd: () => void) {
    this.#isBroken = isBroken;
    this.#onEnd = onEnd;
  }

  /** Aborts when the process is cancelled. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  launch(main: () => PromiseLike<unknown>): void {
    this.isLaunched = true;
    void this.#run(main);
  }

  /** Begins a thread. Its error is its awaiter's; without one it is the end of the process. */
  go<T>(run: () => PromiseLike<T>): PromiseLike<T> {
    let isAwaited = false;
    const thread = (async () => run())();
    thread.catch((error: unknown) => this.#orphans.push({ error, isAwaited: () => isAwaited }));
    return {
      then: (onValue, onError) => {
        isAwaited = true;
        return thread.then(onValue, onError);
      },
    };
  }

  get hasOrphans(): boolean {
    this.#orphans = this.#orphans.filter(({ isAwaited }) => !isAwaited());
    return this.#orphans.length > 0;
  }

  /** The first error of a thread that nobody awaits ends the process. */
  failByOrphan(): void {
    const [first] = this.#orphans;
    this.#orphans = [];
    if (first) void this.#fail(first.error);
  }

  /** A send that is neither awaited nor selected yet. */
  offer(one: object, label: string): void {
    this.#offers.set(one, label);
  }

  take(one: object): void {
    this.#offers.delete(one);
  }

  /** At the end of a turn: most likely an `await` is missing. */
  checkOffers(warn: (message: string) => void): void {
    for (const label of this.#offers.values()) warn(`"${label}" is neither awaited nor selected: nothing is sent`);
    this.#offers.clear();
  }

  /** The process of this ID is cancelled if it runs when this one ends, or the iteration that `op` is in. */
  bind(id: string, op: string): void {
    this.#bound.set(id, op);
  }

  release(id: string): void {
    this.#bound.delete(id);
  }

  /** The end of an iteration: nobody can await what was called in it any more. */
  releaseInside(path: string): readonly string[] {
    const ids = [...this.#bound].flatMap(([id, op]) => (op.startsWith(`${path}.`) ? [id] : []));
    for (const id of ids) this.#bound.delete(id);
    return ids;
  }

  get bound(): readonly string[] {
    return [...this.#bound.keys()];
  }

  defer(undo: () => Promise<void>): void {
    this.#undos.push(undo);
  }

  /** @returns what those who wait are told */
  cancel(reason: Json): Failure {
    const text = typeof reason === "string" ? reason : "the process was cancelled";
    const failure = new Failure(text, { code: "cancelled", details: reason });
    this.#controller.abort(failure);
    if (!this.isLaunched) this.#end({ error: writeError(failure) });
    return failure;
  }

  restoreVars(kept: { readonly [name: string]: Json }): void {
    for (const name of Object.keys(this.vars)) delete this.vars[name];
    Object.assign(this.vars, structuredClone(kept));
  }

  async #run(main: () => PromiseLike<unknown>): Promise<void> {
    try {
      this.#end({ value: durable(await main(), "the result of the process") });
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#failing || this.outcome !== undefined) return;
    this.#failing = true;
    let written = writeError(error);
    for (const undo of this.#undos.reverse()) {
      if (this.#isBroken()) return;
      try {
        await undo();
      } catch (second) {
        written = { ...written, message: `${written.message}; undoing it: ${writeError(second).message}` };
      }
    }
    this.#end({ error: written });
  }

  #end(outcome: Completion): void {
    if (this.#isBroken() || this.outcome !== undefined) return;
    this.outcome = outcome;
    this.#onEnd();
  }
}
