/**
 * What the code of a process asks for, and how it is given: every operation passes here.
 *
 * Whether one is new, still open at the service or long done, the records say; that the code asks for the same as when
 * it was recorded is checked here. Code asks (select, step, effect, loop), the runtime gives (resolve, interrupt).
 */
import type { Json, SelectBody } from "../../api/contract.js";
import { readError, SlctError, writeError, type WrittenError } from "../client/errors.js";
import type { JournalEntry, LoopFrame } from "../client/process-data.js";
import type { LoopDone, StepContext, StepOptions } from "./context.js";
import { durable, newScope, nextOp, type Scope } from "./journal.js";
import type { Program } from "./program.js";
import type { Effect, Records } from "./records.js";

interface Settle {
  readonly resolve: (entry: JournalEntry) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenSelect extends Settle {
  readonly kind: "select";
  readonly label: string;
  readonly body: Omit<SelectBody<unknown>, "ID">;
}

export interface OpenStep extends Settle {
  readonly kind: "step";
  readonly op: string;
  readonly label: string;
  readonly run: (step: StepContext) => unknown;
  readonly options: StepOptions;
  state: "due" | "running" | "sleeping";
  /** It was open when the process was cancelled: no further attempt. */
  cancelled: boolean;
}

interface OpenLoop extends Settle {
  readonly kind: "loop";
  readonly label: string;
  /** It goes on where it is when the journal comes to the cancellation. */
  readonly untilCancelled?: true;
}

type Open = OpenSelect | OpenStep | OpenLoop;

export interface OperationsOptions {
  readonly records: Records;
  /** Effects that were refused when they were to be stored. */
  readonly refused: ReadonlyMap<string, WrittenError>;
  /** Called before every operation. @throws SlctError when this is not the moment to ask */
  readonly ask: (label: string) => void;
  /** Called with every operation. */
  readonly onAsked: (op: string, label: string) => void;
  readonly mismatch: (op: string, recorded: string, asked: string) => SlctError;
  /** Its vars are kept with every iteration of a loop. */
  readonly program: Pick<Program, "vars" | "restoreVars" | "releaseInside" | "signal">;
}

export class Operations {
  /** Asked for and not given. */
  readonly open = new Map<string, Open>();
  /** Interrupted since the last put-back: what they would have received must not be lost. */
  readonly interrupted = new Set<string>();
  readonly #options: OperationsOptions;
  readonly #records: Records;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#records = options.records;
  }

  // ---------------------------------------------------------------------------------------------------- code asks

  select(scope: Scope, label: string, body: Omit<SelectBody<unknown>, "ID">): Promise<JournalEntry> {
    if (scope.ended) return never();
    const op = this.#claim(scope, label);
    return this.#wait(op, (settle) => ({ kind: "select", label, body, ...settle }));
  }

