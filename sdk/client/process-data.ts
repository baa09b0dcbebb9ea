/**
 * What stands in the `Data` of a process: the wire format that clients, workers of any version and people share.
 */
import type { CaseBody, Json, SelectBody } from "../../api/contract.js";
import type { StandardSchema } from "./channel.js";
import type { WrittenError } from "./errors.js";
import { cancelChannel } from "./names.js";

/** Version of this layout. */
export const layout = 1;

/** Selects that every process has: it begins with one and is cancelled through the other. */
export const startSelect = "start";
export const cancelSelect = "cancel";

/** What came in, in the order in which the code saw it; or what the code did, that must not be done again. */
export type JournalEntry =
  /** A select resolved: `data` of a receive, `ok` and `closed` only if not as usual. */
  | {
      readonly op: string;
      readonly is: string;
      /** Log time. */
      readonly at: number;
      readonly case: number;
      readonly data?: Json;
      readonly ok?: false;
      readonly closed?: true;
    }
  /** A step or a loop ended. */
  | { readonly op: string; readonly is: string; readonly value: Json }
  | { readonly op: string; readonly is: string; readonly error: WrittenError }
  /** Something was asked of the service along with a put-back: done, or refused. */
  | {
      readonly op: string;
      readonly is: string;
      readonly did: true | WrittenError;
      /** Of a process that was begun: which input. */
      readonly given?: string;
    };

export interface LoopFrame {
  /** Number of the iteration, from 0. */
  readonly n: number;
  readonly carry: Json;
  /** As they were when it began, if there were any. */
  readonly vars?: { readonly [name: string]: Json };
  /** The process had been cancelled before it began: that interrupts nothing of it. */
  readonly cancelled?: true;
}

/** A step between two attempts. */
export interface StepRetry {
  readonly is: string;
  /** Attempts so far. */
  readonly attempts: number;
  readonly error: WrittenError;
  /** What the last attempt said of itself. */
  readonly details?: Json;
}

export interface RunningData {
  readonly slct: typeof layout;
  readonly process: string;
  readonly version: string;
  /** 32 hex digits that nobody else knows: random numbers come from it. */
  readonly seed: string;
  readonly input: Json;
  /** Put-backs so far. */
  readonly turn: number;
  readonly journal: readonly JournalEntry[];
  /** Loops that run, by operation. */
  readonly loops?: { readonly [op: string]: LoopFrame };
  /** Steps that wait for their next attempt, by operation. */
  readonly retries?: { readonly [op: string]: StepRetry };
}

/** How a process ended; also the value of its result channel, and of every durable promise. */
export type Completion = { readonly value: Json } | { readonly error: WrittenError };

export interface DoneData {
  readonly slct: typeof layout;
  readonly process: string;
  readonly version: string;
  readonly result: Completion;
}

export type ProcessData = RunningData | DoneData;

/** What identifies a process to those who start it; {@link Input} and {@link Output} are only types. */
export interface ProcessRef<Input, Output> {
  readonly name: string;
  readonly version: string;
  /** What the process is given for an input, if it is not the input itself. */
  readonly wrap?: (input: Input) => Json;
  /** What an input from outside is checked by. */
  readonly accepts?: StandardSchema;
  /** Whoever calls it and ends first cancels it. */
  readonly bound?: true;
  /** Never there: keeps the types. */
  readonly "~types"?: { readonly input: (input: Input) => void; readonly output: Output };
}

export function newData(ref: ProcessRef<never, unknown>, seed: string, given: Json): RunningData {
  const { name, version, wrap } = ref;
  const input = wrap === undefined ? given : wrap(given as never);
  return { slct: layout, process: name, version, seed, input, turn: 0, journal: [] };
}

/** The selects of a process that has not run yet. */
export function firstSelects(id: string, startAt?: number | string): SelectBody[] {
  const begin: CaseBody = startAt === undefined ? { Op: 4 } : { Op: 3, At: startAt };
  return [
    { ID: startSelect, Cases: [begin] },
    { ID: cancelSelect, Cases: [{ Op: 1, Chan: cancelChannel(id) }] },
  ];
}

export function isProcessData(data: unknown): data is ProcessData {
  return typeof data === "object" && data !== null && "slct" in data && data.slct === layout && "process" in data;
}
