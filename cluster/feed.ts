/**
 * What changed, for those who listen on this node: watchers of one state, and the ordered feed of events.
 *
 * The feed is a bounded window in memory, made from applied entries, so it is the same on every node; what is older than
 * the window (or than the start of the node) is `compacted`.
 */
import { SlctError } from "../src/errors.js";
import type { Effect } from "../src/select/outcome.js";
import type { State } from "../src/select/types.js";
import { systemTime, type Time } from "./environment.js";
import type { Event } from "./types.js";

type Listener = (state: State | undefined) => void;

export class Feed {
  readonly #eventsMax: number;
  readonly #waitsMax: number;
  readonly #time: Time;
  readonly #watchers = new Map<string, Set<Listener>>();
  /** A ring: the event number n is at n % eventsMax. */
  readonly #ring: Event[] = [];
  #next = 0;
  /** Events of entries up to here are not kept. */
  #floor: number;
  readonly #listeners = new Set<() => void>();
  /** Ends of what waits. */
  readonly #ends = new Set<() => void>();
  #closed = false;

  /** `floor`: index applied when the node started. `waitsMax`: watches and long polls at once. */
  constructor(eventsMax: number, floor: number, waitsMax = Infinity, time = systemTime) {
    this.#eventsMax = eventsMax;
    this.#floor = floor;
    this.#waitsMax = waitsMax;
    this.#time = time;
  }

  onEffect(effect: Effect, index: number, atMs: number): void {
    if (effect.kind === "state") {
      const { id, type, state } = effect;
      this.#push({ index, atMs, type, id, ...(state && { status: state.status, version: state.version }) });
      for (const listener of this.#watchers.get(id) ?? []) listener(state);
    } else if (effect.kind === "chan") {
      this.#push({ index, atMs, type: effect.type, id: effect.id });
    }
  }

  /** End of a batch: long polls look again. */
  onProgress(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /**
   * Resolves when `done` holds, when `waitMs` is over, or on abort.
   * @throws SlctError `overloaded`
   */
  watch(
    id: string,
    current: State | undefined,
    done: (state: State | undefined) => boolean,
    options: { waitMs: number; signal: AbortSignal },
  ): Promise<void> {
    if (done(current)) return Promise.resolve();
    return this.#until(options, (finish) => {
      const listener: Listener = (state) => {
        if (done(state)) finish();
      };
      const set = this.#watchers.get(id) ?? new Set();
      this.#watchers.set(id, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0) this.#watchers.delete(id);
      };
    });
  }

  /** Without `after` all that are kept. @throws SlctError `compacted`, `overloaded`, `no_leader`: the node ends */
  async events(query: {
    after?: number;
    prefix: string;
    waitMs: number;
    limit: number;
    signal: AbortSignal;
  }): Promise<readonly Event[]> {
    const { after = this.#floor } = query;
    if (after < this.#floor) throw this.#compacted();
    let found = this.#scan(this.#firstAfter(after), query);
    if (found.length > 0 || query.waitMs === 0) return found;
    // An empty page at once would make a stream ask again at once.
    if (this.#closed) throw new SlctError("no_leader", "this node is shutting down");
    let seen = this.#next;
    let missed = false;
    await this.#until(query, (finish) => {
      // Called from the loop that applies entries: looks at what is new, and never throws.
      const listener = () => {
        if (this.#next === seen) return;
        missed = this.#next - seen > this.#eventsMax;
        if (!missed) found = this.#scan(Math.max(seen, this.#firstAfter(after)), query);
        seen = this.#next;
        if (missed || found.length > 0) finish();
      };
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    });
    if (missed) throw this.#compacted();
    return found;
  }

  close(): void {
    this.#closed = true;
    for (const end of [...this.#ends]) end();
  }

  /** `start` subscribes and returns how to unsubscribe. */
  async #until(
    options: { waitMs: number; signal: AbortSignal },
    start: (finish: () => void) => () => void,
  ): Promise<void> {
    if (this.#closed || options.signal.aborted || options.waitMs === 0) return;
    if (this.#ends.size >= this.#waitsMax) throw new SlctError("overloaded", "too many requests wait on this node");
    await new Promise<void>((resolve) => {
      const finish = () => {
        cancel();
        options.signal.removeEventListener("abort", finish);
        this.#ends.delete(finish);
        stop();
        resolve();
      };
      const cancel = this.#time.after(options.waitMs, finish);
      options.signal.addEventListener("abort", finish, { once: true });
      this.#ends.add(finish);
      const stop = start(finish);
    });
  }

  #push(event: Event): void {
    const slot = this.#next % this.#eventsMax;
    const dropped = this.#ring[slot];
    if (dropped !== undefined) this.#floor = dropped.index;
    this.#ring[slot] = event;
    this.#next++;
  }

  /** Events that match, from number `first` on. */
  #scan(first: number, { prefix, limit }: { prefix: string; limit: number }): readonly Event[] {
    const found: Event[] = [];
    for (let n = first; n < this.#next; n++) {
      const event = this.#at(n);
      // One entry's events stay together: `after` names an entry, not an event.
      if (found.length >= limit && event.index !== found.at(-1)?.index) break;
      if (event.id.startsWith(prefix)) found.push(event);
    }
    return found;
  }

  #compacted(): SlctError {
    return new SlctError("compacted", "events after this index are no longer kept", { Floor: this.#floor });
  }

  /** Number of the first event with a higher index: the ring is ordered by index. */
  #firstAfter(after: number): number {
    let low = Math.max(0, this.#next - this.#eventsMax);
    let high = this.#next;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at(middle).index <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #at(n: number): Event {
    return this.#ring[n % this.#eventsMax] as Event;
  }
}
