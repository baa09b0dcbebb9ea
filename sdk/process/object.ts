/**
 * Keyed objects: a state that only its handlers change, one message at a time.
 *
 * An object is a process that receives its next message in a loop, with its state for a carry; a message is a process of its
 * own, which sends itself there and awaits the answer. So a message is started, called, delayed and deduplicated like
 * every process: its key is the idempotency key.
 */
import type { Json } from "../../api/contract.js";
import { Failure } from "../client/errors.js";
import { checkProcessName, inboxChannel, processId } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import type { Accepting } from "./accepts.js";
import type { LoopContext, ProcessContext } from "./context.js";
import { process, type ProcessDefinition, type ProcessOptions } from "./definition.js";

/** The `p` of a handler of an object, with its key and state. */
export interface ObjectContext<State> extends ProcessContext {
  readonly key: string;
  /** JSON. Change it or replace it; what a handler that throws has changed is not kept. */
  state: State;
}

type Handler<State> = ((o: ObjectContext<State>, input: never) => unknown) & Accepting;
type InputOf<H> = H extends (o: never, ...rest: [infer Input, ...never[]]) => unknown ? Input : null;
type OutputOf<H> = H extends (...args: never[]) => infer Output ? Awaited<Output> : never;

/** Messages to one object: to be started, called or spawned like processes. */
export type Messages<H> = { readonly [Name in keyof H]: ProcessRef<InputOf<H[Name]>, OutputOf<H[Name]>> };

/** A kind of object. Made by {@link object}. */
export interface ObjectDefinition<H> {
  readonly name: string;
  /** For a worker: the objects, and the messages to them. */
  readonly processes: readonly ProcessDefinition<never, unknown>[];
  /** The object of this key; it begins with its first message. */
  of(key: string): Messages<H>;
}

interface Message {
  readonly key: string;
  readonly handler: string;
  readonly input: Json;
}

interface Delivered extends Omit<Message, "key"> {
  /** ID of the promise that takes the answer. */
  readonly reply: string;
}

/**
 * Keyed objects: state that only their handlers change, one message at a time, each once.
 * ```ts
 * const counter = object("counter", { version: 1 }, {
 *   initial: () => 0,
 *   handlers: { add: (o, n: number) => (o.state += n) },
 * });
 * worker({ processes: [...counter.processes], endpoints });
 * await client.start(counter.of("alice").add, 5, { id: "request-17" });
 * ```
 * @throws SlctError `bad_id` unless the name is made of letters, digits, `_`, `-` and `.`
 */
export function object<State, H extends { readonly [name: string]: Handler<State> }>(
  name: string,
  options: Pick<ProcessOptions<null>, "version">,
  { initial, handlers }: { readonly initial: (key: string) => State; readonly handlers: H },
): ObjectDefinition<H> {
  checkProcessName(name);
  const own = process<null, never>(name, options, (p) =>
    p.loop<State, never>(initial(p.info.key), (state, inner) => receive(inner, state, handlers)),
  );
  const messages = process<Message, Json>(`${name}.message`, options, async (p, { key, handler, input }) => {
    const { id } = p.spawn(own, null, { id: key });
    const answer = p.promise();
    await p.send<Delivered>(inboxChannel(id), { handler, input, reply: answer.id });
    return answer;
  });
  const { version } = messages;
  return {
    name,
    processes: [own, messages] as readonly ProcessDefinition<never, unknown>[],
    of: (key) => {
      processId(name, key);
      const refs = Object.entries(handlers).map(([handler, { accepts }]) => {
        const wrap = (input: Json): Json => ({ key, handler, input });
        return [handler, { name: messages.name, version, wrap, ...(accepts && { accepts }) }] as const;
      });
      return Object.fromEntries(refs) as unknown as Messages<H>;
    },
  };
}

/** One message; gives the state after it. */
async function receive<State>(
  p: LoopContext,
  state: State,
  handlers: { readonly [name: string]: Handler<State> },
): Promise<State> {
  const { handler: name, input, reply } = await p.recv<Delivered>(inboxChannel(p.info.id));
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  const o: ObjectContext<State> = { ...p, key: p.info.key, state: structuredClone(state) };
  try {
    if (handler === undefined) throw new Failure(`${p.info.name} has no handler ${name}`, { code: "unknown_handler" });
    const value = await handler(o, input as never);
    p.resolve(reply, (value ?? null) as Json);
    return o.state;
  } catch (error) {
    p.reject(reply, error instanceof Error ? error : new Failure(String(error)));
    if (p.signal.aborted) throw error;
    return state;
  }
}
