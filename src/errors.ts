/**
 * The closed list of error codes that a client can see (protocol §8) and the one error class that crosses folders.
 */

export const errorCodes = [
  "bad_json",
  "bad_request",
  "bad_id",
  "unsafe_number",
  "too_deep",
  "too_many",
  "too_large",
  "unsupported_media_type",
  "unauthorized",
  "forbidden",
  "not_found",
  "lock_error",
  "version_mismatch",
  "callback_blocked",
  "already_resolved",
  "result_not_processed",
  "select_dropped",
  "exists",
  "closed",
  "busy",
  "not_ready",
  "overloaded",
  "no_leader",
  "timeout",
  "compacted",
  "internal",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** The only error that crosses a folder boundary. Branch on `code`, never on `message`. */
export class SlctError extends Error {
  override readonly name = "SlctError";
  readonly code: ErrorCode;
  /** Extra members of the problem document, in wire spelling (`reason`, `Version`, `LockUntil`, `Selects`…). */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}
