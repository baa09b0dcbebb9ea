/**
 * Why a callback failed, in a closed set of words. They are stored with the state and shown to its owner, so they must
 * not tell what the network behind the service looks like, nor repeat what an answer said.
 */
import { SlctError } from "../src/errors.js";

export interface Failure {
  readonly error: string;
  readonly unreachable: boolean;
}

const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection closed before the answer was complete",
  EPIPE: "connection closed before the answer was complete",
  ECONNECT: "connecting took too long",
  ETIMEDOUT: "connecting took too long",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "host unreachable",
  ENOTFOUND: "host name not found",
  ENODATA: "host name not found",
  EAI_AGAIN: "host name could not be resolved",
  ETIMEOUT: "host name could not be resolved in time",
  EDEADLINE: "not answered within the deadline",
};

/** The host was reached; what it answered is of no use. */
const answerTexts: Readonly<Record<string, string>> = {
  EIDLE: "the answer stopped halfway",
  ETOOLARGE: "the answer is too large",
  EENCODING: "the answer is compressed",
  EEMPTY: "answered 200 without a state",
  ESHUTDOWN: "the node that called was stopped",
};

const errorCharsMax = 500;

export function failureText(error: unknown): Failure {
  if (error instanceof SlctError) return { error: `${error.code}: ${error.message}`, unreachable: false };
  const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
  const answered = answerTexts[code];
  if (answered !== undefined) return { error: answered, unreachable: false };
  if (code.startsWith("HPE_")) return { error: "the answer is not valid HTTP", unreachable: false };
  const text = texts[code];
  if (text !== undefined) return { error: text, unreachable: true };
  // Certificate errors have codes of OpenSSL and of Node: they say what is wrong and nothing else.
  const isPlain = /^[A-Z0-9_]{1,60}$/.test(code);
  return { error: isPlain ? `connection failed (${code})` : "connection failed", unreachable: true };
}

/** For errors that carry words of others: printable, on one line, bounded. */
export function sanitise(text: string): string {
  const line = text.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length <= errorCharsMax ? line : `${line.slice(0, errorCharsMax - 1)}…`;
}

/** `Retry-After`: seconds or a date. @returns ms from now, undefined if it is neither or in the past */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const isDate = /^[A-Z][a-z]{2}, .* GMT$/.test(value);
  const delayMs = /^[0-9]{1,9}$/.test(value) ? Number(value) * 1000 : isDate ? Date.parse(value) - nowMs : NaN;
  return delayMs > 0 ? delayMs : undefined;
}
