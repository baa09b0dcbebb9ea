/**
 * `p`: everything that the code of a process may wait for or do, so that a replay repeats it.
 *
 * What is waited for is a case: await it alone, or give several to `p.select`. A case does nothing until then.
 */
import type { Json } from "../../api/contract.js";
import type { Case, CaseOptions, Cases, Fired, Received, Selected, Sent } from "../client/cases.js";
import type { Channel, ChannelLike, StandardSchema } from "../client/channel.js";
import type { Duration } from "../client/duration.js";
import type { Failure } from "../client/errors.js";
import type { ProcessRef } from "../client/process-data.js";

/** A receive: awaited alone it gives the value, and throws {@link SlctError} `closed` when there will be none. */
export interface Receiving<T> extends Case<Received<T>>, PromiseLike<T> {}
/** A send: done when somebody has received. Does nothing unless it is awaited or selected. */
export interface Sending extends Case<Sent>, PromiseLike<void> {}
/** A time: done when it has come, by the clock of the log; never early. Does nothing unless it is awaited or selected. */
export interface Timer extends Case<Fired>, PromiseLike<void> {}

/** How a durable promise ended. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Failure };

/** A durable promise: awaited alone it gives the value or throws the {@link Failure}. */
export interface Awaiting<T> extends Case<Settled<T>>, PromiseLike<T> {
  /** Name of the channel that is closed to settle it. */
  readonly id: string;
}

/** Another process, started by this one. It goes on when this one ends. */
export interface Child<T> {
  /** Of its state. */
  readonly id: string;
  readonly result: Awaiting<T>;
}

/** Options of a process that another one starts. */
export interface SpawnOptions {
  /** Key of the child: if there is such a process, that one is meant. Default: one of its own for each spawn. */
  readonly id?: string;
  /** Unix ms, a date, or RFC 3339. */
  readonly startAt?: number | string | Date;
}

/** When a failed attempt is followed by another. Pauses grow from `first` by `factor` up to `max`. */
export interface RetryPolicy {
  /** All in all; default 10. */
  readonly attempts?: number;
  /** Pause after the first attempt; default 1 s. */
  readonly first?: Duration;
  /** Longest pause; default 1 min. */
  readonly max?: Duration;
  /** From pause to pause; default 2. */
  readonly factor?: number;
  /** Errors for which another attempt is of no use, beside {@link Failure}: by `code`, or by a test. */
  readonly never?: readonly string[] | ((error: unknown) => boolean);
}

/** Limits of a step. */
export interface StepOptions {
  readonly retry?: RetryPolicy;
  /** Of one attempt: its signal aborts, and it counts as failed. */
  readonly timeout?: Duration;
  /** An attempt that does not call {@link StepContext.heartbeat} for this long has failed as well. */
  readonly heartbeat?: Duration;
}

/** What the function of a step is given. */
export interface StepContext {
  /** The same for every attempt of this step and for no other step: hand it on, so that others can deduplicate. */
  readonly idempotencyKey: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the process is cancelled, the attempt takes too long, or the worker has lost the process. */
  readonly signal: AbortSignal;
  /** Says that it is alive, and how far it has got: the next attempt is told, wherever it runs. */
  heartbeat(details?: Json): void;
  /** What the attempt before this one said last. */
  readonly lastDetails: Json | undefined;
  /** When the next attempt begins if this one fails and its policy has one left: a pause from then, instead of the policy's. */
  retryAfter(pause: Duration): void;
  /** The same as a point in time: unix ms, a date, or RFC 3339. */
  retryAt(time: number | string | Date): void;
}

/** Which process this is. */
export interface ProcessInfo {
  /** Of its state: `name/key`. */
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly version: string;
  /** Log time of its start, unix ms. */
  readonly startedAt: number;
  /** Of the present hand-out, from 1: how often a worker took it without putting it back. Not for decisions. */
  readonly attempt: number;
}

/** What the body of a loop returns to end it. Made by {@link LoopContext.done}. */
export interface LoopDone<R> {
  readonly done: true;
  readonly value: R;
}

/** The `p` of the body of a loop. */
export interface LoopContext extends ProcessContext {
  /** Return it to end the loop with this value. */
  done(): LoopDone<void>;
  done<R>(value: R): LoopDone<R>;
}

