/**
 * The kinds of values an option can have: how a text becomes a value, and what to say when it does not.
 */
import { baseUrl, isPeerAddress, memberIdPattern } from "../api/addresses.js";
import type { Member } from "../cluster/types.js";

/** One option. `read` gives the value of a text, or throws an Error whose message completes "must be …". */
export interface Option<T> {
  readonly read: (text: string) => T;
  /** As one would write it; absent: the option has to be given. */
  readonly default?: string;
  /** Unit or form, for the table. */
  readonly unit: string;
  /** As a flag it may stand without a value, and then means `yes`. */
  readonly bare?: true;
  readonly about: string;
}

interface Numeric {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly about: string;
}

export function name(about: string): Option<string> {
  const read = (written: string) => {
    if (!memberIdPattern.test(written)) throw new Error("1–64 letters, digits, dots, dashes or underscores");
    return written;
  };
  return { read, unit: "name", about };
}

export function text(declared: Pick<Option<string>, "default" | "unit" | "about">): Option<string> {
  const read = (written: string) => {
    if (written === "") throw new Error("a text");
    return written;
  };
  return { ...declared, read };
}

/** `host:port`; empty: not given. */
export function address(declared: Pick<Option<string>, "about">): Option<string | undefined> {
  const read = (written: string) => {
    if (written === "") return undefined;
    const port = Number(/^[^\s/]+:(\d{1,5})$/.exec(written)?.[1] ?? NaN);
    if (!(port > 0 && port <= 65_535)) throw new Error("host:port");
    return written;
  };
  return { ...declared, read, default: "", unit: "host:port" };
}

export function integer(unit: string, declared: Numeric): Option<number> {
  const { min, max, about } = declared;
  const read = (written: string) => {
    const value = /^\d{1,15}$/.test(written) ? Number(written) : NaN;
    if (!(value >= min && value <= max)) throw new Error(`a whole number in ${min}–${max}`);
    return value;
  };
  return { read, default: String(declared.default), unit, about };
}

export function bytes(declared: Numeric): Option<number> {
  return integer("bytes", declared);
}

export function decimal(declared: Numeric): Option<number> {
  const { min, max, about } = declared;
  const read = (written: string) => {
    const value = /^\d{1,9}(\.\d{1,9})?$/.test(written) ? Number(written) : NaN;
    if (!(value >= min && value <= max)) throw new Error(`a number in ${min}–${max}`);
    return value;
  };
  return { read, default: String(declared.default), unit: "factor", about };
}

export function choice<const T extends string>(
  values: readonly T[],
  declared: { default: NoInfer<T>; about: string },
): Option<T> {
  const read = (written: string) => {
    const value = values.find((candidate) => candidate === written);
    if (value === undefined) throw new Error(`one of ${values.join(", ")}`);
    return value;
  };
  return { ...declared, read, unit: values.join(" · ") };
}

export function flag(about: string): Option<boolean> {
  const read = (written: string) => {
    if (written !== "yes" && written !== "no") throw new Error("yes or no");
    return written === "yes";
  };
  return { read, default: "no", unit: "yes · no", about, bare: true };
}

export function list<T>(declared: {
  item: (text: string) => T;
  default: string;
  unit: string;
  about: string;
}): Option<readonly T[]> {
  const { item, ...rest } = declared;
  const items = (written: string) => written.split(/[\s,]+/).filter((part) => part !== "");
  return { ...rest, read: (written) => items(written).map(item) };
}

export function member(written: string): Member {
  const [id = "", peer = "", url = ""] = written.split(/=(.+?:\d+)=/);
  const api = baseUrl(url);
  if (!memberIdPattern.test(id) || !isPeerAddress(peer) || api === undefined)
    throw new Error(`a list of id=host:port=url, not "${written}"`);
  return { id, peer, api };
}

export function secret(written: string): string {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(written)?.[1] ?? "";
  const keyBytes = Buffer.from(encoded, "base64").length;
  if (keyBytes < 24 || keyBytes > 64) throw new Error('a list of keys "whsec_" + base64 of 24–64 bytes');
  return written;
}
