/**
 * One process in memory: its code, driven turn by turn, and what has to be stored of it.
 *
 * A process is its journal. To bring one back its code runs again and is given what is in the journal, one entry a turn,
 * in order; then it goes on with what is new. Boundary: nothing here knows the network; activation.ts stores.
 */
import type { ResultOut } from "../../api/contract.js";
import { SlctError, writeError, type WrittenError } from "../client/errors.js";
import { cancelSelect, startSelect } from "../client/process-data.js";
import type { Completion, JournalEntry, RunningData } from "../client/process-data.js";
import { composeCommit, type Commit, type Vars } from "./commit.js";
import type { AnyProcess } from "./definition.js";
import { Driver } from "./driver.js";
import type { DueStep, StepResult } from "./due-step.js";
import { here, placeOf, type Guard } from "./guard.js";
import { entryOf, newScope } from "./journal.js";
import { chanceOf, idempotencyKey, makeContext } from "./make-context.js";
import { mismatch, unasked } from "./mismatch.js";
import { Operations } from "./operations.js";
import { Program } from "./program.js";
import { readRetrySelect, Records, type Effect } from "./records.js";
import { delayMs, mayRetry } from "./retry.js";

export interface ExecutionOptions {
  readonly id: string;
  readonly process: AnyProcess;
  readonly data: RunningData;
  readonly vars: Vars;
  /** Selects at the service, by ID, with their labels: those that have a result too, until it is delivered. */
  readonly registered: ReadonlyMap<string, string>;
  readonly guard: Guard | undefined;
  readonly warn: (message: string) => void;
  readonly foreignMs: number;
  readonly onBroken: (error: SlctError) => void;
  /** Is told of every operation that the code asks for, with the line. */
  readonly onAsked?: (op: string, label: string, place: string) => void;
  /** From a run that could not be stored: effects that were refused, steps that have ended. By operation. */
  readonly refused?: ReadonlyMap<string, WrittenError>;
  readonly ended?: ReadonlyMap<string, JournalEntry>;
}

export class Execution {
  readonly #options: ExecutionOptions;
  readonly #records: Records;
  readonly #operations: Operations;
  readonly #driver: Driver;
  readonly #program: Program;
  #broken: SlctError | undefined;
  #nowMs = 0;
  #turns: number;
  /** Since it was stored last. */
  #results: ResultOut[] = [];
  #ended = new Map<string, JournalEntry>();
  #stored: Pick<ExecutionOptions, "data" | "registered" | "vars">;
  /** Of the hand-out that is worked on. */
  attempt = 1;

