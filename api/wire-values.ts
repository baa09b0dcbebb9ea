/**
 * Single values of the wire: names, points in time, durations.
 *
 * Times become whole milliseconds; what lies between two of them counts as the later one, because a timer never fires
 * early. `where` names the value in the error text.
 * Source: protocol §1 (Case), §8 (names).
 */
import { SlctError } from "../src/errors.js";

export const chanBytesMax = 256;
/** The last instant of ECMAScript and RFC 3339 tools: the year 275760. */
const deadlineMsMax = 8.64e15;
/** A thousand years: far above any use, far below where log time and deadlines would overflow. */
const afterMsMax = 1000 * 365.25 * 86_400_000;

const reservedIds: ReadonlySet<string> = new Set(["poll", ".", ".."]);
const controls = /[\u0000-\u001f\u007f-\u009f]/;
const loneSurrogate = /\p{Surrogate}/u;

export function refuse(message: string): never {
  throw new SlctError("bad_request", message);
}

// ---------------------------------------------------------------------------------------------------------- names

/** @throws SlctError `bad_id` */
export function stateId(text: string, bytesMax: number): string {
  const problem = nameProblem(text, bytesMax);
  if (problem !== undefined) throw new SlctError("bad_id", `The state ID ${problem}.`);
  if (reservedIds.has(text)) throw new SlctError("bad_id", `"${text}" is not a valid state ID.`);
  return text;
}

/** The channel of a path. @throws SlctError `bad_id` */
export function pathChan(text: string): string {
  const problem = nameProblem(text, chanBytesMax);
  if (problem !== undefined) throw new SlctError("bad_id", `The channel name ${problem}.`);
  return text;
}

/** The channel of a body. @throws SlctError `bad_request` */
export function bodyChan(value: unknown, where: string): string {
  if (typeof value !== "string") return refuse(`${where} must be the name of a channel.`);
  const problem = nameProblem(value, chanBytesMax);
  if (problem !== undefined) refuse(`${where} ${problem}.`);
  return value;
}

/** A prefix filter: may be empty. @throws SlctError `bad_request` */
export function namePrefix(text: string, where: string, bytesMax: number): string {
  if (text === "") return text;
  const problem = nameProblem(text, bytesMax);
  if (problem !== undefined) refuse(`${where} ${problem}.`);
  return text;
}

function nameProblem(text: string, bytesMax: number): string | undefined {
  if (text === "") return "is empty";
  if (loneSurrogate.test(text)) return "has a lone surrogate";
  if (controls.test(text)) return "has a control character";
  if (text.length > bytesMax || Buffer.byteLength(text) > bytesMax) return `is longer than ${bytesMax} bytes`;
  return undefined;
}

/** A text that clients choose freely (select IDs, locks, reasons): 1 to `lengthMax` characters, well-formed. */
export function plainText(text: string, where: string, lengthMax: number): string {
  if (text === "") refuse(`${where} is empty.`);
  if (text.length > lengthMax && [...text].length > lengthMax)
    refuse(`${where} is longer than ${lengthMax} characters.`);
  if (loneSurrogate.test(text)) refuse(`${where} has a lone surrogate.`);
  return text;
}

// ----------------------------------------------------------------------------------------------------------- time

/** `At`, `NotBefore`: unix milliseconds or RFC 3339. */
export function instantMs(value: unknown, where: string): number {
  if (typeof value === "string") return rfc3339Ms(value, where);
  if (!isWhole(value)) return refuse(`${where} must be whole milliseconds or an RFC 3339 time.`);
  return checkedDeadline(value, where);
}

/** `Chan` of a time case: unix seconds, decimals allowed. */
export function unixSecondsMs(value: unknown, where: string): number {
  const text = typeof value === "number" ? String(value) : value;
  const match = typeof text === "string" ? /^(\d{1,16})(?:\.(\d+))?$/.exec(text) : null;
  if (!match) return refuse(`${where} must be unix seconds, such as "1763683200" or 1763683200.25.`);
  return checkedDeadline(Number(match[1]) * 1000 + fractionMs(match[2]), where);
}

const unitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const duration = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h|d))+$/;
const durationPart = /(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d)/g;

/** `After`: milliseconds or a duration in Go's notation, with `d` for days. */
export function afterMs(value: unknown, where: string): number {
  const ms = typeof value === "string" ? durationMs(value, where) : value;
  if (typeof ms !== "number" || Object.is(ms, -0) || ms < 0) {
    return refuse(`${where} must be milliseconds or a duration such as "500ms", "30s", "1h30m", "7d".`);
  }
  if (ms > afterMsMax) refuse(`${where} is longer than a thousand years.`);
  return Math.ceil(ms);
}

function durationMs(text: string, where: string): number {
  if (text.length > 64 || !duration.test(text)) {
    return refuse(`${where} is not a duration: use numbers with units, such as "500ms", "30s", "1h30m", "7d".`);
  }
  let ms = 0;
  for (const [, count, unit] of text.matchAll(durationPart)) ms += Number(count) * (unitsMs[unit ?? ""] ?? 0);
  // Binary fractions: 0.1s + 0.2s is three hundred, not three hundred and a bit.
  return Math.ceil(Number(ms.toPrecision(15)));
}

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

function rfc3339Ms(text: string, where: string): number {
  const match = text.length <= 64 ? rfc3339.exec(text) : null;
  if (!match) return refuse(`${where} is not an RFC 3339 time.`);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  const offsetMinutes = Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0);
  // A leap second is the first instant of the next minute, as POSIX counts.
  if (!exists || hour > 23 || minute > 59 || second > 60 || Number(match[9] ?? 0) > 23 || Number(match[10] ?? 0) > 59) {
    return refuse(`${where} is not a time that exists.`);
  }
  const localMs = date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs(match[7]);
  return checkedDeadline(localMs - (match[8] === "-" ? -offsetMinutes : offsetMinutes) * 60_000, where);
}

/** Digits after the decimal point of a second, in milliseconds, rounded up. */
function fractionMs(digits: string | undefined): number {
  if (digits === undefined) return 0;
  const ms = Number(digits.slice(0, 3).padEnd(3, "0"));
  return /[1-9]/.test(digits.slice(3)) ? ms + 1 : ms;
}

function checkedDeadline(ms: number, where: string): number {
  if (ms < 0 || ms > deadlineMsMax) refuse(`${where} lies outside the years 1970 to 275760.`);
  return ms;
}

/** A safe integer that is not -0. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}
