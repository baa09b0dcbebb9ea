/**
 * One execution of a flow: what may begin, what follows from an end, what is left to undo.
 *
 * Pure: functions of a record that the process keeps as the carry of its loop. They change the record they are given, a
 * copy of its own in every iteration.
 */
import { Failure, writeError, type WrittenError } from "../client/errors.js";
import { checkGraph, dependants, noStep } from "./graph.js";
import { readMessage, type MessageData, type StepInputData } from "./message.js";
import type { FlowStatus } from "./status.js";
import type { FlowStep } from "./step.js";

export interface StepRun {
  step: FlowStep;
  status: FlowStatus;
  /** How often it has been begun. */
  begun: number;
  response?: MessageData;
  error?: WrittenError;
  /** Of a fallback: the step that it stands for, which has failed. */
  standsFor?: string;
  /** Of what has succeeded: the number of its end. */
  ended?: number;
  undo?: "running" | "done" | WrittenError;
}

export interface FlowRun {
  readonly request: MessageData;
  /** In the order in which they were added. */
  steps: StepRun[];
  status: FlowStatus;
  /** Nothing begins any more: what runs is stopped, what was done is undone. */
  ending?: { readonly status: "failure" | "aborted"; readonly error: WrittenError };
  /** Unix ms. */
  readonly endAt?: number;
  readonly onFailure: "undo" | "suspend";
  /** Steps that have succeeded so far. */
  ends: number;
  /** Where commands come from is closed. */
  isDeaf?: true;
}

export type Command =
  | { readonly do: "append"; readonly steps: readonly FlowStep[] }
  | { readonly do: "remove"; readonly ids: readonly string[] }
  | { readonly do: "suspend" }
  | { readonly do: "resume" }
  | { readonly do: "set"; readonly id: string; readonly status: FlowStatus; readonly response?: MessageData };

/** Steps that may begin now. They count as running from here on. */
export function beginSteps(run: FlowRun): readonly StepRun[] {
  if (run.ending || run.status !== "running") return [];
  const isFallback = (id: string) => run.steps.some(({ step }) => step.fallback === id);
  const due = run.steps.filter(
    ({ step, status, standsFor }) =>
      status === "pending" &&
      (standsFor !== undefined || !isFallback(step.id)) &&
      step.requires.every((id) => answerOf(run, id) !== undefined),
  );
  for (const one of due) {
    one.status = "running";
    one.begun += 1;
  }
  return due;
}

export function inputOf(run: FlowRun, { step, standsFor }: StepRun, flow: string): StepInputData {
  // A fallback is given what the step was given that it stands for.
  const requires = standsFor === undefined ? step.requires : originOf(run, standsFor).step.requires;
  const responses = requires.map((id) => [id, answerOf(run, id) as MessageData]);
  const error = standsFor === undefined ? undefined : find(run, standsFor).error;
  return {
    ...{ flow, step: step.id, request: run.request },
    responses: Object.fromEntries(responses) as StepInputData["responses"],
    ...(standsFor !== undefined && error && { failed: { step: standsFor, error } }),
  };
}

/** A step has ended. */
export function endStep(run: FlowRun, id: string, outcome: MessageData | Failure): void {
  const one = find(run, id);
  if (!(outcome instanceof Failure)) return succeed(run, one, outcome);
  if (run.ending) {
    one.status = "aborted";
    return;
  }
  one.status = "failure";
  one.error = writeError(outcome);
  const fallback = one.step.fallback;
  if (fallback !== undefined) find(run, fallback).standsFor = id;
  else if (run.onFailure === "suspend") run.status = "suspend";
  else {
    const details = { Step: id, Error: { ...one.error } };
    const error = new Failure(`step ${id}: ${outcome.message}`, { code: "step_failed", details });
    endRun(run, "failure", error);
  }
}

/** The flow will not succeed any more. */
export function endRun(run: FlowRun, status: "failure" | "aborted", error: Failure): void {
  if (run.ending) return;
  run.ending = { status, error: writeError(error) };
  run.status = "running";
  for (const one of run.steps) if (one.status === "pending") one.status = "aborted";
}

/** The last thing that is to be undone; when nothing runs and nothing else is being undone. It counts as begun. */
export function beginUndo(run: FlowRun): StepRun | undefined {
  if (!run.ending || run.steps.some(({ status, undo }) => status === "running" || undo === "running")) return undefined;
  const [last] = run.steps
    .filter(({ step, status, undo }) => status === "success" && step.compensate !== undefined && undo === undefined)
    .sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
  if (last) last.undo = "running";
  return last;
}

export function endUndo(run: FlowRun, id: string, error: Failure | undefined): void {
  const one = find(run, id);
  one.undo = error === undefined ? "done" : writeError(error);
  if (error === undefined) one.status = "aborted";
}

