/**
 * One generation of records that are applied but not yet in LevelDB: decoded, immutable, by key.
 */
import { compareKeys } from "./key-order.js";
import type { Place } from "./value-reader.js";

/** Checksum of a record that is not there. */
export const absent = -1;

/** What is on disk under a key. */
export interface Stored {
  /** Checksum of the record, or {@link absent}. */
  readonly sum: number;
  /** Where it stands, if not in LevelDB itself. */
  readonly place: Place | undefined;
}

export const nothingStored: Stored = { sum: absent, place: undefined };

export interface Slot {
  /** Undefined: deleted. */
  value: unknown;
  /** Estimated size, key included. */
  bytes: number;
  /**
   * What is on disk below this generation; the slot itself if its generation is being written just now. Undefined: not
   * known, to be read when this one is written.
   */
  base: Stored | undefined;
  /** As written; set when the generation is. */
  sum: number;
  place: Place | undefined;
}

/** What is known of a key that is not there: one for all of them. */
export const missing: Slot = Object.freeze({ value: undefined, ...nothingStored, bytes: 128, base: nothingStored });

/** Without its value, which nobody needs any more. */
export function storedOf(slot: Slot | undefined): Stored | undefined {
  if (slot === undefined || slot === missing) return slot;
  return { sum: slot.sum, place: slot.place };
}

export class Overlay {
  readonly slots = new Map<string, Slot>();
  /** Estimate of what it takes in memory and, encoded, in a batch. */
  bytes = 0;
  #sorted: string[] = [];
  /** Keys that are not in `#sorted` yet. */
  #added: string[] = [];

  /** @returns false when the key is new here: then it is to be added */
  change(key: string, value: unknown): boolean {
    const slot = this.slots.get(key);
    if (slot === undefined) return false;
    const bytes = key.length + estimateBytes(value);
    this.bytes += bytes - slot.bytes;
    slot.value = value;
    slot.bytes = bytes;
    return true;
  }

  add(key: string, value: unknown, base: Slot["base"]): void {
    const bytes = key.length + estimateBytes(value);
    this.slots.set(key, { value, bytes, base, sum: absent, place: undefined });
    this.#added.push(key);
    this.bytes += bytes;
  }

  /** In key order, deletions included, until `limit` records that are there. */
  page(gte: string, lt: string, limit: number): [string, unknown][] {
    const keys = this.#order();
    const page: [string, unknown][] = [];
    let live = 0;
    for (let at = lowerBound(keys, gte); at < keys.length && live < limit; at++) {
      const key = keys[at] ?? "";
      if (compareKeys(key, lt) >= 0) break;
      const value = this.slots.get(key)?.value;
      if (value !== undefined) live++;
      page.push([key, value]);
    }
    return page;
  }

  #order(): readonly string[] {
    if (this.#added.length > 0) {
      this.#sorted = merge(this.#sorted, this.#added.sort(compareKeys));
      this.#added = [];
    }
    return this.#sorted;
  }
}

function merge(a: readonly string[], b: readonly string[]): string[] {
  const merged: string[] = [];
  let at = 0;
  for (const key of b) {
    const until = lowerBound(a, key, at);
    for (; at < until; at++) merged.push(a[at] ?? "");
    merged.push(key);
  }
  for (; at < a.length; at++) merged.push(a[at] ?? "");
  return merged;
}

function lowerBound(keys: readonly string[], wanted: string, from = 0): number {
  let low = from;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keys[middle] ?? "", wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Members looked at before the rest of a value is guessed from them. */
const sampleMax = 64;
const slotBytes = 96;
let sampleLeft = 0;

/** Rough, cheap, and proportional: a bound on memory needs no more. */
export function estimateBytes(value: unknown): number {
  sampleLeft = sampleMax;
  return slotBytes + sizeOf(value);
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return 16 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return 64 + value.length;
  let bytes = 0;
  let seen = 0;
  let all = 0;
  // Arrays too: quicker than a list of the members of each object.
  for (const key in value) {
    all++;
    if (sampleLeft <= 0) continue;
    sampleLeft--;
    seen++;
    bytes += 8 + sizeOf((value as Record<string, unknown>)[key]);
  }
  return 32 + (seen === all ? bytes : (bytes / Math.max(seen, 1)) * all);
}
