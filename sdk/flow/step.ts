/**
 * Steps and flows as values: plain data that can be saved, sent and changed.
 */
import type { Json } from "../../api/contract.js";
import { Failure } from "../client/errors.js";
import { endpointOf, type Endpoint, type EndpointLike } from "./endpoint.js";
import { checkGraph, stepsMax } from "./graph.js";

/** A step as it is saved and sent: plain data. Made by {@link step}. */
export interface FlowStep {
  /** Letters, digits, `_`, `-` and `.`; at most 50. */
  readonly id: string;
  readonly endpoint: Endpoint;
  /** IDs of steps that have to be done before. */
  readonly requires: readonly string[];
  /** ID of the step that is done when this one fails; what it answers stands for what this one did not. */
  readonly fallback?: string;
  /** Undoes the step when the flow fails or is aborted. */
  readonly compensate?: Endpoint;
}

/** Where a step is done, after which others, and what happens when it fails. */
export interface FlowStepOptions {
  readonly endpoint: EndpointLike;
  readonly requires?: readonly (string | FlowStep)[];
  readonly fallback?: string | FlowStep;
  readonly compensate?: EndpointLike;
}

/** Steps that are done in the order of what they require. Made by {@link flow}. */
export interface Flow {
  readonly id: string;
  /** Text: the ID of a step that is registered for all flows. */
  readonly steps: readonly (FlowStep | string)[];
}

const idPattern = /^[A-Za-z0-9_.-]{1,50}$/;

/**
 * A step of a flow. `id`: letters, digits, `_`, `-` and `.`, at most 50.
 * ```ts
 * const hotel = step("hotel", { endpoint: bookHotel, compensate: "hotels.cancel", requires: [flight] });
 * ```
 * @throws Failure `bad_step`, `bad_endpoint`
 */
export function step(id: string, { endpoint, requires = [], fallback, compensate }: FlowStepOptions): FlowStep {
  checkId(id, "a step");
  return {
    ...{ id, endpoint: endpointOf(endpoint), requires: [...new Set(requires.map(idOf))] },
    ...(fallback !== undefined && { fallback: idOf(fallback) }),
    ...(compensate !== undefined && { compensate: endpointOf(compensate) }),
  };
}

/**
 * A flow of these steps, at most 200. `id` as that of a step.
 * ```ts
 * const trip = flow("trip", [flight, hotel, "send-mail"]);
 * ```
 * @throws Failure `bad_step`; `no_step`, `exists`, `cycle` unless the steps are a graph. What is registered is seen later.
 */
export function flow(id: string, steps: readonly (FlowStep | string)[]): Flow {
  checkId(id, "a flow");
  const known = steps.filter((one) => typeof one !== "string");
  if (known.length === steps.length) checkGraph(known);
  return { id, steps };
}

/** Steps that come from elsewhere. @throws Failure `bad_step`, `bad_endpoint` */
export function readSteps(value: unknown): readonly FlowStep[] {
  if (!Array.isArray(value)) throw bad("steps are a list");
  if (value.length > stepsMax) throw bad(`a flow has at most ${stepsMax} steps`);
  return (value as Json[]).map((one) => {
    const { id, endpoint, requires = [], fallback, compensate } = (one ?? {}) as { readonly [name: string]: Json };
    const isText = (some: unknown) => typeof some === "string";
    if (!isText(id)) throw bad("a step has an ID");
    if (!Array.isArray(requires) || !requires.every(isText)) throw bad(`what step ${id} requires are IDs`);
    if (fallback !== undefined && !isText(fallback)) throw bad(`the fallback of step ${id} is an ID`);
    return step(id, {
      ...{ endpoint: readEndpoint(id, endpoint), requires: requires },
      ...(fallback !== undefined && { fallback }),
      ...(compensate !== undefined && { compensate: readEndpoint(id, compensate) }),
    });
  });
}

/** A line about a step: `hotel (pending): activity://hotels/book, after flight, or else motel` */
export function stepText({ id, endpoint, requires, fallback }: FlowStep, status: string): string {
  const after = requires.length > 0 ? `, after ${requires.join(" and ")}` : "";
  return `${id} (${status}): ${endpoint.uri}${after}${fallback === undefined ? "" : `, or else ${fallback}`}`;
}

/** @throws Failure `bad_step` */
export function checkId(id: string, what: string): void {
  if (!idPattern.test(id)) throw bad(`no ID of ${what}: ${JSON.stringify(id)}`);
}

function idOf(one: string | FlowStep): string {
  return typeof one === "string" ? one : one.id;
}

function readEndpoint(id: string, value: Json | undefined): EndpointLike {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "uri" in value && typeof value["uri"] === "string") {
    return value as unknown as Endpoint;
  }
  throw bad(`step ${id} has no endpoint`);
}

function bad(message: string): Failure {
  return new Failure(message, { code: "bad_step" });
}
