/**
 * The journal of a process while it runs: entries in order, and by operation.
 *
 * Operations are named by where they stand: `3` is the third of the main code, `3.2` the second of the thread that the
 * third began, `4@17.1` the first of iteration 17 of the loop that is the fourth. So what belongs to an old iteration
 * can be told, and dropped.
 */
import type { Json, ResultOut } from "../../api/contract.js";
import { SlctError } from "../client/errors.js";
import type { JournalEntry } from "../client/process-data.js";

/** Where code runs: the main function, a thread, one iteration of a loop. */
export interface Scope {
  /** Empty for the main function. */
  readonly path: string;
  /** Operations so far. */
  count: number;
  /** Its loop iteration is over: what it asks for is never answered. */
  ended: boolean;
  readonly inLoop: boolean;
  /** A loop that runs in it, by operation: until it ends, only the loop's body may ask. */
  loop: string | undefined;
}

/** Select IDs have 256 characters at most, and retries add a few. */
const opLengthMax = 240;

export function newScope(path: string, inLoop: boolean): Scope {
  return { path, count: 0, ended: false, inLoop, loop: undefined };
}

/** @throws SlctError `not_durable` */
export function nextOp(scope: Scope): string {
  scope.count += 1;
  const op = scope.path === "" ? String(scope.count) : `${scope.path}.${scope.count}`;
  if (op.length <= opLengthMax) return op;
  throw new SlctError("not_durable", `threads and loops are nested too deeply: operation ${op}`);
}

export class Journal {
  #entries: JournalEntry[];
  readonly #byOp = new Map<string, JournalEntry>();

  constructor(entries: readonly JournalEntry[]) {
    this.#entries = [...entries];
    for (const entry of entries) this.#byOp.set(entry.op, entry);
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  get(op: string): JournalEntry | undefined {
    return this.#byOp.get(op);
  }

  push(entry: JournalEntry): void {
    this.#entries.push(entry);
    this.#byOp.set(entry.op, entry);
  }

  /** Forgets everything inside of these scopes. */
  drop(path: string): void {
    const inside = `${path}.`;
    this.#entries = this.#entries.filter(({ op }) => {
      if (!op.startsWith(inside)) return true;
      this.#byOp.delete(op);
      return false;
    });
  }

  /** The operation lies in an iteration, or behind a loop, that is over. */
  isPast(op: string, loops: ReadonlyMap<string, { readonly n: number }>): boolean {
    for (const { index } of op.matchAll(/@/g)) {
      const loop = op.slice(0, index);
      const n = Number.parseInt(op.slice(index + 1));
      const frame = loops.get(loop);
      if (this.#byOp.has(loop) || (frame !== undefined && n < frame.n)) return true;
    }
    return false;
  }
}

/** A result as it is written down. */
export function entryOf({ Select, Case, At, Ok, Closed, Data }: ResultOut, is: string): JournalEntry {
  return {
    ...{ op: Select, is, at: At, case: Case },
    ...(Data !== undefined && { data: Data }),
    ...(!Ok && { ok: false }),
    ...(Closed === true && { closed: true }),
  };
}

/** And as cases read it. @throws SlctError `bad_answer` */
export function resultOf(entry: JournalEntry): ResultOut {
  if (!("at" in entry)) throw new SlctError("bad_answer", `operation ${entry.op} is no select`);
  const { op, at, case: Case, data, ok = true, closed } = entry;
  return {
    ...{ Select: op, Case, Op: 1, Ok: ok, At: at, Index: 0 },
    ...(data !== undefined && { Data: data }),
    ...(closed && { Closed: true }),
  };
}

/** The value as it will be after a replay. @throws SlctError `not_durable` for what JSON cannot hold */
export function durable(value: unknown, what: string): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? null : (JSON.parse(text) as Json);
  } catch (cause) {
    throw new SlctError("not_durable", `${what} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
