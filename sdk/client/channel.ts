/**
 * Channels with a type, and with a schema if the values come from elsewhere.
 *
 * A schema is anything that speaks Standard Schema v1 (zod, valibot, arktype…); only its interface is known here.
 * Source: https://standardschema.dev.
 */
import type { Json } from "../../api/contract.js";
import { SlctError } from "./errors.js";

/** What zod, valibot, arktype and others give: https://standardschema.dev, version 1. `Out` is what validation makes of a value. */
export interface StandardSchema<In = unknown, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

type SchemaResult<Out> =
  { readonly value: Out; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

type InputOf<S> = S extends StandardSchema<infer In, unknown> ? In : never;
type OutputOf<S> = S extends StandardSchema<unknown, infer Out> ? Out : never;

/** `In` is what senders give, `Out` what receivers get: they differ where the schema transforms. */
export interface Channel<In, Out = In> {
  readonly name: string;
  readonly schema?: StandardSchema<unknown, Out>;
  /** Never there: keeps the types apart. */
  readonly "~types"?: { readonly in: (value: In) => void; readonly out: Out };
}

/** A name stands for an untyped channel, `null` for Go's nil channel: never ready. */
export type ChannelLike<In, Out = In> = Channel<In, Out> | string | null;

const nameBytesMax = 256;
const encoder = new TextEncoder();
const control = /[\u0000-\u001f\u007f-\u009f]/;

export function channel<T = Json>(name: string): Channel<T>;
export function channel<S extends StandardSchema>(name: string, schema: S): Channel<InputOf<S>, OutputOf<S>>;
export function channel<T>(name: string, schema: StandardSchema<unknown, T>): Channel<T>;
/**
 * A channel with a type, and with a schema if values are to be checked on both sides. Nothing is made at the service.
 * @throws SlctError `bad_id` unless the name has 1–256 bytes of UTF-8 and no control characters
 */
export function channel(name: string, schema?: StandardSchema): Channel<unknown> {
  checkName(name);
  return schema === undefined ? { name } : { name, schema };
}

export function nameOf(chan: ChannelLike<never, unknown>): string | null {
  if (chan === null) return null;
  const name = typeof chan === "string" ? chan : chan.name;
  checkName(name);
  return name;
}

/**
 * What the schema makes of `value`, a promise of it if the schema is asynchronous.
 * @throws SlctError `invalid_value` with `details.Issues`
 */
export function validate<Out>(chan: ChannelLike<never, Out>, value: unknown): Out | Promise<Out> {
  if (chan === null || typeof chan === "string" || chan.schema === undefined) return value as Out;
  const { name } = chan;
  return checked(chan.schema, value, { what: `a value of channel ${name}`, details: { Chan: name } });
}

/**
 * As {@link validate}, for what comes by no channel.
 * @throws SlctError `invalid_value` with `details.Issues`, which says `what` was checked
 */
export function checked<Out>(schema: StandardSchema<unknown, Out>, value: unknown, about: Checked): Out | Promise<Out> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((later) => outputOf(later, about)) : outputOf(result, about);
}

interface Checked {
  readonly what: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

function outputOf<Out>(result: SchemaResult<Out>, { what, details }: Checked): Out {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path = [] }) => ({
    Message: message,
    Path: path.map((key) => String(typeof key === "object" ? key.key : key)),
  }));
  const first = issues[0];
  const where = first === undefined || first.Path.length === 0 ? "" : ` at ${first.Path.join(".")}`;
  throw new SlctError("invalid_value", `${what}${where}: ${first?.Message ?? "not valid"}`, {
    details: { ...details, Issues: issues },
  });
}

function checkName(name: string): void {
  const bytes = encoder.encode(name).length;
  if (bytes === 0 || bytes > nameBytesMax || control.test(name)) {
    throw new SlctError("bad_id", `not a name of a channel: ${JSON.stringify(name)}`);
  }
}
