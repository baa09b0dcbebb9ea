/**
 * The query and the headers of a request, decoded strictly. Numbers out of range are clamped; what is no number is 400.
 */
import type { IncomingMessage } from "node:http";
import { plainText, refuse } from "./wire-values.js";
import type { Preconditions } from "./wire-commands.js";

/** Decoded parameters by name. Repeating one is refused: which of the two was meant? */
export type Query = ReadonlyMap<string, string>;

const none: Query = new Map();
const requestIdLengthMax = 128;
/** No state has it, nor has one that does not exist. */
const noVersion = -1;

/** @throws SlctError `bad_request` on malformed percent-encoding or a repeated parameter */
export function parseQuery(url: string): Query {
  const from = url.indexOf("?");
  if (from < 0) return none;
  const query = new Map<string, string>();
  for (const pair of url.slice(from + 1).split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (query.has(name)) refuse(`The parameter ${JSON.stringify(name)} is given twice.`);
    query.set(name, equals < 0 ? "" : decode(pair.slice(equals + 1)));
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return refuse("The query is not valid percent-encoded UTF-8.");
  }
}

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly default: number;
}

/** A number with decimals allowed, clamped. */
export function numberOf(query: Query, name: string, range: Range): number {
  const text = query.get(name);
  if (text === undefined) return range.default;
  if (!/^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) refuse(`${name} must be a number.`);
  return clamp(Number(text), range);
}

/** Decimals are dropped, then clamped: only what is no number is refused. */
export function wholeOf(query: Query, name: string, range: Range): number {
  return clamp(Math.floor(numberOf(query, name, range)), range);
}

export function clamp(value: number, { min, max }: Pick<Range, "min" | "max">): number {
  return Math.min(max, Math.max(min, value));
}

/** `true`, `false`, or absent for false. */
export function flagOf(query: Query, name: string): boolean {
  const text = query.get(name);
  if (text !== undefined && text !== "true" && text !== "false") refuse(`${name} must be true or false.`);
  return text === "true";
}

// ---------------------------------------------------------------------------------------------------------- lists

const pageItems: Range = { min: 1, max: 1000, default: 100 };

/** What a list is filtered by: an empty one filters nothing. */
export function filterOf(query: Query, name: string): string | undefined {
  return query.get(name) || undefined;
}

/** Items of a page; empty is as left out. */
export function limitOf(query: Query): number {
  return filterOf(query, "limit") === undefined ? pageItems.default : wholeOf(query, "limit", pageItems);
}

/** Opaque to clients: the name after which the next page begins. */
export function cursorText(cursor: string | undefined): string | null {
  return cursor === undefined ? null : Buffer.from(cursor).toString("base64url");
}

export function cursorOf(query: Query): string | undefined {
  const text = filterOf(query, "cursor");
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) return refuse("cursor is not one of ours.");
  return bytes.toString();
}

// -------------------------------------------------------------------------------------------------------- headers

/** @throws SlctError `bad_request` */
export function preconditionsOf(req: IncomingMessage): Preconditions {
  const requestId = textHeader(req, "request-id", requestIdLengthMax);
  const lock = textHeader(req, "slct-lock", 256);
  const ifMatch = req.headers["if-match"];
  return {
    ...(requestId !== undefined && { requestId }),
    ...(lock !== undefined && { lock }),
    ...(ifMatch !== undefined && ifMatch !== "*" && { ifVersion: versionOf(ifMatch) }),
  };
}

/** `Slct-Min-Index`: wait until this index is applied. */
export function minIndexOf(req: IncomingMessage): number {
  const text = req.headers["slct-min-index"];
  if (text === undefined) return 0;
  if (typeof text !== "string" || !/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text))) {
    return refuse("Slct-Min-Index must be a log index.");
  }
  return Number(text);
}

function textHeader(req: IncomingMessage, name: string, lengthMax: number): string | undefined {
  const value = req.headers[name];
  if (value === undefined) return undefined;
  return plainText(typeof value === "string" ? value : value.join(", "), name, lengthMax);
}

/** A list of entity tags is legal in HTTP. Tags that no state ever has, weak ones among them, match nothing. */
function versionOf(ifMatch: string): number {
  const tag = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/.source;
  if (!new RegExp(`^${tag}([ \\t]*,[ \\t]*${tag})*$`).test(ifMatch)) {
    return refuse('If-Match must be a version in quotes, such as "12".');
  }
  const versions = [...ifMatch.matchAll(/(?<!W\/)"(\d{1,15})"/g)].map(([, digits]) => Number(digits));
  if (versions.length > 1) return refuse("If-Match must name one version.");
  return versions[0] ?? noVersion;
}
