/**
 * How one record stands in LevelDB, and what it adds to the hash of all records.
 *
 * LevelDB may return a wrong value or none without an error (reliability 0.2). A value therefore carries a checksum over
 * its key and itself, and the sum over all records is kept beside them (docs/decisions/003-hash-of-all-records.md).
 */
import { crc32 } from "node:zlib";
import { decode, encode } from "../src/codec.js";
import { invariant } from "../src/invariant.js";
import type { Index, Term } from "../raft/types.js";
import type { Account } from "./value-files.js";
import type { Place } from "./value-reader.js";

/** `checksum (4 bytes, little endian) · msgpack`. */
const checksumBytes = 4;

/** How msgpack says that bytes follow, and that their length does in so many bits. */
const bin16 = 0xc5;
const bin32 = 0xc6;
/** A record of so many bytes stands in a file of values; LevelDB holds where. */
export const largeBytes = 1024;
/** No msgpack value begins so: `checksum · mark · checksum of the record · file · offset · length`, 4 bytes but the mark. */
const pointerMark = 0xc1;
const pointerBytes = 21;

/** What LevelDB holds for a large record. */
export interface Pointer {
  readonly place: Place;
  /** Of the record. */
  readonly sum: number;
}

export interface StoredRecord {
  readonly bytes: Buffer;
  /** CRC-32 of the key followed by the encoded value. */
  readonly sum: number;
}

export function encodeRecord(key: string, value: unknown, keySum = crc32(key)): StoredRecord {
  const bytes = encode(value, checksumBytes);
  const sum = crc32(bytes.subarray(checksumBytes), keySum);
  bytes.writeUInt32LE(sum);
  return { bytes, sum };
}

/**
 * What stands before a large value of bytes so that both are its record: what {@link encodeRecord} gives, without a copy of
 * the value, which would cost more than all the rest of writing it.
 */
export function encodeBytesHead(key: string, value: Uint8Array, keySum = crc32(key)): StoredRecord {
  invariant(value.length >= largeBytes, "small values are copied");
  const isShort = value.length < 2 ** 16;
  const bytes = Buffer.allocUnsafe(checksumBytes + (isShort ? 3 : 5));
  bytes[checksumBytes] = isShort ? bin16 : bin32;
  if (isShort) bytes.writeUInt16BE(value.length, checksumBytes + 1);
  else bytes.writeUInt32BE(value.length, checksumBytes + 1);
  const sum = crc32(value, crc32(bytes.subarray(checksumBytes), keySum));
  bytes.writeUInt32LE(sum);
  return { bytes, sum };
}

/** The checksum of a stored record; undefined if it is not what was stored under `key`. */
export function checkRecord(key: string, stored: Buffer): number | undefined {
  if (stored.length <= checksumBytes) return undefined;
  const sum = crc32(stored.subarray(checksumBytes), crc32(key));
  return stored.readUInt32LE() === sum ? sum : undefined;
}

/** Has a checksum of its own, as a record has. */
export function encodePointer(key: string, { place: { file, offset, length }, sum }: Pointer): Buffer {
  const bytes = Buffer.allocUnsafe(pointerBytes);
  bytes[checksumBytes] = pointerMark;
  bytes.writeUInt32LE(sum, 5);
  bytes.writeUInt32LE(file, 9);
  bytes.writeUInt32LE(offset, 13);
  bytes.writeUInt32LE(length, 17);
  bytes.writeUInt32LE(crc32(bytes.subarray(checksumBytes), crc32(key)));
  return bytes;
}

/** @param held by LevelDB, checked. Undefined: it is the record itself */
export function decodePointer(held: Buffer): Pointer | undefined {
  if (held.length !== pointerBytes || held[checksumBytes] !== pointerMark) return undefined;
  const place = { file: held.readUInt32LE(9), offset: held.readUInt32LE(13), length: held.readUInt32LE(17) };
  return { place, sum: held.readUInt32LE(5) };
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

  add(key: string, sum: number, keySum = crc32(key)): void {
    this.#low = (this.#low + lowOf(keySum, sum)) >>> 0;
    this.#high = (this.#high + highOf(keySum, sum)) >>> 0;
    this.#records++;
  }

  remove(key: string, sum: number, keySum = crc32(key)): void {
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
const formatVersion = 2;
/** Has no files of values. Its records stay where they are until they change. */
const formatBefore = 1;

/** Written in the same batch as the records it speaks of. */
export interface AppliedMark {
  readonly index: Index;
  readonly term: Term;
  readonly hash: StateHash;
  /** Files of values that its pointers lead to. */
  readonly values: readonly Account[];
  /** Nothing was written afterwards, and the directory was closed in order. */
  readonly closed: boolean;
}

export function encodeApplied({ index, term, hash, values, closed }: AppliedMark): Buffer {
  const accounts = values.map(({ file, bytes, dead }) => [file, bytes, dead]);
  return encodeRecord(appliedKey, [formatVersion, index, term, ...hash.parts, closed, accounts]).bytes;
}

/** Undefined if it is damaged. @throws when it was written by a later version */
export function decodeApplied(stored: Buffer): AppliedMark | undefined {
  if (checkRecord(appliedKey, stored) === undefined) return undefined;
  const fields = decodeRecord(stored) as [
    number,
    Index,
    Term,
    number,
    number,
    number,
    boolean,
    [number, number, number][]?,
  ];
  const [version, index, term, low, high, records, closed, accounts = []] = fields;
  if (version !== formatVersion && version !== formatBefore)
    throw new Error(`the store has format ${version}, this program knows ${formatVersion}`);
  const values = accounts.map(([file, bytes, dead]) => ({ file, bytes, dead }));
  return { index, term, hash: new StateHash(low, high, records), values, closed };
}
