/**
 * The errors a program meets: {@link SlctError} of the service and of this SDK, {@link Failure} of the user's own code.
 *
 * Branch on `code`, never on `message`. Both survive being sent: see {@link writeError} and {@link readError}.
 */
import type { Json, ProblemOut } from "../../api/contract.js";

/** Codes of the service (docs/api/errors.md) and, behind them, those of this SDK (docs/sdk/errors-and-limits.md). */
export type SlctErrorCode =
  | ProblemOut["code"]
  /** No endpoint gave an answer before the deadline; a mutation may have been applied all the same. */
  | "unreachable"
  /** What answered is not the service. */
  | "bad_answer"
  /** A value does not fit the schema of its channel; `details.Issues`. */
  | "invalid_value"
  /** The code asks for something else than the journal of the process has. */
  | "journal_mismatch"
  /** The code of a process did something that a replay would not repeat. */
  | "not_durable"
  /** This worker has no such process, or not this version of it. */
  | "unknown_process";

/** The only error about the system: what the service refused, or what the SDK found wrong. Branch on `code`, never on `message`. */
export class SlctError extends Error {
  override readonly name = "SlctError";
  readonly code: SlctErrorCode;
  /** Of the answer, if there was one. */
  readonly status: number | undefined;
  /** Members of the problem document in wire spelling: `reason`, `Version`, `Selects`, `Result`… */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: SlctErrorCode,
    message: string,
    more: { status?: number; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.status = more.status;
    this.details = more.details ?? {};
  }
}

/** True for a {@link SlctError}, of one of `codes` if any are given. */
export function isSlctError(error: unknown, ...codes: readonly SlctErrorCode[]): error is SlctError {
  return error instanceof SlctError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * An outcome that no retry would change: thrown in a step it is not tried again, thrown by a process it is its result.
 * `code` is the user's own; `cancelled` is what a cancelled process meets, `timeout` a step that took too long.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: string;
  readonly details: Json | undefined;

  constructor(message: string, more: { code?: string; details?: Json; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = more.code ?? "failed";
    this.details = more.details;
  }
}

/** How an error stands in a journal and in the result of a process. */
export interface WrittenError {
  readonly message: string;
  readonly code?: string;
  readonly details?: Json;
}

export function writeError(error: unknown): WrittenError {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const details = error instanceof Failure ? error.details : error instanceof SlctError ? written(error) : undefined;
  return {
    message: error.message,
    ...(code !== undefined && { code }),
    ...(details !== undefined && { details }),
  };
}

function written({ details }: SlctError): Json | undefined {
  return Object.keys(details).length === 0 ? undefined : (JSON.parse(JSON.stringify(details)) as Json);
}

/** Lenient: whoever fails a promise from a shell may write less. */
export function readError(written: unknown): Failure {
  const { message, code, details } = (typeof written === "object" && written !== null ? written : {}) as {
    message?: unknown;
    code?: unknown;
    details?: Json;
  };
  return new Failure(typeof message === "string" ? message : JSON.stringify(written), {
    ...(typeof code === "string" && { code }),
    ...(details !== undefined && { details }),
  });
}