/**
 * `p`: everything that the code of a process may wait for or do, so that a replay repeats it.
 * @throws SlctError from whatever is awaited: `journal_mismatch`, `not_durable`; the worker then pauses the process
 */
export interface ProcessContext {
  /** Waits for exactly one of these cases; the others leave no trace. Among those that are ready one is drawn, or the first. */
  select<C extends Cases>(cases: C, options?: { readonly choice?: "random" | "order" }): Promise<Selected<C>>;
  /** A value of a channel. @throws SlctError when it is awaited: `closed` when there will be none, `invalid_value` */
  recv<T = Json>(chan: ChannelLike<never, T>, options?: CaseOptions): Receiving<T>;
  /** Gives a value away. @throws SlctError when it is awaited: `closed`, `invalid_value` */
  send<T = Json>(chan: ChannelLike<T, unknown>, value: T, options?: CaseOptions): Sending;
  /** Counts from when it is awaited or selected. */
  after(duration: Duration): Timer;
  /** A point in time: unix ms, a date, or RFC 3339. One that is over fires at once. */
  at(time: number | string | Date): Timer;
  /** Awaits a timer; throws the {@link Failure} `cancelled` when the process is cancelled meanwhile. */
  sleep(duration: Duration): Promise<void>;
  /** Every value until the channel is closed and drained. */
  range<T = Json>(chan: ChannelLike<never, T>): AsyncIterable<T>;

  /** Runs beside the rest of the process, with a `p` of its own. Ends with the process, or with the loop it began in. */
  go<T>(run: (p: ProcessContext) => PromiseLike<T>): PromiseLike<T>;

  /**
   * Does something outside, at least once; its result is kept and never asked for again. Everything before it is stored
   * when it begins. What it throws is tried again by its policy, a {@link Failure} is not.
   */
  step<T>(name: string, run: (step: StepContext) => Promise<T> | T, options?: StepOptions): Promise<T>;

  /** Starts a process along with the next put-back, once. */
  spawn<Input, Output>(process: ProcessRef<Input, Output>, input: Input, options?: SpawnOptions): Child<Output>;
  /** Starts a process and awaits its result. */
  call<Input, Output>(process: ProcessRef<Input, Output>, input: Input, options?: SpawnOptions): Awaiting<Output>;
  /** The result of any process, by the ID of its state. */
  result<T = Json>(id: string): Awaiting<T>;
  /** Cancels another process. Cancelling it twice is an error of the second. */
  cancel(id: string, reason?: Json): void;

  /** A channel of this process alone, until its name is given away. */
  chan<T = Json>(buffer?: number): Channel<T>;
  chan<T>(buffer: number, schema: StandardSchema<unknown, T>): Channel<T>;
  /** Gives a channel a buffer. @throws SlctError `exists` with another one, `closed` */
  make(chan: ChannelLike<never, unknown>, buffer: number): void;
  /** Closes a channel: receivers get `value`. @throws SlctError `closed` the second time */
  close(chan: ChannelLike<never, unknown>, value?: Json): void;

  /** A promise that anybody may settle who knows its ID: {@link resolve}, `client.resolve`, or curl. */
  promise<T = Json>(): Awaiting<T>;
  /** Keeps a promise, by its ID. @throws SlctError `closed` when it was settled before */
  resolve(promise: string, value: Json): void;
  /** Breaks a promise, by its ID. @throws SlctError `closed` when it was settled before */
  reject(promise: string, error: Error): void;

  /**
   * Runs `body` until it returns `p.done(value)`. Only what it returns is kept from one iteration to the next, so the
   * journal stays as long as one iteration. `body` must use the `p` it is given.
   */
  loop<Carry, R = void>(carry: Carry, body: (carry: Carry, p: LoopContext) => Promise<Carry | LoopDone<R>>): Promise<R>;

  /** Log time of what came last, unix ms. It stands still while code runs. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** A UUID of version 4. */
  uuid(): string;

  /** A small object that API and console show; put back when it changes. */
  readonly vars: Record<string, Json>;
  /** Aborts when the process is cancelled. */
  readonly signal: AbortSignal;
  /** Runs if the process ends by an error, or is cancelled; last one first. Not in loops: keep what to undo in the carry. */
  defer(undo: () => Promise<void>): void;
  readonly info: ProcessInfo;
}
