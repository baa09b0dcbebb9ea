/**
 * Reads a request body: checks that it is strict JSON within the limits, and gives back the envelope as objects while
 * the values the user owns (`Data`, `Value`, `Vars`, `Details`) stay what they were: text.
 *
 * One pass over the bytes. Objects have no prototype, so `__proto__` is a key like any other. Why not JSON.parse:
 * docs/decisions/005-json-text.md.
 * Source: RFC 8259; the limits of protocol §8.
 */
import { isUtf8 } from "node:buffer";
import { SlctError } from "../src/errors.js";
import type { Raw } from "../src/select/types.js";
import { byteAt, checkDepth, countValue, endsAfterItem, fail, readKey, readString } from "./json-tokens.js";
import { skipNumber, skipSpace, skipString, skipWord } from "./json-tokens.js";
import type { Scan } from "./json-tokens.js";
import type { ApiLimits } from "./rules.js";

type JsonLimits = Pick<ApiLimits, "jsonDepthMax" | "jsonValuesMax">;

/** Members whose value is the user's: kept as text, wherever the envelope has them. */
const opaqueMembers: ReadonlySet<string> = new Set(["Data", "Value", "Vars", "Details"]);

/** A parsed body. Under an opaque member stands the {@link Raw} text of the value. */
export type Envelope =
  null | boolean | number | string | Raw | readonly Envelope[] | { readonly [key: string]: Envelope };

/**
 * @param bytes the whole body; the result may share its memory
 * @throws SlctError `bad_json`, `unsafe_number`, `too_deep`, `too_many`
 */
export function parseBody(bytes: Buffer, limits: JsonLimits): Envelope {
  if (!isUtf8(bytes)) throw new SlctError("bad_json", "The body is not valid UTF-8.");
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new SlctError("bad_json", "The body begins with a byte order mark.");
  }
  const scan = newScan(bytes, limits);
  skipSpace(scan);
  const value = readValue(scan, 0);
  skipSpace(scan);
  if (scan.at < bytes.length) fail(scan, "unexpected text after the value");
  return value;
}

/**
 * The JSON text of `bytes` as it would be kept of a body: checked by the same rules, white space outside strings removed.
 *
 * @throws SlctError as {@link parseBody}
 */
export function compactJson(bytes: Buffer, limits: JsonLimits): Raw {
  if (!isUtf8(bytes)) throw new SlctError("bad_json", "The text is not valid UTF-8.");
  const scan = newScan(bytes, limits);
  skipSpace(scan);
  const value = readOpaque(scan, 0);
  skipSpace(scan);
  if (scan.at < bytes.length) fail(scan, "unexpected text after the value");
  return value;
}

function newScan(bytes: Buffer, { jsonDepthMax, jsonValuesMax }: JsonLimits): Scan {
  return { bytes, depthMax: jsonDepthMax, valuesMax: jsonValuesMax, at: 0, values: 0, escaped: false, gaps: [] };
}

// ------------------------------------------------------------------------------------------------------- envelope

/** Objects without inherited members, quick to build and to read, which those of `Object.create(null)` are not. */
const Bare = function () {} as unknown as new () => Record<string, Envelope>;
Bare.prototype = Object.create(null) as object;

function readValue(scan: Scan, depth: number): Envelope {
  countValue(scan);
  const first = byteAt(scan);
  switch (first) {
    case 0x7b:
      return readObject(scan, depth + 1);
    case 0x5b:
      return readArray(scan, depth + 1);
    case 0x22:
      return readString(scan);
    case 0x74:
      return (skipWord(scan, "true"), true);
    case 0x66:
      return (skipWord(scan, "false"), false);
    case 0x6e:
      return (skipWord(scan, "null"), null);
    default: {
      const start = scan.at;
      skipNumber(scan, first);
      return Number(scan.bytes.toString("latin1", start, scan.at));
    }
  }
}

function readObject(scan: Scan, depth: number): Envelope {
  checkDepth(scan, depth);
  const object = new Bare();
  scan.at += 1;
  skipSpace(scan);
  if (byteAt(scan) === 0x7d) return ((scan.at += 1), object);
  for (;;) {
    const key = readKey(scan);
    if (key in object) fail(scan, `duplicate key ${JSON.stringify(key)}`);
    object[key] = opaqueMembers.has(key) ? readOpaque(scan, depth) : readValue(scan, depth);
    if (endsAfterItem(scan, 0x7d)) return object;
  }
}

function readArray(scan: Scan, depth: number): Envelope {
  checkDepth(scan, depth);
  const items: Envelope[] = [];
  scan.at += 1;
  skipSpace(scan);
  if (byteAt(scan) === 0x5d) return ((scan.at += 1), items);
  for (;;) {
    items.push(readValue(scan, depth));
    if (endsAfterItem(scan, 0x5d)) return items;
  }
}

// --------------------------------------------------------------------------------------------------------- opaque

function readOpaque(scan: Scan, depth: number): Raw {
  scan.gaps = [];
  const start = scan.at;
  skipValue(scan, depth);
  return scan.gaps.length === 0 ? scan.bytes.subarray(start, scan.at) : withoutGaps(scan, start);
}

function skipValue(scan: Scan, depth: number): void {
  countValue(scan);
  const first = byteAt(scan);
  switch (first) {
    case 0x7b:
      return skipObject(scan, depth + 1);
    case 0x5b:
      return skipArray(scan, depth + 1);
    case 0x22:
      return skipString(scan);
    case 0x74:
      return skipWord(scan, "true");
    case 0x66:
      return skipWord(scan, "false");
    case 0x6e:
      return skipWord(scan, "null");
    default:
      return skipNumber(scan, first);
  }
}

function skipObject(scan: Scan, depth: number): void {
  checkDepth(scan, depth);
  scan.at += 1;
  skipSpace(scan);
  if (byteAt(scan) === 0x7d) return void (scan.at += 1);
  const first = readKey(scan);
  let keys: Set<string> | undefined;
  for (;;) {
    skipValue(scan, depth);
    if (endsAfterItem(scan, 0x7d)) return;
    keys ??= new Set([first]);
    const key = readKey(scan);
    if (keys.has(key)) fail(scan, `duplicate key ${JSON.stringify(key)}`);
    keys.add(key);
  }
}

function skipArray(scan: Scan, depth: number): void {
  checkDepth(scan, depth);
  scan.at += 1;
  skipSpace(scan);
  if (byteAt(scan) === 0x5d) return void (scan.at += 1);
  for (;;) {
    skipValue(scan, depth);
    if (endsAfterItem(scan, 0x5d)) return;
  }
}

/** Long stretches are copied by the runtime, short ones byte by byte: a call costs as much as some sixty bytes. */
function withoutGaps(scan: Scan, start: number): Raw {
  const { bytes, gaps } = scan;
  const out = Buffer.allocUnsafe(scan.at - start);
  let length = 0;
  let from = start;
  for (let i = 0; i <= gaps.length; i += 2) {
    const to = gaps[i] ?? scan.at;
    if (to - from > 64) length += bytes.copy(out, length, from, to);
    else for (; from < to; from += 1) out[length++] = bytes[from] as number;
    from = gaps[i + 1] ?? to;
  }
  return out.subarray(0, length);
}
