/**
 * Where a step is done: an activity, a process, a channel, an HTTP address.
 *
 * | URI | what happens |
 * |---|---|
 * | `activity://queue/name`, or `queue.name` | the activity is called |
 * | `process://name/version` | the process is called |
 * | `chan://name` | the input is sent; the step is done when somebody has received it |
 * | `http://…`, `https://…` | the input is posted; the answer is the response |
 */
import type { Duration } from "../client/duration.js";
import { Failure } from "../client/errors.js";
import { checkProcessName } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import type { Activity } from "../process/activity.js";
import type { RetryPolicy } from "../process/context.js";
import type { StepInput } from "./message.js";

/**
 * Where a step is done, with its limits: `activity://queue/name` (or `queue.name`), `process://name/version`, `chan://name`,
 * `http://…`, `https://…`.
 */
export interface Endpoint {
  readonly uri: string;
  /** Of one attempt; for `chan://` of the wait for a receiver. */
  readonly timeout?: Duration;
  /** Of an activity. */
  readonly heartbeat?: Duration;
  /** Default as for steps of processes; processes and channels are asked once. */
  readonly retry?: Omit<RetryPolicy, "never"> & { readonly never?: readonly string[] };
}

/** As authors write it: an activity brings its limits along. What is done there is given a {@link StepInput}. */
export type EndpointLike =
  string | Endpoint | Activity<StepInput<never>, unknown> | ProcessRef<StepInput<never>, unknown>;

export type Target =
  | { readonly kind: "activity"; readonly queue: string; readonly activity: string }
  | { readonly kind: "process"; readonly name: string; readonly version: string }
  | { readonly kind: "chan"; readonly chan: string }
  | { readonly kind: "http"; readonly url: string };

/** @throws Failure `bad_endpoint` */
export function endpointOf(like: EndpointLike): Endpoint {
  const endpoint = written(like);
  targetOf(endpoint.uri);
  return endpoint;
}

/** @throws Failure `bad_endpoint` */
export function targetOf(uri: string): Target {
  const [, scheme, rest = ""] = /^([a-z]+):\/\/(.+)$/.exec(uri) ?? [];
  switch (scheme) {
    case "http":
    case "https":
      if (URL.canParse(uri)) return { kind: "http", url: uri };
      break;
    case "chan":
      return { kind: "chan", chan: rest };
    case "process":
    case "activity": {
      const [, name = "", last = ""] = /^([^/]+)\/(.+)$/.exec(rest) ?? [];
      return scheme === "process" ? processTarget(uri, name, last) : activityTarget(uri, name, last);
    }
    case undefined: {
      const [, queue = "", name = ""] = /^(.+)\.([^.]+)$/.exec(uri) ?? [];
      return activityTarget(uri, queue, name);
    }
  }
  throw bad(uri);
}

function processTarget(uri: string, name: string, version: string): Target {
  checkName(uri, name);
  return { kind: "process", name, version };
}

function activityTarget(uri: string, queue: string, name: string): Target {
  checkName(uri, queue);
  return { kind: "activity", queue, activity: name };
}

function checkName(uri: string, name: string): void {
  try {
    checkProcessName(name);
  } catch (cause) {
    throw bad(uri, cause);
  }
}

function bad(uri: string, cause?: unknown): Failure {
  return new Failure(`no endpoint: ${JSON.stringify(uri)}`, { code: "bad_endpoint", cause });
}

function written(like: EndpointLike): Endpoint {
  if (typeof like === "string") return { uri: like };
  if ("uri" in like) return like;
  if ("queue" in like) {
    const { queue, activity, options } = like;
    const { timeout, heartbeat, retry: { never, ...retry } = {} } = options;
    const limits = { ...(timeout !== undefined && { timeout }), ...(heartbeat !== undefined && { heartbeat }) };
    // A function stays with the worker, which has it from the implementation.
    const codes = Array.isArray(never) && { never: never as readonly string[] };
    return { uri: `activity://${queue}/${activity}`, ...limits, retry: { ...retry, ...codes } };
  }
  const { name, version, wrap } = like;
  if (wrap !== undefined) throw bad(`${name}, whose input is made from another one`);
  return { uri: `process://${name}/${version}` };
}
