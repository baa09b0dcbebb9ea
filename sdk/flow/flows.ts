/**
 * Flows from outside: execute them, look at them, change them while they run; keep them under their names.
 */
import type { Json, StateOut } from "../../api/contract.js";
import type { Client } from "../client.js";
import { durationMs, type Duration } from "../client/duration.js";
import { Failure, isSlctError, SlctError } from "../client/errors.js";
import { prefixOf, processId } from "../client/names.js";
import type { ResultOptions } from "../client/processes.js";
import type { AnyProcess } from "../process/definition.js";
import { stepProcess, type CallOptions } from "./call.js";
import { commandProcess, commandRef } from "./command.js";
import { flowProcess, flowRef, type FlowInput, type FlowOutput } from "./flow-process.js";
import { beginningWith, checkGraph, noStep } from "./graph.js";
import { messageData, readMessage, type Header, type Message } from "./message.js";
import type { Command } from "./run.js";
import { registeredSteps, savedFlows } from "./saved.js";
import type { FlowStatus } from "./status.js";
import { checkId, readSteps, type Flow, type FlowStep } from "./step.js";

/** Options of one execution of a flow. */
export interface ExecuteOptions {
  /** Key of the execution: executing it again under the same key changes nothing. At most 50 characters; default a random one. */
  readonly id?: string;
  /** Goes to every step, and as headers to what is called by HTTP: a trace, a tenant. */
  readonly header?: Header;
  /** Only this step and what comes after it. */
  readonly start?: string;
  /** Of the whole flow, from its begin; then it is aborted. */
  readonly timeout?: Duration;
  /** Unix ms, a date, or RFC 3339. */
  readonly startAt?: number | string | Date;
  /** When a step fails: end and undo (default), or suspend, so that somebody may mend it. */
  readonly onFailure?: "undo" | "suspend";
  /** False: resolves when the flow has ended. */
  readonly async?: boolean;
}

/** How an execution is doing. */
export interface FlowView {
  readonly status: FlowStatus;
  readonly steps: { readonly [step: string]: FlowStatus };
  /** Steps of one level have nothing to do with each other. */
  readonly levels: readonly (readonly string[])[];
  /** Messages of steps that failed. */
  readonly errors: { readonly [step: string]: string };
}

/** The processes that do flows: `worker({ processes: flowProcesses({ fetch }), endpoints })`. */
export function flowProcesses(options: CallOptions = {}): readonly AnyProcess[] {
  const own = [flowProcess, stepProcess(options), commandProcess] as readonly unknown[] as readonly AnyProcess[];
  return [...own, ...savedFlows.processes, ...registeredSteps.processes] as readonly AnyProcess[];
}

/** Calls about flows: execute them, look at them, change them while they run, keep them under names. */
export type Flows = ReturnType<typeof executions> & ReturnType<typeof commands> & ReturnType<typeof library>;

/**
 * Flows by way of this client. A worker with {@link flowProcesses} does them.
 * ```ts
 * const id = await flows(client).execute(trip, { from: "BER" }, { id: "17" });
 * ```
 */
export function flows(client: Client): Flows {
  return { ...executions(client), ...commands(client), ...library(client) };
}

function executions(client: Client) {
  const { load, resolve } = library(client);

  async function result(id: string, options: ResultOptions = {}): Promise<{ readonly [step: string]: Message }> {
    const output = await client.result<FlowOutput>({ id, created: false }, options);
    return Object.fromEntries(Object.entries(output).map(([step, one]) => [step, readMessage(one)]));
  }

  return {
    /**
     * Begins a flow, or one that was saved under this name.
     * @returns the ID of the execution
     * @throws Failure `no_flow`, `no_step`, `exists`, `cycle`, `bad_step`; without `async` how it failed
     */
    async execute(flow: Flow | string, request: unknown = null, options: ExecuteOptions = {}): Promise<string> {
      const { id: flowId, steps: given } = typeof flow === "string" ? await load(flow) : flow;
      const { id: key = crypto.randomUUID(), header = {}, start, timeout, startAt, onFailure } = options;
      checkId(key, "an execution");
      const all = await resolve(given);
      checkGraph(all);
      const input: FlowInput = {
        ...{ steps: start === undefined ? all : beginningWith(all, start) },
        request: messageData({ header, body: request }),
        ...(timeout !== undefined && { timeoutMs: durationMs(timeout) }),
        ...(onFailure !== undefined && { onFailure }),
      };
      const begin = { id: `${flowId}/${key}`, ...(startAt !== undefined && { startAt }) };
      const { id } = await client.start(flowRef, input, begin);
      if (options.async === false) await result(id);
      return id;
    },

    /**
     * What the last steps have answered, by their IDs.
     * @throws Failure `step_failed` with the step in `details`, `aborted`, `timeout`; SlctError as `client.result`
     */
    result,

    /** How an execution is doing. @throws SlctError `not_found` */
    async status(id: string): Promise<FlowView> {
      return viewOf(await client.getState(id));
    },

    /** IDs of executions, of one flow or of all, with how they are doing. */
    async *executions(flowId?: string): AsyncGenerator<FlowView & { readonly id: string }> {
      const prefix = prefixOf(flowRef.name) + (flowId === undefined ? "" : `${flowId}/`);
      for await (const state of client.states({ prefix })) yield { id: state.ID, ...viewOf(state) };
    },
  };
}

