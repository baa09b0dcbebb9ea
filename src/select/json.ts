/**
 * Whether two JSON texts say the same thing.
 *
 * Libraries write numbers, escapes and the order of keys each in their own way. A value that a client read and wrote
 * again is the same value: numbers are compared as doubles, objects whatever the order of their keys.
 */

import type { Raw } from "./types.js";

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

export function isSameJson(one: Raw, other: Raw): boolean {
  return isSameText(one, other) || isSameValue(parse(one), parse(other));
}

function isSameText(one: Raw, other: Raw): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function parse(text: Raw): Json {
  return JSON.parse(new TextDecoder().decode(text)) as Json;
}

function isSameValue(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (!isList(one) && !isList(other)) return isSameObject(one, other);
  if (!isList(one) || !isList(other) || one.length !== other.length) return false;
  return one.every((item, at) => isSameValue(item, other[at]));
}

function isSameObject(one: JsonObject, other: JsonObject): boolean {
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && isSameValue(one[key], other[key]));
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
