/**
 * The tokens of JSON over bytes: strings, numbers, words, white space, and the limits that are counted on the way.
 *
 * Boundary: a {@link Scan} moves forward, or the body is refused. What the tokens build is json.ts.
 * Source: RFC 8259; the limits of protocol §8.
 */
import { SlctError } from "../src/errors.js";
import type { ErrorCode } from "../src/errors.js";

export interface Scan {
  readonly bytes: Buffer;
  readonly depthMax: number;
  readonly valuesMax: number;
  at: number;
  values: number;
  /** The last string had an escape: its text is not its bytes. */
  escaped: boolean;
  /** White space met since the opaque value began: start, end, start, end… */
  gaps: number[];
}

/** The key and its colon; leaves the scan at the value. */
export function readKey(scan: Scan): string {
  if (byteAt(scan) !== 0x22) fail(scan, "expected a key");
  const key = readString(scan);
  skipSpace(scan);
  if (byteAt(scan) !== 0x3a) fail(scan, "expected ':'");
  scan.at += 1;
  skipSpace(scan);
  return key;
}

/** After an item: true behind the closing bracket, false at the next item. */
export function endsAfterItem(scan: Scan, closing: number): boolean {
  skipSpace(scan);
  const next = byteAt(scan);
  if (next !== closing && next !== 0x2c) fail(scan, "expected ',' or the end of the list");
  scan.at += 1;
  if (next === closing) return true;
  skipSpace(scan);
  return false;
}

export function readString(scan: Scan): string {
  const start = scan.at;
  skipString(scan);
  if (scan.escaped) return JSON.parse(scan.bytes.toString("utf8", start, scan.at)) as string;
  return scan.bytes.toString("utf8", start + 1, scan.at - 1);
}

export function skipString(scan: Scan): void {
  const { bytes } = scan;
  const end = bytes.length;
  scan.escaped = false;
  let at = scan.at + 1;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === 0x22) return void (scan.at = at + 1);
    if (byte === 0x5c) {
      scan.escaped = true;
      scan.at = at + 1;
      at += escapeLength(scan);
    } else if (byte < 0x20) {
      scan.at = at;
      fail(scan, "control character in a string");
    } else at += 1;
  }
  scan.at = end;
  fail(scan, "the string does not end");
}

/** Bytes of the escape whose second character is at the scan: 2 or 6. */
function escapeLength(scan: Scan): number {
  switch (byteAt(scan)) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return 2;
    case 0x75:
      if (/^[0-9a-fA-F]{4}$/.test(scan.bytes.toString("latin1", scan.at + 1, Math.min(scan.at + 5, scan.bytes.length))))
        return 6;
  }
  return fail(scan, "unknown escape");
}

export function skipNumber(scan: Scan, first: number): void {
  const start = scan.at;
  if (first === 0x2d) scan.at += 1;
  if (byteAt(scan) === 0x30) scan.at += 1;
  else skipDigits(scan);
  const digits = scan.at - start;
  const integer = byteAt(scan) !== 0x2e && (byteAt(scan) | 0x20) !== 0x65;
  if (byteAt(scan) === 0x2e) {
    scan.at += 1;
    skipDigits(scan);
  }
  const exponent = (byteAt(scan) | 0x20) === 0x65;
  if (exponent) {
    scan.at += 1;
    if (byteAt(scan) === 0x2b || byteAt(scan) === 0x2d) scan.at += 1;
    skipDigits(scan);
  }
  // Fifteen digits always fit, and three hundred without an exponent never overflow.
  if (integer ? digits <= 15 : !exponent && digits < 300) return;
  const value = Number(scan.bytes.toString("latin1", start, scan.at));
  if (integer ? !Number.isSafeInteger(value) : !Number.isFinite(value)) {
    fail(scan, `a number that a double cannot hold${integer ? " exactly" : ""}`, "unsafe_number");
  }
}

function skipDigits(scan: Scan): void {
  const start = scan.at;
  for (let byte = byteAt(scan); byte >= 0x30 && byte <= 0x39; byte = byteAt(scan)) scan.at += 1;
  if (scan.at === start) fail(scan, "unexpected character");
}

export function skipWord(scan: Scan, word: "true" | "false" | "null"): void {
  for (let i = 0; i < word.length; i += 1) {
    if (byteAt(scan) !== word.charCodeAt(i)) fail(scan, "unexpected character");
    scan.at += 1;
  }
}

export function skipSpace(scan: Scan): void {
  const start = scan.at;
  for (let byte = byteAt(scan); byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = byteAt(scan)) {
    scan.at += 1;
  }
  if (scan.at > start) scan.gaps.push(start, scan.at);
}

/** 0 behind the end: no token begins with it, and as a byte it is refused wherever it stands. */
export function byteAt(scan: Scan): number {
  return scan.at < scan.bytes.length ? (scan.bytes[scan.at] as number) : 0;
}

export function countValue(scan: Scan): void {
  scan.values += 1;
  if (scan.values > scan.valuesMax) fail(scan, `more than ${scan.valuesMax} values`, "too_many");
}

export function checkDepth(scan: Scan, depth: number): void {
  if (depth > scan.depthMax) throw new SlctError("too_deep", `The body is nested deeper than ${scan.depthMax}.`);
}

export function fail(scan: Scan, why: string, code: ErrorCode = "bad_json"): never {
  const where = scan.at >= scan.bytes.length ? "at its end" : `at byte ${scan.at}`;
  throw new SlctError(code, `The body is not acceptable ${where}: ${why}.`);
}