/** Changes of a flow that runs. Each is done when it returns. @throws Failure `over` when there is nothing left to change */
function commands(client: Client) {
  const tell = async (flow: string, command: Command): Promise<void> => {
    await client.getState(flow);
    await client.result(await client.start(commandRef, { flow, command }));
  };

  return {
    /** Adds steps to an execution. @throws Failure `exists`, `no_step`, `cycle`, `bad_step` */
    appendSteps: (id: string, steps: readonly FlowStep[]) => tell(id, { do: "append", steps }),

    /** Takes steps out that have not begun. @throws Failure `required` by steps that stay, in `details.By`; `begun`, `no_step` */
    removeSteps: (id: string, ids: readonly string[]) => tell(id, { do: "remove", ids }),

    /** Nothing begins until it is resumed; what runs goes on to its end. */
    suspend: (id: string) => tell(id, { do: "suspend" }),

    /** Steps that have failed are begun again. */
    resume: (id: string) => tell(id, { do: "resume" }),

    /** By hand: `pending` for another attempt of a step that failed, `success` for an answer that came in another way. */
    setStatus: (id: string, step: string, status: "pending" | "success", response: unknown = null) =>
      tell(id, { do: "set", id: step, status, response: messageData({ body: response }) }),

    /** Stops what runs, undoes what was done. @returns false when somebody did so before */
    abort: (id: string, reason: Json = "the flow was aborted") => client.cancel(id, reason),
  };
}

/** Flows and steps that are kept at the service. */
function library(client: Client) {
  const read = async (id: string) => {
    try {
      return await client.vars(id);
    } catch (error) {
      if (isSlctError(error, "not_found")) return {};
      throw error;
    }
  };
  const savedId = (id: string) => processId(savedFlows.name, id);
  const registeredId = (id: string) => processId(registeredSteps.name, id);

  async function load(id: string): Promise<Flow> {
    const { steps } = await read(savedId(id));
    if (!Array.isArray(steps)) throw new Failure(`no flow is saved as ${id}`, { code: "no_flow" });
    return flowOf(id, steps);
  }

  async function resolve(steps: Flow["steps"]): Promise<readonly FlowStep[]> {
    return Promise.all(
      steps.map(async (one) => {
        if (typeof one !== "string") return one;
        const { step } = await read(registeredId(one));
        const [found] = step === undefined ? [] : readSteps([step]);
        if (found === undefined) throw noStep(one, " that is registered");
        return found;
      }),
    );
  }

  return {
    /** Keeps a flow under its ID, in place of an earlier one; executions stay with theirs. */
    async save({ id, steps }: Flow): Promise<void> {
      checkGraph(await resolve(steps));
      await client.result(await client.start(savedFlows.of(id).save, { steps: steps as unknown as Json[] }));
    },

    /** A flow that was saved. @throws Failure `no_flow` */
    load,

    /** All flows that are saved. */
    async list(): Promise<readonly Flow[]> {
      const flows: Flow[] = [];
      for await (const { ID, Vars } of client.states({ prefix: prefixOf(savedFlows.name) })) {
        const steps = Vars?.["steps"];
        if (Array.isArray(steps)) flows.push(flowOf(ID.slice(prefixOf(savedFlows.name).length), steps));
      }
      return flows;
    },

    /** Forgets a flow that is saved. */
    async delete(id: string): Promise<void> {
      await client.deleteState(savedId(id), { force: true });
    },

    /** Keeps a step that flows may name by its ID, in place of an earlier one. */
    async registerStep(step: FlowStep): Promise<void> {
      await client.result(await client.start(registeredSteps.of(step.id).register, step as unknown as Json));
    },

    /** Steps of a flow, those that are registered among them. @throws Failure `no_step` */
    resolve,
  };
}

function flowOf(id: string, steps: readonly Json[]): Flow {
  return { id, steps: steps.map((one) => (typeof one === "string" ? one : (readSteps([one])[0] as FlowStep))) };
}

function viewOf({ ID, Status, Vars = {} }: StateOut): FlowView {
  if (!ID.startsWith(prefixOf(flowRef.name))) throw new SlctError("not_found", `${ID} is no execution of a flow`);
  const { status = Status === "done" ? "aborted" : "pending", steps = {}, levels = [], errors = {} } = Vars;
  const shown = { steps, levels, errors } as unknown as Omit<FlowView, "status">;
  return { ...shown, status: Status === "paused" ? "suspend" : (status as FlowStatus) };
}
