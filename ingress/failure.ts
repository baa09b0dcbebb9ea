/**
 * Errors on their way from one process of a node to another: a {@link SlctError} arrives as what it was, whatever else it
 * was arrives as an error with its stack, for the log.
 */
import { SlctError, type ErrorCode } from "../src/errors.js";

export type Failure =
  | { readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> }
  | { readonly message: string; readonly stack: string };

export function failureOf(error: unknown): Failure {
  if (error instanceof SlctError) return { code: error.code, message: error.message, details: error.details };
  if (error instanceof Error) return { message: error.message, stack: error.stack ?? "" };
  return { message: String(error), stack: "" };
}

export function toError(failure: Failure): Error {
  if ("code" in failure) return new SlctError(failure.code, failure.message, failure.details);
  const error = new Error(failure.message);
  error.stack = failure.stack;
  return error;
}
