/**
 * Decides whether a history of one object is linearizable: whether its operations, each at some moment between its
 * invocation and its return, could have come one after the other.
 *
 * Wing and Gong's search with Lowe's memory of what was seen, as in Porcupine: take any operation that nothing finished
 * must precede, apply it to the model, go on; step back when an operation that has returned cannot be applied any more.
 * A pair (set of applied operations, model state) is never looked at twice, and what changes nothing is applied as soon as
 * it can be, because no order needs it later. Linearizability is local: check each object by
 * itself. An operation whose outcome is unknown has no output and returns at infinity, so it may come late, or last, which
 * nobody sees.
 */

export interface Call<I, O> {
  readonly input: I;
  /** Undefined: unknown. */
  readonly output?: O | undefined;
  readonly invokedMs: number;
  /** `Infinity` when the outcome is unknown. */
  readonly returnedMs: number;
}

export interface Model<S, I, O> {
  readonly initial: S;
  /**
   * The state afterwards, the same value if nothing changed; undefined if this input cannot have this output now. An
   * unknown output is always possible.
   */
  step(state: S, input: I, output: O | undefined): S | undefined;
  /** Equal states have equal keys. */
  key(state: S): string;
}

export type Verdict<I, O> =
  | { readonly kind: "linearizable" }
  /** `prefix`: the longest order found; `stuck`: what had returned by then and cannot follow. */
  | { readonly kind: "violation"; readonly prefix: readonly Call<I, O>[]; readonly stuck: readonly Call<I, O>[] }
  /** The search was given up. */
  | { readonly kind: "undecided" };

/** Steps of the search; a history with few unknown outcomes takes about one per operation. */
const stepsMaxDefault = 20_000_000;
const none = -1;

export function checkLinearizable<S, I, O>(
  model: Model<S, I, O>,
  calls: readonly Call<I, O>[],
  stepsMax = stepsMaxDefault,
): Verdict<I, O> {
  return new Search(model, calls).run(stepsMax);
}

/** Calls, ordered by invocation, and the events of their history as a list from which what was applied is lifted out. */
class Search<S, I, O> {
  readonly #model: Model<S, I, O>;
  readonly #calls: readonly Call<I, O>[];
  /** Event `n` < calls: invocation of call n; else the return of call n − calls. One more is the head of the list. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  readonly #applied: { readonly call: number; readonly before: S; readonly highest: number }[] = [];
  readonly #seen = new Set<string>();
  #state: S;
  /** Highest number of an applied call. */
  #highest = none;
  /** Calls that have returned and are not applied. */
  #open: number;
  #longest: number[] = [];
  #stuck: number[] = [];

  constructor(model: Model<S, I, O>, calls: readonly Call<I, O>[]) {
    this.#model = model;
    this.#calls = [...calls].sort((a, b) => a.invokedMs - b.invokedMs);
    this.#state = model.initial;
    const count = this.#calls.length;
    this.#head = 2 * count;
    this.#open = this.#calls.filter(({ returnedMs }) => returnedMs !== Infinity).length;
    this.#next = new Int32Array(2 * count + 1).fill(none);
    this.#previous = new Int32Array(2 * count + 1).fill(none);
    let last = this.#head;
    for (const event of this.#inTime(count)) {
      this.#next[last] = event;
      this.#previous[event] = last;
      last = event;
    }
  }

  run(stepsMax: number): Verdict<I, O> {
    let event = this.#nextOf(this.#head);
    for (let steps = 0; this.#open > 0; steps++) {
      if (steps > stepsMax) return { kind: "undecided" };
      if (event < this.#calls.length && event !== none) {
        event = this.#apply(event) ? this.#nextOf(this.#head) : this.#nextOf(event);
        continue;
      }
      this.#remember();
      const undone = this.#stepBack();
      if (undone === undefined) return this.#violation();
      event = this.#nextOf(undone);
    }
    return { kind: "linearizable" };
  }

  /** Invocations before returns at the same moment: what touches counts as concurrent. */
  #inTime(count: number): number[] {
    const timeOf = (event: number) =>
      event < count ? (this.#calls[event]?.invokedMs ?? 0) : (this.#calls[event - count]?.returnedMs ?? 0);
    const byTime = (a: number, b: number) => {
      const [at, bt] = [timeOf(a), timeOf(b)];
      return at === bt ? a - b : at < bt ? -1 : 1;
    };
    return Array.from({ length: 2 * count }, (_, event) => event).sort(byTime);
  }

  #apply(call: number): boolean {
    const one = this.#calls[call] as Call<I, O>;
    const after = this.#model.step(this.#state, one.input, one.output);
    // What may never have happened need not happen without effect.
    if (after === undefined || (after === this.#state && one.returnedMs === Infinity)) return false;
    const before = this.#state;
    const highest = this.#highest;
    this.#lift(call);
    this.#state = after;
    this.#highest = Math.max(highest, call);
    const key = this.#key();
    if (this.#seen.has(key)) {
      this.#putBack(call);
      this.#state = before;
      this.#highest = highest;
      return false;
    }
    this.#seen.add(key);
    this.#applied.push({ call, before, highest });
    if (one.returnedMs !== Infinity) this.#open--;
    return true;
  }

  /** The last applied call for which there is an alternative, taken back with all after it; undefined if there is none. */
  #stepBack(): number | undefined {
    for (let last = this.#applied.pop(); last !== undefined; last = this.#applied.pop()) {
      const changed = this.#state !== last.before;
      this.#state = last.before;
      this.#highest = last.highest;
      this.#putBack(last.call);
      if (this.#calls[last.call]?.returnedMs !== Infinity) this.#open++;
      if (changed) return last.call;
    }
    return undefined;
  }

  /** What is applied, as what is not, up to the highest that is; and the state. */
  #key(): string {
    let key = `${this.#highest}`;
    for (let event = this.#nextOf(this.#head); event !== none; event = this.#nextOf(event)) {
      if (event < this.#calls.length && event > this.#highest) break;
      if (event < this.#calls.length) key += ` ${event}`;
    }
    return `${key}:${this.#model.key(this.#state)}`;
  }

  #lift(call: number): void {
    for (const event of [call, call + this.#calls.length]) {
      const [before, after] = [this.#previous[event] ?? none, this.#nextOf(event)];
      this.#next[before] = after;
      if (after !== none) this.#previous[after] = before;
    }
  }

  /** The opposite of `#lift`, in the opposite order. */
  #putBack(call: number): void {
    for (const event of [call + this.#calls.length, call]) {
      const [before, after] = [this.#previous[event] ?? none, this.#nextOf(event)];
      this.#next[before] = event;
      if (after !== none) this.#previous[after] = event;
    }
  }

  #nextOf(event: number): number {
    return this.#next[event] ?? none;
  }

  /** A dead end: if none was further, it is what a violation shows. */
  #remember(): void {
    if (this.#stuck.length > 0 && this.#applied.length <= this.#longest.length) return;
    this.#longest = this.#applied.map(({ call }) => call);
    this.#stuck = [];
    for (let event = this.#nextOf(this.#head); event >= 0 && event < this.#calls.length; event = this.#nextOf(event))
      this.#stuck.push(event);
  }

  #violation(): Verdict<I, O> {
    const named = (list: readonly number[]) => list.map((call) => this.#calls[call] as Call<I, O>);
    return { kind: "violation", prefix: named(this.#longest), stuck: named(this.#stuck) };
  }
}
