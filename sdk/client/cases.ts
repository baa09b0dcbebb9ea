/**
 * The cases of a select, and its result as a union tagged by their names.
 *
 * `select({ paid: recv(payments), late: after("24h") })` gives `{ tag: "paid", … } | { tag: "late", … }`: a switch over
 * `tag` that leaves one out does not compile where its value is needed.
 */
import type { CaseBody, Json, ResultOut } from "../../api/contract.js";
import { nameOf, validate, type ChannelLike } from "./channel.js";
import { durationMs, type Duration } from "./duration.js";
import { SlctError } from "./errors.js";

/** One case; `Outcome` is what it adds to the result when it is the one that fires. */
export interface Case<Outcome> {
  /** For the wire; an `after` counts from when the select began, `elapsedMs` ago. */
  readonly body: (elapsedMs: number) => CaseBody<unknown>;
  /** What a journal compares: operation and channel, no values. */
  readonly label: string;
  /** Checks what is sent. @throws SlctError `invalid_value` */
  readonly check?: () => void | Promise<void>;
  /** @throws SlctError `invalid_value`, and `closed` for a send that met a closed channel */
  readonly read: (result: ResultOut) => Outcome | Promise<Outcome>;
}

/** The cases of one select by their names, at most 1,024. A name is the `tag` of the result. */
export type Cases = Readonly<Record<string, Case<unknown>>>;

/** A receive: the value, or that the channel is closed and drained, with the value it was closed with. */
export type Received<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly closed: true; readonly value: Json | undefined };
/** A send: somebody has received the value, or a buffer holds it. */
export type Sent = { readonly ok: true };
/** A timer, by the log's clock in unix ms; or the default case. */
export type Fired = { readonly ok: true; readonly at: number };

/** The result of a select over these cases: one member of the union per name. */
export type Selected<C extends Cases> = {
  [Tag in keyof C & string]: { readonly tag: Tag } & (C[Tag] extends Case<infer Outcome> ? Outcome : never);
}[keyof C & string];

/** Options of a receive or send. */
export interface CaseOptions {
  /** The case takes part from then on: unix ms, a date, or RFC 3339. */
  readonly notBefore?: number | string | Date;
}

/**
 * Receives a value of a channel, or learns that it is closed and drained.
 * @throws SlctError `bad_id` for what is no name of a channel; when it is read, `invalid_value`
 */
export function recv<T = Json>(chan: ChannelLike<never, T>, options: CaseOptions = {}): Case<Received<T>> {
  const Chan = nameOf(chan);
  return {
    body: () => ({ Op: 1, Chan, ...begin(options) }),
    label: `recv ${Chan ?? "nil"}`,
    read: (result) => {
      if (!result.Ok) return { ok: false, closed: true, value: result.Data };
      const value = validate(chan, result.Data);
      return value instanceof Promise ? value.then((later) => ({ ok: true, value: later })) : { ok: true, value };
    },
  };
}

/**
 * Sends a value: done when somebody has received it or a buffer has room. JSON, with all else of the request at most 4 MiB.
 * @throws SlctError `bad_id` for what is no name of a channel; when it is done, `invalid_value`, `closed`
 */
export function send<T = Json>(chan: ChannelLike<T, unknown>, value: T, options: CaseOptions = {}): Case<Sent> {
  const Chan = nameOf(chan);
  return {
    body: () => ({ Op: 2, Chan, Data: value, ...begin(options) }),
    label: `send ${Chan ?? "nil"}`,
    check: () => {
      const checked = validate(chan as ChannelLike<never, unknown>, value);
      if (checked instanceof Promise) return checked.then(() => undefined);
    },
    read: (result) => {
      if (!result.Ok) throw new SlctError("closed", `channel ${Chan} is closed`, { details: { Chan } });
      return { ok: true };
    },
  };
}

/**
 * Fires when this much log time has passed since the select began. Never early.
 * @throws RangeError for no duration
 */
export function after(duration: Duration): Case<Fired> {
  const ms = durationMs(duration);
  return { body: (elapsedMs) => ({ Op: 3, After: Math.max(0, ms - elapsedMs) }), label: "time", read: readFired };
}

/** Fires at a point in time: unix ms, a date, or RFC 3339. */
export function at(time: number | string | Date): Case<Fired> {
  const At = instant(time);
  return { body: () => ({ Op: 3, At }), label: "time", read: readFired };
}

/** Go's `default`: fires at once if no other case is ready. */
export function otherwise(): Case<Fired> {
  return { body: () => ({ Op: 4 }), label: "default", read: readFired };
}

export function labelOf(cases: Cases): string {
  return Object.values(cases)
    .map(({ label }) => label)
    .join(" | ");
}

/** The label that these cases had, from what the service knows of them. */
export function labelOfBodies(bodies: readonly CaseBody<unknown>[]): string {
  const names = { 1: "recv", 2: "send", 3: "time", 4: "default" } as const;
  return bodies
    .map(({ Op, Chan }) => (Op === 1 || Op === 2 ? `${names[Op]} ${Chan ?? "nil"}` : names[Op as 3 | 4]))
    .join(" | ");
}

/** The case that fired, under its name. */
export function readSelected<C extends Cases>(cases: C, result: ResultOut): Selected<C> | Promise<Selected<C>> {
  const [tag, one] = Object.entries(cases)[result.Case] ?? [];
  if (tag === undefined || one === undefined) {
    throw new SlctError("bad_answer", `the select has no case ${result.Case}`);
  }
  const tagged = (outcome: unknown) => ({ ...(outcome as object), tag }) as Selected<C>;
  const outcome = one.read(result);
  return outcome instanceof Promise ? outcome.then(tagged) : tagged(outcome);
}

function readFired({ At }: ResultOut): Fired {
  return { ok: true, at: At };
}

function begin({ notBefore }: CaseOptions): { NotBefore?: number | string } {
  return notBefore === undefined ? {} : { NotBefore: instant(notBefore) };
}

function instant(time: number | string | Date): number | string {
  return time instanceof Date ? time.getTime() : time;
}
