/**
 * Time that stands still until a test moves it. One queue for everything that is due: timers of the engine, waits of
 * requests, pauses and heartbeats of clients and workers.
 */
import TinyQueue from "tinyqueue";
import type { Time } from "../../cluster/environment.js";
import type { Clock } from "../client/clock.js";

interface Timer {
  readonly atMs: number;
  readonly seq: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** 2030-01-01T00:00:00Z: no test depends on the day it runs on. */
const beginMs = 1_893_456_000_000;

function newQueue(): TinyQueue<Timer> {
  return new TinyQueue<Timer>([], (a, b) => a.atMs - b.atMs || a.seq - b.seq);
}

export class VirtualTime implements Time, Clock {
  #nowMs = beginMs;
  #seq = 0;
  readonly #timers = newQueue();
  readonly #patient = newQueue();

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    return this.#set(this.#timers, ms, run);
  }

  every(ms: number, run: () => void): () => void {
    let cancel = this.after(ms, again.bind(this));
    function again(this: VirtualTime): void {
      cancel = this.after(ms, again.bind(this));
      run();
    }
    return () => cancel();
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /**
   * For waits whose end changes nothing but that they are asked for again: long polls. They end when time has come to rest
   * behind them, so that days pass without a poll for every half minute.
   */
  readonly patient: Time = {
    wallMs: () => this.#nowMs,
    nowMs: () => this.#nowMs,
    after: (ms, run) => this.#set(this.#patient, ms, run),
    every: (ms, run) => this.every(ms, run),
    soon: (run) => this.soon(run),
  };

  /** When the next timer is due. */
  get nextMs(): number | undefined {
    return next(this.#timers)?.atMs;
  }

  /** Moves on and runs the first timer that is due by then, if there is one. */
  step(toMs: number): boolean {
    this.#nowMs = Math.max(this.#nowMs, toMs);
    return this.#fire(this.#timers);
  }

  /** Ends the first long poll whose time is over. */
  endPatient(): boolean {
    return this.#fire(this.#patient);
  }

  #set(queue: TinyQueue<Timer>, ms: number, run: () => void): () => void {
    if (ms === Infinity) return () => undefined;
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, ms), seq: ++this.#seq, run, cancelled: false };
    // What is due now needs no time to pass.
    if (ms <= 0) this.soon(() => timer.cancelled || run());
    else queue.push(timer);
    return () => {
      timer.cancelled = true;
    };
  }

  #fire(queue: TinyQueue<Timer>): boolean {
    const timer = next(queue);
    if (timer === undefined || timer.atMs > this.#nowMs) return false;
    queue.pop();
    timer.run();
    return true;
  }
}

function next(queue: TinyQueue<Timer>): Timer | undefined {
  while (queue.peek()?.cancelled) queue.pop();
  return queue.peek();
}