  async step(scope: Scope, name: string, run: OpenStep["run"], options: StepOptions): Promise<Json> {
    if (scope.ended) return never();
    const label = `step ${name}`;
    const op = this.#claim(scope, label);
    const state = this.#records.retries.has(op) ? "sleeping" : "due";
    const step = { kind: "step", op, label, run, options, state, cancelled: false } as const;
    return outcomeOf(await this.#wait(op, (settle) => ({ ...step, ...settle })));
  }

  /**
   * @param given what it was given, in short: code that gives something else does not fit its journal
   * @throws SlctError when it was refused: that turns out at the put-back, then the code runs again up to here
   */
  effect(scope: Scope, label: string, make: (op: string) => Effect, given?: string): string {
    const op = this.#claim(scope, label);
    const { journal, effects } = this.#records;
    const known = journal.get(op);
    if (known !== undefined) {
      if (!("did" in known)) return op;
      const isOther = known.given !== undefined && given !== undefined && known.given !== given;
      if (isOther) throw this.#options.mismatch(op, `${label} (${known.given})`, `${label} (${given})`);
      if (known.did !== true) throw refusal(known.did);
      return op;
    }
    const refused = this.#options.refused.get(op);
    journal.push({ op, is: label, did: refused ?? true, ...(given !== undefined && { given }) });
    if (refused !== undefined) throw refusal(refused);
    effects.set(op, make(op));
    return op;
  }

  /** A name for something that is no operation by itself: a thread, a channel, a promise. */
  name(scope: Scope, label: string): string {
    return this.#claim(scope, label);
  }

  async loop<C, R>(scope: Scope, first: C, body: (carry: C, scope: Scope) => PromiseLike<C | LoopDone<R>>): Promise<R> {
    if (scope.ended) return never();
    const label = "loop";
    const op = this.#claim(scope, label);
    const { journal, loops } = this.#records;
    if (journal.get(op) !== undefined) {
      return outcomeOf(await this.#wait(op, (settle) => ({ kind: "loop", label, ...settle }))) as R;
    }
    const frame = loops.get(op);
    if (frame?.cancelled && !this.#options.program.signal.aborted) {
      await this.#wait(op, (settle) => ({ kind: "loop", label, untilCancelled: true, ...settle }));
    }
    if (frame === undefined) this.#keep(op, 0, first);
    else if (frame.vars) this.#options.program.restoreVars(frame.vars);
    scope.loop = op;
    for (;;) {
      const { n, carry } = loops.get(op) as LoopFrame;
      const iteration = newScope(`${op}@${n}`, true);
      let next: C | LoopDone<R>;
      try {
        next = await body(structuredClone(carry) as C, iteration);
      } catch (thrown) {
        const error = writeError(thrown);
        this.#endLoop(scope, iteration, { op, is: label, error });
        throw readError(error);
      }
      if (isLoopDone<R>(next)) {
        const value = durable(next.value, "what a loop ends with");
        this.#endLoop(scope, iteration, { op, is: label, value });
        return value as R;
      }
      this.#drop(iteration);
      this.#keep(op, n + 1, next);
    }
  }

  // ------------------------------------------------------------------------------------------------ the runtime gives

  /** To be called within a turn. */
  resolve(entry: JournalEntry): void {
    const open = this.open.get(entry.op);
    this.open.delete(entry.op);
    this.#records.registered.delete(entry.op);
    open?.resolve(entry);
  }

  /** Every select throws; steps end by themselves, as they must at a replay. To be called within a turn. */
  interrupt(error: Error): void {
    for (const [op, open] of [...this.open]) {
      if (open.kind === "step") open.cancelled = true;
      const isPast = open.kind === "loop" && open.untilCancelled === true;
      if (open.kind === "select" || isPast) this.open.delete(op);
      if (isPast) open.resolve({ op, is: open.label, value: null });
      if (open.kind !== "select") continue;
      this.#records.withdraw(op);
      this.interrupted.add(op);
      open.reject(error);
    }
  }

  steps(): OpenStep[] {
    return [...this.open.values()].filter((open) => open.kind === "step");
  }

  /** Selects that the service does not know yet. */
  newSelects(): SelectBody<unknown>[] {
    const { registered } = this.#records;
    return [...this.open].flatMap(([op, open]) =>
      open.kind === "select" && !registered.has(op) ? [{ ID: op, ...open.body }] : [],
    );
  }

  #claim(scope: Scope, label: string): string {
    const { ask, onAsked, mismatch } = this.#options;
    ask(label);
    if (scope.ended) throw new SlctError("not_durable", `${label}: its loop is in another iteration by now`);
    if (scope.loop !== undefined) {
      throw new SlctError(
        "not_durable",
        `${label} beside a loop that runs: in its body use the p it is given, beside it use p.go`,
      );
    }
    const op = nextOp(scope);
    onAsked(op, label);
    const recorded = this.#records.labelOf(op);
    if (recorded !== undefined && recorded !== label) throw mismatch(op, recorded, label);
    return op;
  }

  #wait(op: string, open: (settle: Settle) => Open): Promise<JournalEntry> {
    return new Promise((resolve, reject) => void this.open.set(op, open({ resolve, reject })));
  }

  #keep(op: string, n: number, next: unknown): void {
    const { signal } = this.#options.program;
    const vars = { ...this.#options.program.vars };
    const carry = durable(next, "the carry of a loop");
    const more = { ...(Object.keys(vars).length > 0 && { vars }), ...(signal.aborted && { cancelled: true as const }) };
    this.#records.loops.set(op, { n, carry, ...more });
  }

  /** The end of an iteration: what it asked for and was not given is withdrawn. */
  #drop(iteration: Scope): void {
    iteration.ended = true;
    const inside = `${iteration.path}.`;
    for (const op of [...this.open.keys()]) {
      if (!op.startsWith(inside)) continue;
      this.open.delete(op);
      this.#records.withdraw(op);
    }
    for (const id of this.#options.program.releaseInside(iteration.path)) this.#records.bound.add(id);
    this.#records.drop(iteration.path);
  }

  #endLoop(scope: Scope, iteration: Scope, entry: JournalEntry): void {
    this.#drop(iteration);
    this.#records.loops.delete(entry.op);
    scope.loop = undefined;
    this.#records.journal.push(entry);
  }
}

export function loopDone<R>(value: R): LoopDone<R> {
  return { done: true, value, [doneMark]: true } as LoopDone<R>;
}

function isLoopDone<R>(value: unknown): value is LoopDone<R> {
  return typeof value === "object" && value !== null && doneMark in value;
}

/** Tells the end of a loop from a carry that looks like it. */
const doneMark = Symbol("loop done");

/** @throws Failure */
function outcomeOf(entry: JournalEntry): Json {
  if ("error" in entry) throw readError(entry.error);
  return "value" in entry ? entry.value : null;
}

function refusal({ message, code }: WrittenError): SlctError {
  return new SlctError(code === "exists" ? "exists" : "closed", message);
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
