/**
 * One hand-out of a process: give its code what came, run its steps, store.
 *
 * Without a step it is one put-back. A step begins only when everything that led to it is stored (a checkpoint, under the
 * same lock), and its result is stored before anything that follows from it happens outside.
 */
import type { Json, PatchBody, ResultOut, StateOut } from "../../api/contract.js";
import { labelOfBodies } from "../client/cases.js";
import { decode, encode } from "../client/codec.js";
import { isSlctError, readError, SlctError } from "../client/errors.js";
import { cancelChannel, resultChannel } from "../client/names.js";
import { firstSelects, isProcessData, type ProcessData } from "../client/process-data.js";
import type { Commit } from "../process/commit.js";
import type { DueStep } from "../process/due-step.js";
import { Execution } from "../process/execution.js";
import { bytesOf, describeSize, sizeStep } from "../process/payload.js";
import type { Effect } from "../process/records.js";
import type { Runtime } from "./runtime.js";
import { runStep, type StepEnd } from "./step.js";

/** What is put back: a PATCH without its lock. */
export type Patch = Omit<PatchBody<unknown>, "Lock" | "Hold">;

/** One state under one lock. */
export interface Holder {
  /** Stores and keeps the lock. */
  checkpoint(patch: Patch): Promise<void>;
  /** Stores and gives the lock up. Answers the state if it is handed out again at once. */
  putBack(patch: Patch): Promise<StateOut | undefined>;
  /** Aborts when the lock is lost, or its work must end. */
  readonly signal: AbortSignal;
  /** Says how far the work has got: whoever takes the state after this holder is told. */
  report(details: Json): void;
  /** Buffer of a channel that is there; undefined where nobody can be asked. */
  bufferOf(chan: string): Promise<number | undefined>;
  /**
   * Waits for results that come while steps run. Rejects when `signal` aborts.
   * @param oldest when the step began that has run longest, by the clock of the worker; undefined: none runs
   */
  news(signal: AbortSignal, oldest: () => number | undefined): Promise<readonly ResultOut[]>;
}

/** The state has to be handed out anew: something came that this hand-out does not have. */
export class Retake extends Error {
  override readonly name = "Retake";
}

/** @throws SlctError what no retry mends (`journal_mismatch`, `not_durable`, `unknown_process`), Retake, those of requests */
export async function activate(state: StateOut, holder: Holder, runtime: Runtime): Promise<StateOut | undefined> {
  const data = (await decode(runtime.codecs, state.Data)) as unknown;
  if (!isProcessData(data)) throw new SlctError("unknown_process", `state ${state.ID} is not that of a process`);
  // Results that came while it ended: nobody is there for them any more.
  if ("result" in data) return holder.putBack({ Cancel: unresolved(state).map(({ ID }) => ID) });
  return new Activation(state, holder, runtime).run(data);
}

interface Running {
  readonly end: Promise<StepEnd>;
  readonly controller: AbortController;
  readonly begunMs: number;
}

class Activation {
  readonly #state: StateOut;
  readonly #holder: Holder;
  readonly #runtime: Runtime;
  /** Steps that run, by operation, in the order in which they began. */
  readonly #steps = new Map<string, Running>();
  /** What they say of themselves. */
  readonly #reports: { [op: string]: Json } = {};
  /** Of {@link #news}. */
  #listening = new AbortController();
  readonly #lost: Promise<never>;
  #news: Promise<readonly ResultOut[]> | undefined;

  constructor(state: StateOut, holder: Holder, runtime: Runtime) {
    this.#state = state;
    this.#holder = holder;
    this.#runtime = runtime;
    this.#lost = aborted(holder.signal);
  }

