/**
 * The part of `p` that changes something elsewhere, along with the next put-back: processes, channels, promises.
 */
import type { Json, ResultOut } from "../../api/contract.js";
import * as cases from "../client/cases.js";
import type { Case } from "../client/cases.js";
import { channel, nameOf, type Channel, type ChannelLike, type StandardSchema } from "../client/channel.js";
import { readError, SlctError, writeError } from "../client/errors.js";
import { cancelChannel, processId, resultChannel } from "../client/names.js";
import { newData, type ProcessRef } from "../client/process-data.js";
import type { Awaiting, Child, ProcessContext, Settled, SpawnOptions } from "./context.js";
import type { Host } from "./host.js";
import { durable, type Scope } from "./journal.js";
import { fingerprint, Random } from "./random.js";
import type { Effect } from "./records.js";
import { awaitable } from "./waiting.js";

type Processes = Pick<ProcessContext, "spawn" | "call" | "result" | "cancel">;
type Channels = Pick<ProcessContext, "chan" | "make" | "close" | "promise" | "resolve" | "reject">;

export function processes(scope: Scope, host: Host): Processes {
  const { operations, program, seed } = host;

  const begin = <Input, Output>(
    process: ProcessRef<Input, Output>,
    input: Input,
    { id: key, startAt }: SpawnOptions = {},
  ): Child<Output> & { readonly op: string } => {
    const idOf = (op: string) => processId(process.name, key ?? secret(seed, "child", op));
    const time = startAt instanceof Date ? startAt.getTime() : startAt;
    const own = durable(input, "the input of a process");
    const make = (op: string): Effect => {
      const data = newData(process, secret(seed, "seed", op), own);
      return { kind: "spawn", spawn: { id: idOf(op), data, ...(time !== undefined && { startAt: time }) } };
    };
    const given = `input ${fingerprint(JSON.stringify(own))}`;
    const op = operations.effect(scope, `spawn ${process.name}`, make, given);
    const id = idOf(op);
    return { id, op, result: awaiting(scope, host, resultChannel(id), () => program.release(id)) };
  };

  return {
    spawn: (process, input, options) => {
      const { id, result } = begin(process, input, options);
      return { id, result };
    },
    call: (process, input, options) => {
      const { id, op, result } = begin(process, input, options);
      if (process.bound) program.bind(id, op);
      return result;
    },
    result: (id) => awaiting(scope, host, resultChannel(id)),
    cancel: (id, reason = null) => {
      program.release(id);
      close(scope, host, cancelChannel(id), reason);
    },
  };
}

export function channels(scope: Scope, host: Host): Channels {
  const { operations, seed, id } = host;

  const make = (chan: ChannelLike<never, unknown>, buffer: number) => {
    const Chan = named(chan);
    operations.effect(scope, `make ${Chan}`, () => ({ kind: "make", make: { Chan, Buffer: buffer } }));
  };

  return {
    chan: <T>(buffer = 0, schema?: StandardSchema<unknown, T>): Channel<T> => {
      const name = `${id}/c/${operations.name(scope, "chan")}`;
      if (buffer > 0) make(name, buffer);
      return schema === undefined ? channel<T>(name) : channel<T>(name, schema);
    },
    make,
    close: (chan, value) => close(scope, host, chan, value),
    promise: () => {
      const op = operations.name(scope, "promise");
      return awaiting(scope, host, `${id}/p/${op}/${secret(seed, "promise", op)}`);
    },
    resolve: (promise, value) => close(scope, host, promise, { value }),
    reject: (promise, error) => close(scope, host, promise, { error: { ...writeError(error) } }),
  };
}

/** Nobody can guess it who does not know the seed. */
function secret(seed: string, kind: string, op: string): string {
  return new Random(seed, `${kind} ${op}`).hex();
}

function close(scope: Scope, { operations }: Host, chan: ChannelLike<never, unknown>, value?: Json): void {
  const Chan = named(chan);
  const Value = value === undefined ? {} : { Value: durable(value, "the value of a close") };
  operations.effect(scope, `close ${Chan}`, () => ({ kind: "close", close: { Chan, ...Value } }));
}

/** A promise is a channel that is closed with how it ended. */
function awaiting<T>(scope: Scope, host: Host, id: string, onSettled?: () => void): Awaiting<T> {
  const settled = (result: ResultOut): Settled<T> => {
    onSettled?.();
    return settledOf(id, result);
  };
  const one: Case<Settled<T>> = { ...cases.recv(id), read: settled };
  const read = (outcome: Settled<T>) => {
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  };
  return Object.assign(awaitable(scope, host, one, read), { id });
}

function settledOf<T>(id: string, { Ok, Data }: ResultOut): Settled<T> {
  if (Ok || typeof Data !== "object" || Data === null) return broken(id);
  if ("error" in Data) return { ok: false, error: readError(Data["error"]) };
  return "value" in Data ? { ok: true, value: Data["value"] as T } : broken(id);
}

/** Somebody has sent to it, or closed it without saying how it ended. */
function broken<T>(id: string): Settled<T> {
  return { ok: false, error: readError({ message: `${id} was not settled as a promise`, code: "bad_promise" }) };
}

function named(chan: ChannelLike<never, unknown>): string {
  const name = nameOf(chan);
  if (name === null) throw new SlctError("bad_id", "The nil channel has no name.");
  return name;
}
