/**
 * A handler with a schema for its input, for callers whose inputs nobody has checked.
 */
import type { StandardSchema } from "../client/channel.js";

/** A handler that may have a schema. */
export interface Accepting {
  readonly accepts?: StandardSchema;
}

/**
 * A handler of a service or object with a schema: {@link ingress} refuses what does not fit, and hands on what the schema
 * makes of the rest, which has to be JSON. Callers in TypeScript are checked by the compiler alone. The handler of an object
 * names the type of its context: `accepts(count, (o: ObjectContext<number>, n) => …)`.
 * ```ts
 * const mail = service("mail", { version: 1 }, { welcome: accepts(address, async (p, { to }) => …) });
 * ```
 */
export function accepts<Context, Input, Output>(
  schema: StandardSchema<unknown, Input>,
  run: (context: Context, input: Input) => Output,
): ((context: Context, input: Input) => Output) & Accepting {
  return Object.assign((context: Context, input: Input) => run(context, input), { accepts: schema });
}