  private constructor(options: ExecutionOptions) {
    const { id, data, registered, vars, guard, warn, foreignMs, refused = new Map() } = options;
    this.#options = options;
    this.#turns = data.turn;
    this.#stored = { data, registered, vars };
    const onBroken = (error: SlctError) => this.#break(error);
    this.#program = new Program(
      () => this.#broken !== undefined,
      () => this.#driver.stir(),
    );
    this.#records = new Records(data, registered);
    this.#driver = new Driver({
      ...{ id, guard, warn, foreignMs, onBroken },
      afterTurn: () => this.#program.checkOffers((message) => warn(`process ${id}: ${message}`)),
      isAdrift: () => this.#program.isLaunched && !this.isOver && this.#operations.open.size === 0,
    });
    this.#operations = new Operations({
      ...{ records: this.#records, program: this.#program, refused },
      ask: (label) => this.#ask(label),
      onAsked: (op, label) => options.onAsked?.(op, label, placeOf(here().stack)),
      mismatch: (...sides) => this.#break(mismatch(id, ...sides)),
    });
  }

  /** Runs the code up to where its journal ends. */
  static async open(options: ExecutionOptions): Promise<Execution> {
    const execution = new Execution(options);
    for (const entry of options.data.journal) {
      if (execution.isOver) return execution;
      if (!("did" in entry)) await execution.#give(entry);
    }
    execution.#checkRegistered();
    return execution;
  }

  /** Something that no other attempt of this code mends: nothing of it must be stored. */
  get broken(): SlctError | undefined {
    return this.#broken;
  }

  get outcome(): Completion | undefined {
    return this.#program.outcome;
  }

  get isOver(): boolean {
    return this.#broken !== undefined || this.#program.outcome !== undefined;
  }

  /** Put-backs so far: tells whether a state that is handed out is the one that this has come to. */
  get turns(): number {
    return this.#turns;
  }

  get vars(): Vars {
    return this.#program.vars;
  }

  /** Aborts when the process is cancelled. */
  get signal(): AbortSignal {
    return this.#program.signal;
  }

  idempotencyKey(op: string): string {
    return idempotencyKey(this.#options.data.seed, op);
  }

  /** Gives the code what has come in. Results that it has had are passed over. */
  async deliver(results: readonly ResultOut[]): Promise<void> {
    this.#results.push(...results);
    // A cancellation comes last: what was received before it is known has to reach the code.
    const cancellations = results.filter(({ Select }) => Select === cancelSelect);
    for (const result of [...results.filter(({ Select }) => Select !== cancelSelect), ...cancellations]) {
      if (this.isOver) this.#records.registered.delete(result.Select);
      else await this.#deliverOne(result);
    }
  }

  /** Steps that may begin, once everything before them is stored. They count as running from here on. */
  takeDue(): readonly DueStep[] {
    const due = this.#operations.steps().filter(({ state }) => state === "due");
    for (const step of due) step.state = "running";
    return due.map((step) => {
      const { attempts = 0, details } = this.#records.retries.get(step.op) ?? {};
      return { step, attempt: attempts + 1, known: this.#options.ended?.get(step.op), lastDetails: details };
    });
  }

  get hasDue(): boolean {
    return !this.isOver && this.#operations.steps().some(({ state }) => state === "due");
  }

  get hasRunning(): boolean {
    return !this.isOver && this.#operations.steps().some(({ state }) => state === "running");
  }

  async endStep(op: string, result: StepResult): Promise<void> {
    const step = this.#operations.steps().find((one) => one.op === op);
    if (step === undefined || this.isOver) return;
    const attempts = (this.#records.retries.get(op)?.attempts ?? 0) + 1;
    const { retry } = step.options;
    if ("value" in result) {
      await this.#endWith({ op, is: step.label, value: result.value });
    } else if (step.cancelled || !mayRetry(result.thrown, attempts, retry)) {
      await this.#endWith({ op, is: step.label, error: writeError(result.thrown) });
    } else {
      step.state = "sleeping";
      const { thrown, details, next } = result;
      const failed = { is: step.label, attempts, error: writeError(thrown), ...(details !== undefined && { details }) };
      const chance = chanceOf(this.#options.data.seed, op, attempts);
      this.#records.retry(op, failed, next ?? { After: delayMs(attempts, chance, retry) });
    }
  }

  /** Something happened that has to be stored before a step begins, or while one runs. */
  get mustStore(): boolean {
    return this.#ended.size > 0 || this.#records.hasNews || this.#operations.newSelects().length > 0;
  }

  commit(): Commit {
    const { process, data } = this.#options;
    const parts = { records: this.#records, operations: this.#operations, program: this.#program };
    return composeCommit({ process, data, vars: this.#stored.vars, turns: this.#turns, ...parts });
  }

  /** The service has accepted it. */
  stored({ data, vars, add }: Commit): void {
    const { registered } = this.#records;
    for (const { ID } of add) registered.set(ID, this.#operations.open.get(ID)?.label ?? "time");
    this.#records.stored();
    this.#operations.interrupted.clear();
    this.#turns += 1;
    this.#results = [];
    this.#ended = new Map();
    if (!("journal" in data)) return;
    this.#stored = { data, registered: new Map(registered), vars: vars ?? this.#stored.vars };
  }

  /** It was interrupted and that is not stored: what it has received meanwhile must not be lost. */
  wasInterrupted(select: string): boolean {
    return this.#operations.interrupted.has(select);
  }

  /**
   * The service refused an effect, and with it everything. This is the same process anew from what is stored: its code
   * meets the refusal where it asked, and steps that have ended since are not run again.
   */
  async rewind(isRefused: (effect: Effect) => boolean, error: WrittenError): Promise<Execution> {
    const refused = new Map(this.#options.refused);
    // Of several the last one: if it was another, that one is refused the next time.
    const [op] = [...this.#records.effects].findLast(([, effect]) => isRefused(effect)) ?? [];
    if (op !== undefined) refused.set(op, error);
    const ended = new Map([...(this.#options.ended ?? []), ...this.#ended]);
    const again = await Execution.open({ ...this.#options, ...this.#stored, refused, ended });
    again.attempt = this.attempt;
    await again.deliver(this.#results);
    return again;
  }

  async #deliverOne(result: ResultOut): Promise<void> {
    const { Select } = result;
    const { journal, retries, registered, loops } = this.#records;
    registered.delete(Select);
    if (journal.get(Select) !== undefined) return;
    const retry = readRetrySelect(Select);
    if (retry !== undefined) {
      const step = this.#operations.steps().find(({ op }) => op === retry.op);
      if (step?.state === "sleeping" && retries.get(retry.op)?.attempts === retry.attempts) step.state = "due";
      return;
    }
    const isOwn = Select === startSelect || Select === cancelSelect;
    const is = isOwn ? Select : this.#operations.open.get(Select)?.label;
    if (is === undefined) {
      if (!journal.isPast(Select, loops)) this.#break(unasked(this.#options.id, Select, "a result", this.#driver.last));
      return;
    }
    const entry = entryOf(result, is);
    journal.push(entry);
    await this.#give(entry);
  }

  async #endWith(entry: JournalEntry): Promise<void> {
    this.#records.retries.delete(entry.op);
    this.#records.journal.push(entry);
    this.#ended.set(entry.op, entry);
    await this.#give(entry);
  }

  /** One turn for one entry of the journal, and what is known to follow. */
  async #give(entry: JournalEntry): Promise<void> {
    if ("at" in entry) this.#nowMs = Math.max(this.#nowMs, entry.at);
    if (entry.op === startSelect) await this.#driver.run(() => this.#launch());
    else if (entry.op === cancelSelect) await this.#driver.run(() => this.#cancel(entry));
    else if (this.#operations.open.has(entry.op)) await this.#driver.run(() => this.#operations.resolve(entry));
    else this.#break(unasked(this.#options.id, entry.op, entry.is, this.#driver.last));
    while (!this.isOver && this.#program.hasOrphans) await this.#driver.run(() => this.#program.failByOrphan());
  }

  #launch(): void {
    const { id, process, data } = this.#options;
    const p = makeContext(newScope("", false), {
      ...{ id, process, seed: data.seed, startedAt: this.#nowMs },
      ...{ operations: this.#operations, program: this.#program },
      ask: (label) => this.#ask(label),
      now: () => this.#nowMs,
      attempt: () => this.attempt,
    });
    this.#program.launch(() => process.run(p, structuredClone(data.input) as never));
  }

  #cancel(entry: JournalEntry): void {
    this.#operations.interrupt(this.#program.cancel(("data" in entry ? entry.data : undefined) ?? null));
  }

  #ask(label: string): void {
    if (this.#broken) throw this.#broken;
    if (this.outcome) throw new SlctError("not_durable", `${label}: the process has ended`);
    this.#driver.ask(label);
  }

  /** What the state waits for, the code must wait for. */
  #checkRegistered(): void {
    const steps = new Set(this.#operations.steps().map(({ op }) => op));
    for (const [id, label] of this.#records.registered) {
      const op = readRetrySelect(id)?.op ?? id;
      // What is in the journal and in the state was stored while the lock was kept.
      const isKnown = this.#operations.open.has(id) || steps.has(op) || this.#records.journal.get(op) !== undefined;
      if (isKnown || id === startSelect || id === cancelSelect || this.isOver) continue;
      if (!this.#records.journal.isPast(id, this.#records.loops)) {
        this.#break(unasked(this.#options.id, id, label, this.#driver.last));
      }
    }
  }

  #break(error: SlctError): SlctError {
    if (this.#broken === undefined) this.#options.onBroken(error);
    this.#broken ??= error;
    this.#driver.stir();
    return error;
  }
}
