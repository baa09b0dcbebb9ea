/**
 * The part of `p` that waits: cases that may be selected, or awaited alone.
 */
import * as cases from "../client/cases.js";
import type { Case, Cases, Selected } from "../client/cases.js";
import { nameOf } from "../client/channel.js";
import { SlctError } from "../client/errors.js";
import type { ProcessContext, Sending } from "./context.js";
import { from } from "./guard.js";
import type { Host } from "./host.js";
import { durable, resultOf, type Scope } from "./journal.js";

export type Waiting = Pick<ProcessContext, "select" | "recv" | "send" | "after" | "at" | "sleep" | "range">;

export function waiting(scope: Scope, host: Host): Waiting {
  const select: ProcessContext["select"] = (some, options) => selectIn(scope, host, some, options);
  const alone = <Outcome, T>(one: Case<Outcome>, read: (outcome: Outcome) => T) => awaitable(scope, host, one, read);
  const nothing = () => undefined;

  return {
    select,
    recv: (chan, options) =>
      alone(cases.recv(chan, options), (received) => {
        if (received.ok) return received.value;
        throw new SlctError("closed", `channel ${nameOf(chan)} is closed`, { details: { Chan: nameOf(chan) } });
      }),
    send: (chan, value, options) => {
      const one: Sending = alone(cases.send(chan, durable(value, "what is sent") as typeof value, options), nothing);
      host.program.offer(one, one.label);
      return one;
    },
    after: (duration) => alone(cases.after(duration), nothing),
    at: (time) => alone(cases.at(time), nothing),
    sleep: async (duration) => void (await select({ slept: cases.after(duration) })),
    async *range(chan) {
      for (;;) {
        const received = await select({ next: cases.recv(chan) });
        if (!received.ok) return;
        yield received.value;
      }
    },
  };
}

/** The case, which may also be awaited alone; `read` is what that gives. */
export function awaitable<Outcome, T>(
  scope: Scope,
  host: Host,
  one: Case<Outcome>,
  read: (outcome: Outcome) => T,
): Case<Outcome> & PromiseLike<T> {
  let promise: Promise<T> | undefined;
  const made = new Error();
  const both: Case<Outcome> & PromiseLike<T> = {
    ...one,
    then: (onValue, onError) => {
      promise ??= from(made, () => selectIn(scope, host, { only: both })).then((selected) => read(selected as Outcome));
      return promise.then(onValue, onError);
    },
  };
  return both;
}

async function selectIn<C extends Cases>(
  scope: Scope,
  { operations, program }: Host,
  some: C,
  { choice }: { readonly choice?: "random" | "order" } = {},
): Promise<Selected<C>> {
  const list = Object.values(some);
  for (const one of list) {
    program.take(one);
    synchronous(one.check?.(), one.label);
  }
  const body = { Cases: list.map((one) => one.body(0)), ...(choice && { Choice: choice }) };
  const entry = await operations.select(scope, cases.labelOf(some), body);
  return synchronous(cases.readSelected(some, resultOf(entry)), "select");
}

/** A process cannot wait for a schema. */
function synchronous<T>(value: T | Promise<T>, label: string): T {
  if (value instanceof Promise) {
    throw new SlctError("not_durable", `${label}: the schema is asynchronous; in a process it cannot be waited for`);
  }
  return value;
}
