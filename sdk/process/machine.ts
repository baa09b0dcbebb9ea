/**
 * A process as an explicit state machine: named states, each of which waits for one select or does one thing.
 *
 * Transitions are plain functions of the machine's data and what happened, so `Data` is one state name and one value however
 * long it runs. It is a process like any other (a loop over `{ state, data }`), on the same wire format.
 */
import type { Json } from "../../api/contract.js";
import type { Case, Cases } from "../client/cases.js";
import { Failure } from "../client/errors.js";
import type { LoopContext, ProcessContext, StepContext, StepOptions } from "./context.js";
import { process, type ProcessDefinition, type ProcessOptions } from "./definition.js";

/** What a transition may use: nothing that waits. */
export type TransitionContext = Pick<
  ProcessContext,
  "now" | "random" | "uuid" | "vars" | "info" | "spawn" | "cancel" | "make" | "close" | "resolve" | "reject"
>;

/** What a transition returns: made by {@link goto} or {@link end}. */
export type Next<Data, Output> = { readonly goto: string; readonly data: Data } | { readonly end: Output };

type OutcomeOf<C> = C extends Case<infer Outcome> ? Outcome : never;

/** Of a state that waits. */
export interface Waiting<Data, Output, C extends Cases> {
  readonly select: (data: Data) => C;
  /** One transition for each case. */
  readonly on: {
    readonly [Tag in keyof C]: (data: Data, event: OutcomeOf<C[Tag]>, p: TransitionContext) => Next<Data, Output>;
  };
}

/** Of a state that does something. */
export interface Acting<Data, Output, T> extends StepOptions {
  /** A step: at least once, its result kept. */
  readonly step: (data: Data, step: StepContext) => Promise<T> | T;
  readonly done: (data: Data, value: T, p: TransitionContext) => Next<Data, Output>;
  /** Without it the machine fails. */
  readonly failed?: (data: Data, error: Failure, p: TransitionContext) => Next<Data, Output>;
}

/** Made by {@link wait} or {@link act}. */
export type MachineState<Data, Output> = (name: string, data: Data, p: LoopContext) => Promise<Next<Data, Output>>;

/** Where a machine begins, its states by name, and what cancellation does. */
export interface MachineDefinition<Input, Data, Output> {
  readonly start: (input: Input, p: TransitionContext) => Next<Data, Output>;
  readonly states: { readonly [name: string]: MachineState<Data, Output> };
  /** From any state, when the process is cancelled. Without it the machine fails. */
  readonly cancelled?: (data: Data, reason: Json, p: TransitionContext) => Next<Data, Output>;
}

interface Carry<Data> {
  readonly state: string;
  readonly data: Data;
}

/** Leads a machine to another state, with new data. */
export function goto<Data>(state: string, data: Data): { readonly goto: string; readonly data: Data } {
  return { goto: state, data };
}

/** Ends a machine: the process returns `output`. */
export function end<Output>(output: Output): { readonly end: Output } {
  return { end: output };
}

/** A state of a machine that waits for one of several things. */
export function wait<Data, Output, C extends Cases>(state: Waiting<Data, Output, C>): MachineState<Data, Output> {
  return async (_name, data, p) => {
    const { tag, ...event } = await p.select(state.select(data));
    return state.on[tag as keyof C](data, event as unknown as OutcomeOf<C[keyof C]>, p);
  };
}

/** A state of a machine that does something outside, as a step. */
export function act<Data, Output, T>(state: Acting<Data, Output, T>): MachineState<Data, Output> {
  return async (name, data, p) => {
    let value: T;
    try {
      value = await p.step(name, (step) => state.step(data, step), state);
    } catch (error) {
      if (state.failed && error instanceof Failure && error.code !== "cancelled") return state.failed(data, error, p);
      throw error;
    }
    return state.done(data, value, p);
  };
}

/**
 * A process as an explicit state machine: each state waits for one select or does one thing.
 * ```ts
 * const door = machine<string, { name: string }, string>("door", { version: 1 }, {
 *   start: (name) => goto("closed", { name }),
 *   states: {
 *     closed: wait({
 *       select: () => ({ open: recv("open"), late: after("1h") }),
 *       on: { open: (data) => goto("closed", data), late: ({ name }) => end(`${name} stayed closed`) },
 *     }),
 *   },
 * });
 * ```
 */
export function machine<Input, Data, Output>(
  name: string,
  options: ProcessOptions<Input>,
  { start, states, cancelled }: MachineDefinition<Input, Data, Output>,
): ProcessDefinition<Input, Output> {
  async function enter({ state, data }: Carry<Data>, p: LoopContext): Promise<Next<Data, Output>> {
    const run = states[state];
    if (run === undefined) throw new Failure(`machine ${name} has no state ${state}`, { code: "no_state" });
    try {
      return await run(state, data, p);
    } catch (error) {
      if (cancelled && error instanceof Failure && error.code === "cancelled") {
        return cancelled(data, error.details ?? null, p);
      }
      throw error;
    }
  }

  return process<Input, Output>(name, options, async (p, input) => {
    const first = start(input, p);
    if ("end" in first) return first.end;
    return p.loop<Carry<Data>, Output>({ state: first.goto, data: first.data }, async (carry, inner) => {
      const next = await enter(carry, inner);
      return "end" in next ? inner.done(next.end) : { state: next.goto, data: next.data };
    });
  });
}
