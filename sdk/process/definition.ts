/**
 * A process as its author writes it: a name, a version, and a function of `p` and its input.
 */
import type { Json } from "../../api/contract.js";
import { checkProcessName } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import type { ProcessContext } from "./context.js";

/** The version of a process, and how it takes over earlier ones. */
export interface ProcessOptions<Input> {
  /** Any change of what the code asks for is a new one; processes stay with the one they began with. */
  readonly version: number | string;
  /**
   * Takes a process over from an earlier version. The journal stays, so the new code has to ask for what is there; what
   * may be changed are the values.
   */
  readonly migrate?: (old: MigrationValues<Json>) => Partial<MigrationValues<Input>>;
}

/** What a migration reads and may change. */
export interface MigrationValues<Input> {
  readonly version: string;
  readonly input: Input;
  /** Of the outermost loop, if there is one. */
  readonly carry?: Json;
}

/** A process that a worker can run and a client can start. Made by {@link process}. */
export interface ProcessDefinition<Input, Output> extends ProcessRef<Input, Output> {
  readonly run: (p: ProcessContext, input: Input) => PromiseLike<Output>;
  readonly migrate?: (old: MigrationValues<Json>) => Partial<MigrationValues<unknown>>;
}

/** A process of any types, as workers keep it. */
export type AnyProcess = ProcessDefinition<never, unknown>;

/**
 * A durable process: `run` waits and acts by `p` alone, and goes on wherever a worker is. Input and result are JSON.
 * ```ts
 * const greet = process("greet", { version: 1 }, async (p, name: string) => {
 *   await p.sleep("1m");
 *   return `Hello ${name}`;
 * });
 * ```
 * @throws SlctError `bad_id` unless the name is made of letters, digits, `_`, `-` and `.`
 */
export function process<Input = null, Output = void>(
  name: string,
  options: ProcessOptions<Input>,
  run: (p: ProcessContext, input: Input) => PromiseLike<Output>,
): ProcessDefinition<Input, Output> {
  checkProcessName(name);
  const version = String(options.version);
  return { name, version, run, ...(options.migrate && { migrate: options.migrate }) };
}