  async run(data: Exclude<ProcessData, { result: unknown }>): Promise<StateOut | undefined> {
    const { ID, CreatedAt, Attempt, Results } = this.#state;
    try {
      let execution = this.#runtime.take(ID, CreatedAt, data.turn) ?? (await this.#open(data));
      execution.attempt = Attempt ?? 1;
      await this.#deliver(execution, Results);
      for (;;) {
        this.#holder.signal.throwIfAborted();
        if (execution.broken) throw execution.broken;
        const isWorking = execution.hasDue || execution.hasRunning;
        if (isWorking && !execution.mustStore) {
          await this.#work(execution);
          continue;
        }
        // What comes while it is put back is in the answer.
        if (!isWorking) this.#stopListening();
        const stored = await this.#store(execution, isWorking);
        if (stored instanceof Execution) execution = stored;
        else if (!isWorking) return this.#leave(execution, stored.next);
      }
    } finally {
      this.#stopListening();
      const over = new SlctError("lock_error", `process ${ID} is no longer run here`);
      for (const { controller } of this.#steps.values()) controller.abort(over);
    }
  }

  async #open(data: Exclude<ProcessData, { result: unknown }>): Promise<Execution> {
    const { registry, guard, warn, foreignMs } = this.#runtime;
    const { ID: id, Vars: vars = {} } = this.#state;
    const found = registry.find(data);
    const registered = new Map(this.#state.Selects.map(({ ID, Cases }) => [ID, labelOfBodies(Cases)]));
    const onBroken = (error: SlctError) => this.#runtime.isKept(id) && this.#runtime.onLate(id, error);
    return Execution.open({ id, ...found, vars, registered, guard, warn, foreignMs, onBroken });
  }

  /** Begins what is due, then waits for one thing to happen. */
  async #work(execution: Execution): Promise<void> {
    for (const due of execution.takeDue()) {
      if (due.known) await execution.endStep(due.step.op, endOf(due.known));
      else this.#steps.set(due.step.op, this.#begin(due, execution));
    }
    if (execution.mustStore || !execution.hasRunning) return;
    this.#news ??= this.#holder.news(this.#listening.signal, () => [...this.#steps.values()][0]?.begunMs);
    const ends = [...this.#steps.values()].map(({ end }) => end);
    const event = await Promise.race([...ends, this.#news, this.#lost]);
    if ("op" in event) {
      this.#steps.delete(event.op);
      await execution.endStep(event.op, event.result);
    } else {
      this.#news = undefined;
      await this.#deliver(execution, event);
    }
  }

  #stopListening(): void {
    this.#news?.catch(() => undefined);
    this.#news = undefined;
    this.#listening.abort();
    this.#listening = new AbortController();
  }

  #begin({ step, attempt, lastDetails }: DueStep, execution: Execution): Running {
    const { LastDetails: last } = this.#state;
    // Of a worker that died; else it is stored with the failure.
    const left = typeof last === "object" ? (last as { readonly [op: string]: Json } | null)?.[step.op] : undefined;
    const report = (details: Json) => {
      this.#reports[step.op] = details;
      this.#holder.report({ ...this.#reports });
    };
    const controller = new AbortController();
    const common = { attempt, execution, controller, runtime: this.#runtime };
    const end = runStep(step, { ...common, report, lastDetails: left ?? lastDetails });
    return { end, controller, begunMs: this.#runtime.clock.now() };
  }

  /** A cancellation reaches the steps that run. One that begins after it undoes something: it is not cancelled. */
  async #deliver(execution: Execution, results: readonly ResultOut[]): Promise<void> {
    const { signal } = execution;
    const wasCancelled = signal.aborted;
    await execution.deliver(await this.#decoded(results));
    if (!signal.aborted || wasCancelled) return;
    for (const { controller } of this.#steps.values()) controller.abort(signal.reason);
  }

  /** The execution to go on with if the service refused an effect; else what a put-back answered. */
  async #store(execution: Execution, hold: boolean): Promise<Execution | { next: StateOut | undefined }> {
    const commit = execution.commit();
    let patch = await this.#patch(commit);
    this.#warnOfSize(patch, commit);
    for (;;) {
      try {
        const next = hold ? await this.#holder.checkpoint(patch) : await this.#holder.putBack(patch);
        execution.stored(commit);
        return { next: next ?? undefined };
      } catch (error) {
        if (isSlctError(error, "too_large")) {
          throw tooLarge(this.#state.ID, describeSize(bytesOf(patch), commit), error);
        } else if (isSlctError(error, "already_resolved")) {
          const select = (error.details["Result"] as ResultOut).Select;
          if (execution.wasInterrupted(select)) throw new Retake(select);
          // Its scope is over, its result goes to nobody: it stays until the next hand-out brings it.
          patch = { ...patch, Cancel: (patch.Cancel ?? []).filter((one) => one !== select) };
        } else if (isSlctError(error, "closed", "exists")) {
          const chan = error.details["Chan"] as string;
          const { message, code } = error;
          const isRefused = (effect: Effect) => effectChan(effect) === chan;
          const made = patch.Make?.find(({ Chan }) => Chan === chan);
          if (code === "exists" && made && (await this.#holder.bufferOf(chan)) === made.Buffer) {
            // It is as it should be; the service refuses what somebody waits at, of whatever size.
            patch = { ...patch, Make: (patch.Make ?? []).filter((one) => one !== made) };
            continue;
          }
          if (commit.effects.some(isRefused)) return execution.rewind(isRefused, { message, code });
          // Somebody else has closed the result channel: what is in `Data` counts.
          patch = {
            ...patch,
            Close: (patch.Close ?? []).filter((one) => typeof one === "string" || one.Chan !== chan),
          };
        } else throw error;
      }
    }
  }

  #warnOfSize(patch: Patch, commit: Commit): void {
    const bytes = bytesOf(patch);
    const step = sizeStep(bytes);
    if (step === undefined) return;
    const { ID } = this.#state;
    const message = `process ${ID} puts back ${describeSize(bytes, commit)}; ${advice}`;
    this.#runtime.warn(message, `size of ${ID} beyond ${step}`);
  }

  async #patch({ data, vars, add, cancel, bound, effects }: Commit): Promise<Patch> {
    const { codecs } = this.#runtime;
    const { ID, Callback } = this.#state;
    const make = effects.flatMap((effect) => (effect.kind === "make" ? [effect.make] : []));
    const close = effects.flatMap((effect) => (effect.kind === "close" ? [effect.close] : []));
    if ("result" in data) close.push({ Chan: resultChannel(ID), Value: (await encode(codecs, data.result)) as Json });
    close.push(...bound.map((id) => ({ Chan: cancelChannel(id), Value: "who called it has ended" })));
    const spawn = [];
    for (const effect of effects) {
      if (effect.kind !== "spawn") continue;
      const { id, startAt, data: own } = effect.spawn;
      const Data = await encode(codecs, own);
      spawn.push({ ID: id, Data, Selects: firstSelects(id, startAt), ...(Callback && { Callback }) });
    }
    return {
      Data: await encode(codecs, data),
      ...(vars && { Vars: vars }),
      ...(add.length > 0 && { Add: add }),
      ...(cancel.length > 0 && { Cancel: cancel }),
      ...(make.length > 0 && { Make: make }),
      ...(close.length > 0 && { Close: close }),
      ...(spawn.length > 0 && { Spawn: spawn }),
    };
  }

  #leave(execution: Execution, next: StateOut | undefined): StateOut | undefined {
    if (execution.outcome === undefined) this.#runtime.keep(this.#state.ID, execution, this.#state.CreatedAt);
    return next;
  }

  /** Values that a codec wrote, as results of processes are. */
  async #decoded(results: readonly ResultOut[]): Promise<readonly ResultOut[]> {
    const { codecs } = this.#runtime;
    if (codecs.length === 0) return results;
    return Promise.all(
      results.map(async (result) => {
        const Data = await decode(codecs, result.Data);
        return Data === undefined ? result : { ...result, Data };
      }),
    );
  }
}

const advice =
  "the service takes 4 MiB unless it is configured otherwise: keep what is big elsewhere, and its name here";

function tooLarge(id: string, size: string, cause: SlctError): SlctError {
  const { status = 413, details } = cause;
  return new SlctError("too_large", `process ${id} cannot be put back: ${size}; ${advice}`, { status, details, cause });
}

function unresolved(state: StateOut) {
  return state.Selects.filter(({ Result }) => Result === undefined);
}

function effectChan(effect: Effect): string | undefined {
  if (effect.kind === "make") return effect.make.Chan;
  return effect.kind === "close" ? effect.close.Chan : undefined;
}

function endOf(entry: object): StepEnd["result"] {
  if ("value" in entry) return { value: entry.value as never };
  return { thrown: readError("error" in entry ? entry.error : undefined) };
}

/** Rejects with the reason. */
function aborted(signal: AbortSignal): Promise<never> {
  const rejects = new Promise<never>((_, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
  rejects.catch(() => undefined);
  return rejects;
}
