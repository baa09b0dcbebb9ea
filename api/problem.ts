/**
 * Errors as RFC 9457 documents, from one table that the compiler keeps complete. What is not a {@link SlctError} tells
 * nothing but `internal`.
 */
import { SlctError } from "../src/errors.js";
import type { ErrorCode } from "../src/errors.js";
import type { Refusal } from "../src/select/outcome.js";
import type { Result } from "../src/select/types.js";
import type { ProblemOut } from "./contract.js";
import { joinChunks } from "./json-chunks.js";
import { resultChunks } from "./wire-out.js";

export const problems = {
  bad_json: { status: 400, title: "The body is not strict JSON" },
  bad_request: { status: 400, title: "The request breaks a rule of the protocol" },
  bad_id: { status: 400, title: "Not a valid name" },
  unsafe_number: { status: 400, title: "A number would lose digits" },
  too_deep: { status: 400, title: "The body is nested too deeply" },
  too_many: { status: 400, title: "Too many items" },
  too_large: { status: 413, title: "The request is too large" },
  unsupported_media_type: { status: 415, title: "Only plain application/json is understood" },
  unauthorized: { status: 401, title: "Credentials are missing or wrong" },
  forbidden: { status: 403, title: "Not allowed" },
  not_found: { status: 404, title: "Not found" },
  lock_error: { status: 409, title: "The state is not held by this lock" },
  version_mismatch: { status: 412, title: "The state has another version" },
  callback_blocked: { status: 400, title: "This callback address may not be called" },
  already_resolved: { status: 409, title: "The select resolved before it could be cancelled" },
  result_not_processed: { status: 422, title: "A delivered result was not removed" },
  select_dropped: { status: 422, title: "An unresolved select is missing or changed" },
  exists: { status: 409, title: "It exists already" },
  closed: { status: 409, title: "The channel is closed" },
  busy: { status: 409, title: "It is in use" },
  not_ready: { status: 409, title: "Nothing was ready" },
  overloaded: { status: 503, title: "Too much work at once" },
  no_leader: { status: 503, title: "No leader can be reached" },
  timeout: { status: 504, title: "Not finished in time" },
  compacted: { status: 410, title: "Older than what is kept" },
  internal: { status: 500, title: "Internal error" },
} as const satisfies Record<ErrorCode, { readonly status: number; readonly title: string }>;

/** Detail of an error that holds a {@link Result} of the engine. */
const resultMember = "Result";

/** Seconds after which a 503 is worth another try. */
export const retryAfterSeconds = 1;

/** A request that is wrong in a way that has its own status (405, 408, 417, 431) under a general code. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly status: number;
  readonly code: ErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** @param instance path of the request, without its query */
export function toProblem(error: unknown, instance?: string): ProblemOut {
  const where = instance === undefined ? {} : { instance };
  if (error instanceof HttpRefusal) {
    const { title } = problems[error.code];
    return document(error.code, { title, status: error.status }, { detail: error.message, ...where });
  }
  if (!(error instanceof SlctError) || error.code === "internal") {
    return document("internal", problems.internal, where);
  }
  const details = Object.entries(error.details).filter(([member]) => member !== resultMember);
  return {
    ...Object.fromEntries(details),
    ...document(error.code, problems[error.code], { detail: error.message, ...where }),
  };
}

/** The document as text. A result that came with a refusal is spliced in, so that its data stays exact. */
export function problemBody(error: unknown, problem: ProblemOut): Buffer {
  const text = JSON.stringify(problem);
  const result = error instanceof SlctError ? error.details[resultMember] : undefined;
  if (result === undefined) return Buffer.from(text);
  return joinChunks([text.slice(0, -1), `,"${resultMember}":`, ...resultChunks(result as Result), "}"]);
}

function document(
  code: ErrorCode,
  { title, status }: { readonly title: string; readonly status: number },
  rest: { readonly detail?: string; readonly instance?: string },
): ProblemOut {
  return { type: `/problems/${code}`, title, status, code, ...rest };
}

/** The "no" of the engine, as the error of this boundary. */
export function refusalError(refusal: Refusal): SlctError {
  const held = refusal.code === "lock_error" ? { LockUntil: null } : {};
  const result = refusal.result === undefined ? {} : { [resultMember]: refusal.result };
  return new SlctError(refusal.code, refusal.message, { ...held, ...refusal.details, ...result });
}