/** How it has ended, if it has. */
export function outcomeOf(run: FlowRun): { readonly [step: string]: MessageData } | Failure | undefined {
  const isBusy = run.steps.some(({ status, undo }) => status === "running" || undo === "running");
  if (isBusy || run.status === "suspend") return undefined;
  if (run.ending) return failureOf(run, run.ending.error);
  const isOver = run.steps.every((one) => answerOf(run, one.step.id) !== undefined || isUnneeded(run, one));
  if (!isOver) return undefined;
  // What nobody waits for is what the flow was for.
  const last = run.steps.filter((one) => !isUnneeded(run, one) && isLast(run, one)).map(({ step }) => step.id);
  return Object.fromEntries(last.map((id) => [id, answerOf(run, id) as MessageData]));
}

/** @throws Failure when it is refused; nothing has changed then */
export function obey(run: FlowRun, command: Command): void {
  if (run.ending) throw new Failure("the flow comes to its end", { code: "over" });
  switch (command.do) {
    case "append":
      return append(run, command.steps);
    case "remove":
      return remove(run, command.ids);
    case "suspend":
      run.status = "suspend";
      return;
    case "resume":
      run.status = "running";
      for (const one of run.steps) if (isStuck(one)) again(one);
      return;
    case "set":
      return set(run, command);
  }
  throw new Failure(`flows know no command ${String((command as { readonly do?: unknown }).do)}`, {
    code: "bad_command",
  });
}

function append(run: FlowRun, added: readonly FlowStep[]): void {
  const all = [...run.steps.map(({ step }) => step), ...added];
  checkGraph(all);
  run.steps.push(...added.map((step): StepRun => ({ step, status: "pending", begun: 0 })));
}

function remove(run: FlowRun, ids: readonly string[]): void {
  const rest = run.steps.filter(({ step }) => !ids.includes(step.id));
  const steps = rest.map(({ step }) => step);
  for (const id of ids) {
    const { status } = find(run, id);
    if (status !== "pending") {
      throw new Failure(`step ${id} has begun: it is ${status}`, { code: "begun", details: { Step: id } });
    }
    const by = [...dependants(steps, id)];
    if (by.length === 0) continue;
    const message = `step ${id} is required by ${by.join(", ")}`;
    throw new Failure(message, { code: "required", details: { Step: id, By: by } });
  }
  run.steps = rest;
}

/** By hand: another attempt, or an answer that came in another way. */
function set(run: FlowRun, { id, status, response }: Extract<Command, { readonly do: "set" }>): void {
  const one = find(run, id);
  const mayBe = one.status === "failure" || (one.status === "pending" && status === "success");
  if (!mayBe || (status !== "pending" && status !== "success")) {
    throw new Failure(`step ${id} is ${one.status} and cannot be made ${status}`, { code: "begun" });
  }
  // What is no JSON is refused.
  const { header, body } = readMessage(response ?? { header: {}, body: "null" });
  again(one);
  if (status === "success") succeed(run, one, { header, body: body.text });
}

/** Nothing stands for it. */
function isStuck({ step, status }: StepRun): boolean {
  return status === "failure" && step.fallback === undefined;
}

function again(one: StepRun): void {
  delete one.error;
  one.status = "pending";
}

function succeed(run: FlowRun, one: StepRun, response: MessageData): void {
  run.ends += 1;
  Object.assign(one, { status: "success", response, ended: run.ends });
}

/** What a step has answered, or its fallback for it. */
function answerOf(run: FlowRun, id: string): MessageData | undefined {
  const { step, status, response } = find(run, id);
  if (status === "success") return response;
  return status === "failure" && step.fallback !== undefined ? answerOf(run, step.fallback) : undefined;
}

/** A fallback whose step has not failed. */
function isUnneeded(run: FlowRun, { step, status, standsFor }: StepRun): boolean {
  return status === "pending" && standsFor === undefined && run.steps.some((one) => one.step.fallback === step.id);
}

function isLast(run: FlowRun, { step, standsFor }: StepRun): boolean {
  return standsFor === undefined && !run.steps.some((one) => one.step.requires.includes(step.id));
}

/** The step that a chain of fallbacks began with. */
function originOf(run: FlowRun, id: string): StepRun {
  const one = find(run, id);
  return one.standsFor === undefined ? one : originOf(run, one.standsFor);
}

function failureOf(run: FlowRun, error: WrittenError): Failure {
  const broken = run.steps.flatMap(({ step, undo }) =>
    typeof undo === "object" ? [`; undoing ${step.id}: ${undo.message}`] : [],
  );
  const { message, code = "failed", details } = error;
  return new Failure(message + broken.join(""), { code, ...(details !== undefined && { details }) });
}

function find(run: FlowRun, id: string): StepRun {
  const one = run.steps.find(({ step }) => step.id === id);
  if (one === undefined) throw noStep(id);
  return one;
}
