/**
 * One state that came by callback, where nothing but the answer goes back: everything is put back with it.
 */
import type { PutBody, ResultOut, SelectBody, StateOut } from "../../api/contract.js";
import type { Holder, Patch } from "./activation.js";

export class Call implements Holder {
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #state: StateOut;
  #patches: Patch[] = [];

  constructor(state: StateOut) {
    this.#state = state;
  }

  /** Not stored until the answer is: a crash in between runs the steps of this call again. */
  checkpoint(patch: Patch): Promise<void> {
    this.#patches.push(patch);
    return Promise.resolve();
  }

  putBack(patch: Patch): Promise<undefined> {
    this.#patches.push(patch);
    return Promise.resolve(undefined);
  }

  /** Nobody is told before the answer is. */
  report(): void {}

  bufferOf(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** What comes meanwhile comes with the next call. */
  news(): Promise<readonly ResultOut[]> {
    return new Promise(() => undefined);
  }

  /** The answer: the whole state, as a PUT takes it. */
  answer(): PutBody<unknown> {
    const { Selects, Vars, Callback } = this.#state;
    const last = this.#patches.at(-1);
    const all = <T>(list: (patch: Patch) => readonly T[] | null | undefined) =>
      this.#patches.flatMap((one) => list(one) ?? []);
    const cancelled = new Set(all((one) => one.Cancel));
    const kept = Selects.filter(({ ID, Result }) => Result === undefined && !cancelled.has(ID));
    // What was asked for and withdrawn within this call never was.
    const known = new Set(Selects.map(({ ID }) => ID));
    const added = all((one) => one.Add).filter(({ ID }) => !cancelled.has(ID));
    return {
      ...(last?.Data !== undefined && { Data: last.Data }),
      ...{ Vars: this.#patches.findLast((one) => one.Vars !== undefined)?.Vars ?? Vars, Callback },
      Selects: [...(kept as readonly SelectBody[]), ...added],
      Cancel: [...cancelled].filter((id) => known.has(id)),
      ...{ Make: all((one) => one.Make), Close: all((one) => one.Close), Spawn: all((one) => one.Spawn) },
    };
  }
}
