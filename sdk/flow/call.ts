/**
 * The process of one step: does what its endpoint says, under its limits. It is cancelled when the step is.
 */
import type { Json } from "../../api/contract.js";
import { Failure } from "../client/errors.js";
import type { ProcessRef } from "../client/process-data.js";
import { activity } from "../process/activity.js";
import type { ProcessContext, StepContext } from "../process/context.js";
import { process, type ProcessDefinition } from "../process/definition.js";
import { targetOf, type Endpoint } from "./endpoint.js";
import { inputText, responseOf, type MessageData, type StepInput, type StepInputData } from "./message.js";
import { post, type HttpClient } from "./http.js";

export interface StepCall {
  readonly endpoint: Endpoint;
  readonly input: StepInputData;
}

/** One attempt by HTTP, for logs, metrics and traces. */
export interface CallReport {
  readonly flow: string;
  readonly step: string;
  readonly uri: string;
  /** From 1. */
  readonly attempt: number;
}

/** How steps call HTTP. Without it they do not. */
export interface CallOptions {
  /** For `http://` and `https://`: without it, such steps fail with `no_client`. */
  readonly fetch?: HttpClient;
  /** Called before each attempt by HTTP; what it throws fails the attempt. */
  readonly onCall?: (report: CallReport) => void;
}

/** What clients know of it. */
export const stepCall: ProcessRef<StepCall, MessageData> = { name: "flow.step", version: "1" };

export function stepProcess(options: CallOptions): ProcessDefinition<StepCall, MessageData> {
  return process(stepCall.name, { version: stepCall.version }, (p, call) => perform(p, call, options));
}

async function perform(p: ProcessContext, call: StepCall, options: CallOptions): Promise<MessageData> {
  const { endpoint, input } = call;
  const target = targetOf(endpoint.uri);
  if (target.kind === "http") {
    const { timeout, retry = {} } = endpoint;
    const run = (context: StepContext) => {
      options.onCall?.({ flow: input.flow, step: input.step, uri: endpoint.uri, attempt: context.attempt });
      return post(target.url, input, context, options.fetch);
    };
    return p.step("post", run, { retry, ...(timeout !== undefined && { timeout }) });
  }
  const decoded = JSON.parse(inputText(input)) as StepInput;
  if (target.kind === "chan") return publish(p, target.chan, endpoint, decoded);
  return responseOf(await answerOf(p, target, endpoint, decoded));
}

async function answerOf(
  p: ProcessContext,
  target: { kind: "activity"; queue: string; activity: string } | { kind: "process"; name: string; version: string },
  { timeout, heartbeat, retry = {} }: Endpoint,
  input: StepInput,
): Promise<Json> {
  if (target.kind === "activity") {
    const limits = { ...(timeout !== undefined && { timeout }), ...(heartbeat !== undefined && { heartbeat }) };
    return p.call(activity<StepInput, Json>(target.queue, target.activity, { ...limits, retry }), input);
  }
  // Bound: it is cancelled when this one ends first.
  const ref: ProcessRef<StepInput, Json> = { name: target.name, version: target.version, bound: true };
  const r = await p.select({ answer: p.call(ref, input), late: limit(p, timeout) });
  if (r.tag === "late") throw late(target.name, timeout);
  if (!r.ok) throw r.error;
  return r.value;
}

async function publish(p: ProcessContext, chan: string, { timeout }: Endpoint, input: StepInput): Promise<MessageData> {
  const sent = p.send<Json>(chan, input as unknown as Json);
  const r = await p.select({ sent, late: limit(p, timeout) });
  if (r.tag === "late") throw late(`channel ${chan}`, timeout);
  return { header: {}, body: "null" };
}

function limit(p: ProcessContext, timeout: Endpoint["timeout"]) {
  return timeout === undefined ? p.recv(null) : p.after(timeout);
}

function late(what: string, timeout: Endpoint["timeout"]): Failure {
  const details = { Kind: "step", Details: null };
  return new Failure(`${what} took longer than ${timeout}`, { code: "timeout", details });
}
