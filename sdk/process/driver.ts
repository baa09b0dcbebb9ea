/**
 * When code may ask: within a turn, and until nothing moves.
 *
 * Code that awaits something else than its operations is not done when the turn is. If nothing durable is open, that can be
 * seen at once and is waited for, not for ever; if it shows later, when it asks outside of any turn, it is too late.
 */
import { SlctError } from "../client/errors.js";
import { here, placeOf, type Guard } from "./guard.js";
import { quiet, turn } from "./turn.js";

export interface DriverOptions {
  /** Of the process, for messages. */
  readonly id: string;
  readonly guard: Guard | undefined;
  readonly warn: (message: string) => void;
  /** How long code may await something else than its operations, ms. */
  readonly foreignMs: number;
  /** The code runs, and nothing that it asked for is open: it can only await something else. */
  readonly isAdrift: () => boolean;
  readonly onBroken: (error: SlctError) => void;
  readonly afterTurn: () => void;
}

export class Driver {
  readonly #options: DriverOptions;
  #phase: "idle" | "turn" | "adrift" = "idle";
  #last: { readonly label: string; readonly stack: Error } | undefined;
  #onActivity: () => void = () => undefined;
  #warned = false;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  async run(begin: () => void): Promise<void> {
    this.#phase = "turn";
    await turn(begin, this.#options.guard);
    while (this.#options.isAdrift()) await this.#drift();
    this.#phase = "idle";
    this.#options.afterTurn();
  }

  /** @throws SlctError `not_durable` outside of a turn */
  ask(label: string): void {
    const stack = here();
    if (this.#phase === "idle") {
      const error = new SlctError(
        "not_durable",
        `process ${this.#options.id}: ${label} was asked for in a step, or after awaiting something that is not p's ` +
          `(${placeOf(stack.stack)})`,
      );
      this.#options.onBroken(error);
      throw error;
    }
    this.#last = { label, stack };
    this.#onActivity();
  }

  /** The code has come to its end. */
  stir(): void {
    this.#onActivity();
  }

  /** Where the code has got to, for messages. */
  get last(): string {
    if (this.#last === undefined) return "at its begin";
    return `after "${this.#last.label}", ${placeOf(this.#last.stack.stack)}`;
  }

  async #drift(): Promise<void> {
    const { id, foreignMs, warn, onBroken } = this.#options;
    this.#phase = "adrift";
    const moved = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), foreignMs);
      this.#onActivity = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    this.#onActivity = () => undefined;
    if (!moved) {
      const awaited = `process ${id} awaited something for ${foreignMs} ms that is no operation of p`;
      onBroken(new SlctError("not_durable", `${awaited}: wrap it in p.step (${this.last})`));
    } else if (!this.#warned) {
      this.#warned = true;
      warn(`process ${id} awaits something that is no operation of p: wrap it in p.step (${this.last})`);
    }
    await quiet();
  }
}
