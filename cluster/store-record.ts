/**
 * How one record stands in LevelDB, and what it adds to the hash of all records.
 *
 * LevelDB may return a wrong value or none without an error (reliability 0.2). A value therefore carries a checksum over
 * its key and itself, and the sum over all records is kept beside them (docs/decisions/003-hash-of-all-records.md).
 */
import { crc32 } from "node:zlib";
import { decode, encode } from "../src/codec.js";
import type { Index, Term } from "../raft/types.js";

/** `checksum (4 bytes, little endian) · msgpack`. */
const checksumBytes = 4;

export interface StoredRecord {
  readonly bytes: Buffer;
  /** CRC-32 of the key followed by the encoded value. */
  readonly sum: number;
}

export function encodeRecord(key: string, value: unknown): StoredRecord {
  const body = encode(value);
  const sum = crc32(body, crc32(key));
  const bytes = Buffer.allocUnsafe(checksumBytes + body.length);
  bytes.writeUInt32LE(sum);
  body.copy(bytes, checksumBytes);
  return { bytes, sum };
}

/** The checksum of a stored record; undefined if it is not what was stored under `key`. */
export function checkRecord(key: string, stored: Buffer): number | undefined {
  if (stored.length <= checksumBytes) return undefined;
  const sum = crc32(stored.subarray(checksumBytes), crc32(key));
  return stored.readUInt32LE() === sum ? sum : undefined;
}

/** The value of a record that was checked. */
export function decodeRecord(stored: Buffer): unknown {
  return decode(stored.subarray(checksumBytes));
}

/** Sum of a 64-bit mix per record: independent of the order of writes, so equal on all replicas. */
export class StateHash {
  #low: number;
  #high: number;
  #records: number;

  constructor(low = 0, high = 0, records = 0) {
    this.#low = low;
    this.#high = high;
    this.#records = records;
  }

  /** @param digits see {@link StateHash.digits} */
  static parse(digits: string, records: number): StateHash {
    return new StateHash(Number.parseInt(digits.slice(8), 16), Number.parseInt(digits.slice(0, 8), 16), records);
  }

  add(key: string, sum: number): void {
    const keySum = crc32(key);
    this.#low = (this.#low + lowOf(keySum, sum)) >>> 0;
    this.#high = (this.#high + highOf(keySum, sum)) >>> 0;
    this.#records++;
  }

  remove(key: string, sum: number): void {
    const keySum = crc32(key);
    this.#low = (this.#low - lowOf(keySum, sum)) >>> 0;
    this.#high = (this.#high - highOf(keySum, sum)) >>> 0;
    this.#records--;
  }

  copy(): StateHash {
    return new StateHash(this.#low, this.#high, this.#records);
  }

  /** Sixteen hexadecimal digits. */
  get digits(): string {
    return [this.#high, this.#low].map((lane) => lane.toString(16).padStart(8, "0")).join("");
  }

  get records(): number {
    return this.#records;
  }

  get parts(): readonly [low: number, high: number, records: number] {
    return [this.#low, this.#high, this.#records];
  }
}

/** Two lanes of one 64-bit value; in each, a different checksum under the same key gives a different number. */
function lowOf(keySum: number, sum: number): number {
  return scramble(sum ^ Math.imul(keySum, 0x9e3779b1));
}

function highOf(keySum: number, sum: number): number {
  return scramble((Math.imul(sum, 0x85ebca6b) + keySum + 0x27d4eb2f) | 0);
}

/** A bijection of 32 bits in which every bit depends on every other. */
function scramble(n: number): number {
  let h = n;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

// ------------------------------------------------------------------------------------------------ the one meta record

/** Outside of every range of the engine's keys (src/select/keys.ts). */
export const appliedKey = "\0applied";
const formatVersion = 1;

/** Written in the same batch as the records it speaks of. */
export interface AppliedMark {
  readonly index: Index;
  readonly term: Term;
  readonly hash: StateHash;
  /** Nothing was written afterwards, and the directory was closed in order. */
  readonly closed: boolean;
}

export function encodeApplied({ index, term, hash, closed }: AppliedMark): Buffer {
  return encodeRecord(appliedKey, [formatVersion, index, term, ...hash.parts, closed]).bytes;
}

/** Undefined if it is damaged. @throws when it was written by a later version */
export function decodeApplied(stored: Buffer): AppliedMark | undefined {
  if (checkRecord(appliedKey, stored) === undefined) return undefined;
  const fields = decodeRecord(stored) as [number, Index, Term, number, number, number, boolean];
  const [version, index, term, low, high, records, closed] = fields;
  if (version !== formatVersion)
    throw new Error(`the store has format ${version}, this program knows ${formatVersion}`);
  return { index, term, hash: new StateHash(low, high, records), closed };
}
