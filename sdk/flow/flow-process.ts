/**
 * The process of a flow: keeps one {@link FlowRun}, begins the processes of its steps, takes what they give and what it is told.
 *
 * One event an iteration: an end of a step, a command, the time, a cancellation.
 */
import type { Json } from "../../api/contract.js";
import type { Cases, Received } from "../client/cases.js";
import { Failure, isSlctError } from "../client/errors.js";
import { inboxChannel, processId } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import type { LoopContext, Settled } from "../process/context.js";
import { process, type ProcessDefinition } from "../process/definition.js";
import { stepCall } from "./call.js";
import { levelsOf } from "./graph.js";
import type { MessageData } from "./message.js";
import { beginSteps, beginUndo, endRun, endStep, endUndo, inputOf, obey, outcomeOf } from "./run.js";
import type { Command, FlowRun, StepRun } from "./run.js";
import type { FlowStep } from "./step.js";

export interface FlowInput {
  readonly steps: readonly FlowStep[];
  readonly request: MessageData;
  readonly timeoutMs?: number;
  readonly onFailure?: "undo" | "suspend";
}

/** A command, and the promise that takes the answer. */
export interface Told {
  readonly command: Command;
  readonly reply: string;
}

/** What the last steps have answered. */
export type FlowOutput = { readonly [step: string]: MessageData };

/** What clients know of it. */
export const flowRef: ProcessRef<FlowInput, FlowOutput> = { name: "flow", version: "1" };

type Event =
  | { readonly is: "told"; readonly told: Received<Told> }
  | { readonly is: "late" }
  | { readonly is: "cancelled"; readonly reason: Failure }
  | { readonly is: "ended" | "undone"; readonly id: string; readonly settled: Settled<MessageData> };

export const flowProcess: ProcessDefinition<FlowInput, FlowOutput> = process(
  flowRef.name,
  { version: flowRef.version },
  (p, { steps, request, timeoutMs, onFailure = "undo" }) => {
    const first: FlowRun = {
      ...{ request, status: "running", onFailure, ends: 0 },
      steps: steps.map((step): StepRun => ({ step, status: "pending", begun: 0 })),
      ...(timeoutMs !== undefined && { endAt: p.now() + timeoutMs }),
    };
    return p.loop<FlowRun, FlowOutput>(first, async (run, inner) => {
      for (const one of beginSteps(run)) begin(inner, run, one);
      const undo = beginUndo(run);
      if (undo) beginCompensation(inner, run, undo);
      const outcome = outcomeOf(run);
      if (outcome !== undefined)
        run.status = outcome instanceof Failure ? (run.ending?.status ?? "failure") : "success";
      show(inner, run);
      if (outcome instanceof Failure) throw outcome;
      if (outcome !== undefined) return inner.done(outcome);
      take(inner, run, await next(inner, run));
      return run;
    });
  },
);

/** The process of a step, of another attempt by hand, of a compensation: each has a key of its own. */
export function keyOf(key: string, { step, begun }: Pick<StepRun, "step" | "begun">, undo = false): string {
  const again = begun > 1 ? `/${begun}` : "";
  return `${key}/${step.id}${undo ? "/undo" : again}`;
}

function begin(p: LoopContext, run: FlowRun, one: StepRun): void {
  const { key, id } = p.info;
  p.spawn(stepCall, { endpoint: one.step.endpoint, input: inputOf(run, one, id) }, { id: keyOf(key, one) });
}

function beginCompensation(p: LoopContext, run: FlowRun, one: StepRun): void {
  const { compensate } = one.step;
  if (compensate === undefined) return;
  const { key, id } = p.info;
  const input = { ...inputOf(run, one, id), ...(one.response && { response: one.response }) };
  p.spawn(stepCall, { endpoint: compensate, input }, { id: keyOf(key, one, true) });
}

/** Waits for what comes first. */
async function next(p: LoopContext, run: FlowRun): Promise<Event> {
  const { key, id } = p.info;
  const cases: Record<string, Cases[string]> = {
    told: run.isDeaf ? p.recv(null) : p.recv<Told>(inboxChannel(id)),
    // Once it comes to its end, that is not cut short.
    late: run.endAt === undefined || run.ending ? p.recv(null) : p.at(run.endAt),
  };
  for (const one of run.steps) {
    const result = (undo: boolean) => p.result<MessageData>(processId(stepCall.name, keyOf(key, one, undo)));
    if (one.status === "running") cases[`ended ${one.step.id}`] = result(false);
    if (one.undo === "running") cases[`undone ${one.step.id}`] = result(true);
  }
  try {
    const { tag, ...outcome } = await p.select(cases);
    if (tag === "late") return { is: "late" };
    if (tag === "told") return { is: "told", told: outcome as unknown as Received<Told> };
    const [is, step] = tag.split(" ") as ["ended" | "undone", string];
    return { is, id: step, settled: outcome as unknown as Settled<MessageData> };
  } catch (error) {
    if (error instanceof Failure && error.code === "cancelled") return { is: "cancelled", reason: error };
    throw error;
  }
}

function take(p: LoopContext, run: FlowRun, event: Event): void {
  const wasEnding = run.ending !== undefined;
  switch (event.is) {
    case "ended":
      endStep(run, event.id, event.settled.ok ? event.settled.value : event.settled.error);
      break;
    case "undone":
      endUndo(run, event.id, event.settled.ok ? undefined : event.settled.error);
      break;
    case "told":
      answer(p, run, event.told);
      break;
    case "late":
      endRun(run, "aborted", new Failure("the flow took too long", { code: "timeout" }));
      break;
    case "cancelled": {
      const { message, details = null } = event.reason;
      endRun(run, "aborted", new Failure(message, { code: "aborted", details }));
    }
  }
  if (wasEnding || run.ending === undefined) return;
  for (const one of run.steps) if (one.status === "running") stop(p, processId(stepCall.name, keyOf(p.info.key, one)));
}

/** Whatever somebody sends: a flow does not end by it. */
function answer(p: LoopContext, run: FlowRun, received: Received<Told>): void {
  if (!received.ok) {
    run.isDeaf = true;
    return;
  }
  const { command, reply } = received.value ?? {};
  if (typeof reply !== "string") return;
  let refusal: Error | undefined;
  try {
    obey(run, command);
  } catch (error) {
    refusal = error as Error;
  }
  tolerant(() => (refusal === undefined ? p.resolve(reply, null) : p.reject(reply, refusal)));
}

function stop(p: LoopContext, id: string): void {
  tolerant(() => p.cancel(id, "the flow comes to its end"));
}

/** Somebody else may have closed it, or it is no channel. */
function tolerant(close: () => void): void {
  try {
    close();
  } catch (error) {
    if (!isSlctError(error, "closed", "bad_id")) throw error;
  }
}

/** What `GET /state/flow/…/vars` and the console show. */
function show(p: LoopContext, run: FlowRun): void {
  const vars: Record<string, Json> = {
    status: run.status,
    levels: levelsOf(run.steps.map(({ step }) => step)).map((level) => [...level]),
    steps: Object.fromEntries(run.steps.map(({ step, status }) => [step.id, status])),
    errors: Object.fromEntries(run.steps.flatMap(({ step, error }) => (error ? [[step.id, error.message]] : []))),
  };
  Object.assign(p.vars, vars);
}
