/**
 * Services: handlers without state of their own, under one name.
 *
 * Each handler is a process, called `service.handler`: so it is durable, and started, called, delayed and deduplicated like
 * every process.
 */
import { checkProcessName } from "../client/names.js";
import type { Accepting } from "./accepts.js";
import type { ProcessContext } from "./context.js";
import { process, type ProcessDefinition, type ProcessOptions } from "./definition.js";

type Handler = ((p: ProcessContext, input: never) => unknown) & Accepting;
type InputOf<H> = H extends (p: never, ...rest: [infer Input, ...never[]]) => unknown ? Input : null;
type OutputOf<H> = H extends (...args: never[]) => infer Output ? Awaited<Output> : never;

/** Handlers under one name. Made by {@link service}. */
export interface ServiceDefinition<H> {
  readonly name: string;
  /** For a worker. */
  readonly processes: readonly ProcessDefinition<never, unknown>[];
  /** To be started, called or spawned. */
  readonly handlers: { readonly [Name in keyof H]: ProcessDefinition<InputOf<H[Name]>, OutputOf<H[Name]>> };
}

/**
 * Handlers without state of their own: each is a process, called `service.handler`.
 * ```ts
 * const mail = service("mail", { version: 1 }, {
 *   welcome: async (p, address: string) => p.step("send", () => send(address)),
 * });
 * await p.call(mail.handlers.welcome, "a@example.org");
 * ```
 * @throws SlctError `bad_id` unless the names are made of letters, digits, `_`, `-` and `.`
 */
export function service<H extends { readonly [name: string]: Handler }>(
  name: string,
  options: Pick<ProcessOptions<null>, "version">,
  handlers: H,
): ServiceDefinition<H> {
  checkProcessName(name);
  const made = Object.entries(handlers).map(([handler, run]) => {
    const definition = process<never, unknown>(`${name}.${handler}`, options, (p, input) =>
      Promise.resolve(run(p, input)),
    );
    return [handler, { ...definition, ...(run.accepts && { accepts: run.accepts }) }] as const;
  });
  return {
    name,
    processes: made.map(([, definition]) => definition),
    handlers: Object.fromEntries(made) as unknown as ServiceDefinition<H>["handlers"],
  };
}
