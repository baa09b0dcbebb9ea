/**
 * One state that a worker holds by long-poll: stores under its lock, keeps the lease alive, learns when it is lost.
 */
import type { Json, ResultOut, StateOut } from "../../api/contract.js";
import type { Client } from "../client.js";
import { sleep, type Clock } from "../client/clock.js";
import { isSlctError } from "../client/errors.js";
import { isHandedOut } from "../client/states.js";
import type { Holder, Patch } from "./activation.js";

export interface LeaseOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Runs a put-back that may wait this long for the next result; undefined: one that does not. */
  readonly linger: <T>(lease: Lease, putBack: (waitMs: number | undefined) => Promise<T>) => Promise<T>;
  /** Steps that run longer than this are told of results that come meanwhile, ms. */
  readonly newsAfterMs: number;
}

/** A wait of one look at the state, ms. */
const lookMs = 30_000;

export class Lease implements Holder {
  readonly id: string;
  readonly #options: LeaseOptions;
  readonly #controller = new AbortController();
  #lock: string;
  /** Selects whose results are there and have been told: with the hand-out, or as news. */
  #told: ReadonlySet<string>;
  #renewedAt: number;
  #isRenewing = false;
  #details: Json | undefined;
  #isUnsent = false;

  constructor(state: StateOut, options: LeaseOptions) {
    this.id = state.ID;
    this.#options = options;
    this.#lock = state.Lock ?? "";
    this.#told = new Set(state.Results.map(({ Select }) => Select));
    this.#renewedAt = options.clock.now();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the work on it; the lock is left as it is. */
  end(reason: Error): void {
    this.#controller.abort(reason);
  }

  async checkpoint(patch: Patch): Promise<void> {
    await this.#patch(patch, true);
    this.#renewedAt = this.#options.clock.now();
  }

  async putBack(patch: Patch): Promise<StateOut | undefined> {
    const answer = await this.#options.linger(this, (waitMs) => this.#patch(patch, false, waitMs));
    return isHandedOut(answer) ? answer : undefined;
  }

  /** Gives it back unchanged. */
  async release(delayMs = 0): Promise<void> {
    await this.#options.client.unlockState(this.id, this.#lock, delayMs > 0 ? { delay: delayMs } : {});
  }

  async bufferOf(chan: string): Promise<number | undefined> {
    return (await this.#options.client.getChannel(chan)).Buffer;
  }

  async news(signal: AbortSignal, oldest: () => number | undefined): Promise<readonly ResultOut[]> {
    const { client, clock, newsAfterMs } = this.#options;
    for (let pauseMs = newsAfterMs; ;) {
      await sleep(clock, pauseMs, signal);
      const leftMs = (oldest() ?? clock.now()) + newsAfterMs - clock.now();
      pauseMs = leftMs > 0 ? leftMs : newsAfterMs;
      if (leftMs > 0) continue;
      // Steps that follow each other quickly beside it change the state all the time: it is not looked at for each.
      const now = await client.getState(this.id, { signal });
      const news = this.#untold(now);
      if (news.length > 0) return news;
      const later = this.#untold(await client.getState(this.id, { after: now.Version, wait: lookMs, signal }));
      if (later.length > 0) return later;
    }
  }

  /** To be called often: extends the lease when a third of it is over, ends the work when it is lost. */
  async keepAlive(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    if (clock.now() - this.#renewedAt >= leaseMs / 3) await this.#extend();
  }

  /** One request at a time: of what is said meanwhile the last is sent. */
  report(details: Json): void {
    this.#details = details;
    this.#isUnsent = true;
    void this.#extend();
  }

  async #extend(): Promise<void> {
    const { client, clock, leaseMs } = this.#options;
    if (this.#isRenewing || this.signal.aborted) return;
    this.#isRenewing = true;
    this.#isUnsent = false;
    const now = clock.now();
    try {
      const lease = { lock: this.#lock, for: leaseMs, details: this.#details };
      await client.extendLock(this.id, lease, { signal: this.signal, timeoutMs: leaseMs / 3 });
      this.#renewedAt = now;
    } catch (error) {
      const isOver = clock.now() - this.#renewedAt >= leaseMs;
      if (isOver || isSlctError(error, "lock_error", "not_found")) this.end(error as Error);
    } finally {
      this.#isRenewing = false;
    }
    if (this.#isUnsent) await this.#extend();
  }

  #untold({ Results }: StateOut): readonly ResultOut[] {
    const news = Results.filter(({ Select }) => !this.#told.has(Select));
    this.#told = new Set(Results.map(({ Select }) => Select));
    return news;
  }

  #patch(patch: Patch, hold: boolean, wait?: number) {
    const body = { ...patch, Lock: this.#lock, ...(hold && { Hold: true }) };
    const lease = { lease: this.#options.leaseMs };
    return this.#options.client.patchState(this.id, body, wait === undefined ? lease : { ...lease, wait });
  }
}
