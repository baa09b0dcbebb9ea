/**
 * Runs the code of one process against its journal, here and without effects: to see where it is, or where code and
 * journal part.
 *
 * No step runs, nothing is stored, nothing is asked of the service: what goes in is the JSON of `GET /state/{id}`.
 */
import type { Json, StateOut } from "../../api/contract.js";
import { labelOfBodies } from "../client/cases.js";
import { codecList, decode, type Codec, type Codecs } from "../client/codec.js";
import { isSlctError, SlctError, type WrittenError } from "../client/errors.js";
import { isProcessData, type Completion, type JournalEntry, type RunningData } from "../client/process-data.js";
import { Execution } from "../process/execution.js";
import { entryOf } from "../process/journal.js";
import { Registry, type Runnable } from "./registry.js";

/** How data was written, and how patient a replay is. */
export interface ReplayOptions {
  /** As the workers'. */
  readonly codec?: Codec | Codecs;
  /** How long code may await something that is no operation, ms. Default 2000. */
  readonly foreignMs?: number;
}

/** One operation that the code asked for, in the order of asking. */
export interface Traced {
  /** Where it stands: `3`, `3.2` in a thread, `4@17.1` in iteration 17 of a loop. */
  readonly op: string;
  readonly is: string;
  /** `order.ts:41` */
  readonly place: string;
  /** What it was given, as the journal has it; without it, it is open. */
  readonly entry?: JournalEntry;
  /** A step that is tried again: how often it was tried, and how that ended. */
  readonly retried?: { readonly attempts: number; readonly error: WrittenError };
}

/** Where code and journal part: what was recorded, what the code asks for instead, and the line. */
export interface Mismatch {
  readonly op: string;
  readonly recorded: string;
  /** Undefined: the code asks for nothing there. */
  readonly asked?: string;
  readonly place: string;
}

/** How far the code came on its journal. */
export interface Replayed {
  readonly trace: readonly Traced[];
  readonly vars: { readonly [name: string]: Json };
  /** What the code says about clocks, chance and the like, and what it awaits that is not durable. */
  readonly warnings: readonly string[];
  /** The code has come to its end. */
  readonly outcome?: Completion;
  /** Where code and journal part. */
  readonly mismatch?: Mismatch;
  /** Why the replay went no further: a mismatch, or code that is not durable. */
  readonly error?: SlctError;
}

/**
 * Runs the code of a process on the journal of a state, here and without effects.
 * ```ts
 * const { mismatch, trace } = await replay(order, JSON.parse(await readFile("order-17.json", "utf8")));
 * ```
 * @param process in any version: that is how new code is tried on an old journal. Of several, the one of the state's version
 * @throws SlctError `bad_request` for the state of another process, and of one that has ended: its journal is gone
 */
export async function replay(
  process: Runnable | readonly Runnable[],
  state: StateOut,
  { codec, foreignMs = 2000 }: ReplayOptions = {},
): Promise<Replayed> {
  const processes = Array.isArray(process) ? (process as readonly Runnable[]) : [process as Runnable];
  const stored = await runningData(state, codecList(codec));
  const found = choose(processes, stored);
  const asked: Pick<Traced, "op" | "is" | "place">[] = [];
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const execution = await Execution.open({
    ...{ id: state.ID, ...found, vars: state.Vars ?? {}, warn, foreignMs, guard: { mode: "warn", report: warn } },
    registered: new Map(state.Selects.map(({ ID, Cases }) => [ID, labelOfBodies(Cases)])),
    onBroken: () => undefined,
    onAsked: (op, is, place) => void asked.push({ op, is, place }),
  });
  await execution.deliver(state.Results);
  const { broken: error, outcome } = execution;
  const given = new Map(found.data.journal.map((entry) => [entry.op, entry]));
  for (const result of state.Results) {
    const is = asked.find(({ op }) => op === result.Select)?.is;
    if (is !== undefined && !given.has(result.Select)) given.set(result.Select, entryOf(result, is));
  }
  return {
    trace: asked.map((one) => traced(one, given, found.data)),
    ...{ vars: execution.vars, warnings },
    ...(outcome && { outcome }),
    ...(error && { error }),
    ...(error?.code === "journal_mismatch" && { mismatch: mismatchOf(error) }),
  };
}

async function runningData(state: StateOut, codecs: Codecs): Promise<RunningData> {
  const data = (await decode(codecs, state.Data)) as unknown;
  if (!isProcessData(data)) throw new SlctError("bad_request", `state ${state.ID} is not that of a process`);
  if ("result" in data) {
    throw new SlctError("bad_request", `process ${state.ID} has ended: its result is kept, its journal is not`);
  }
  return data;
}

function choose(processes: readonly Runnable[], data: RunningData) {
  try {
    return new Registry(processes).find(data);
  } catch (error) {
    const [last] = processes.filter(({ name }) => name === data.process).slice(-1);
    if (last === undefined || !isSlctError(error, "unknown_process")) {
      throw new SlctError("bad_request", `the state is that of a process ${data.process}`, { cause: error });
    }
    return new Registry([{ ...last, version: data.version }]).find(data);
  }
}

function traced(one: Traced, given: ReadonlyMap<string, JournalEntry>, { retries }: RunningData): Traced {
  const entry = given.get(one.op);
  const retry = retries?.[one.op];
  return {
    ...one,
    ...(entry && { entry }),
    ...(retry && { retried: { attempts: retry.attempts, error: retry.error } }),
  };
}

function mismatchOf({ details }: SlctError): Mismatch {
  const { Op, Recorded, Asked, Place } = details as { readonly [name: string]: string | undefined };
  return {
    ...{ op: Op ?? "", recorded: Recorded ?? "", place: Place ?? "" },
    ...(Asked !== undefined && { asked: Asked }),
  };
}
