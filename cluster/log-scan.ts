/**
 * Reads the bytes of one segment, and judges what the first unreadable place means: the rest of a write that was under
 * way when the power went (nobody was told of it, it may go), or damage to something acknowledged (never).
 *
 * Source: reliability 49, L3, L10; "Protocol-Aware Recovery" (FAST '18): a log that is cut at a hole un-commits. What
 * cannot be told apart is small: more than one damaged bit, in the last batch before a crash, with no mark behind it.
 */
import { crc32 } from "node:zlib";
import {
  align,
  decodeMark,
  pageBytes,
  readBody,
  readHeader,
  recordBytes,
  recordHeaderBytes,
  sectorBytes,
  type RecordHeader,
} from "./log-format.js";

/** An intact record where it stands. */
export interface FoundRecord {
  readonly header: RecordHeader;
  readonly body: Buffer;
  readonly offset: number;
}

/** One use of a segment file. */
export interface SegmentBytes {
  readonly bytes: Buffer;
  readonly segment: number;
  readonly seed: number;
  /** Zeros behind what was written, unless a mark says `littered`. */
  readonly fresh: boolean;
}

/** Where reading goes on. */
export interface Cursor {
  /** Start of a batch. */
  readonly offset: number;
  /** Header checksum of the record before. */
  readonly prev: number;
  /** Number the next batch must have; undefined: any (the first batch of the first segment that is left). */
  readonly batch: number | undefined;
}

export interface BatchStop {
  readonly ok: false;
  /** The record that could not be read. */
  readonly offset: number;
  /** Its header, if that is intact. */
  readonly header?: RecordHeader;
}

export type BatchRead =
  { readonly ok: true; readonly records: readonly FoundRecord[]; readonly next: Cursor } | BatchStop;

/** One whole batch, or where it breaks off. */
export function readBatch(source: SegmentBytes, cursor: Cursor): BatchRead {
  const records: FoundRecord[] = [];
  let { offset, prev, batch } = cursor;
  for (;;) {
    const header = readHeader(source.bytes, offset, source);
    if (header === undefined || header.prev !== prev || (batch !== undefined && header.batch !== batch))
      return { ok: false, offset };
    const body = readBody(source.bytes, offset, header);
    if (body === undefined) return { ok: false, offset, header };
    records.push({ header, body, offset });
    ({ checksum: prev, batch } = header);
    offset += recordBytes(body.length);
    if (header.last) return { ok: true, records, next: { offset: align(offset, pageBytes), prev, batch: batch + 1 } };
  }
}

export interface SegmentScan {
  readonly batches: readonly (readonly FoundRecord[])[];
  readonly next: Cursor;
  /** It ends with a seal: the log goes on in the next segment. Otherwise the place where it breaks off. */
  readonly stop: BatchStop | undefined;
  /** As in {@link SegmentBytes}, marks considered. */
  readonly fresh: boolean;
}

export function scanSegment(source: SegmentBytes, from: Cursor): SegmentScan {
  const batches: (readonly FoundRecord[])[] = [];
  let next = from;
  let { fresh } = source;
  for (;;) {
    const read = readBatch(source, next);
    if (!read.ok) return { batches, next, stop: read, fresh };
    batches.push(read.records);
    next = read.next;
    const last = read.records.at(-1);
    if (last?.header.kind === "seal") return { batches, next, stop: undefined, fresh };
    if (last?.header.kind === "mark" && decodeMark(last.body).littered) fresh = false;
  }
}

/** Why what was found at the end of the log is damage; undefined: an unfinished write or nothing at all. */
export function findDamage(source: SegmentBytes, cursor: Cursor, stop: BatchStop): string | undefined {
  const later = laterBatch(source, cursor);
  if (later !== undefined)
    return `a record is unreadable, but batch ${later.batch} at offset ${later.offset} was written after it`;
  if (oneBitExplains(source, cursor, stop))
    return "a record is unreadable because of one flipped bit; an unfinished write does not look like that";
  if (source.fresh && writtenWholly(source.bytes, stop))
    return "a record is unreadable although all of its sectors were written";
  return undefined;
}

/** A batch is written when the one before is durable: any header of a later one proves that this one was acknowledged. */
function laterBatch(source: SegmentBytes, cursor: Cursor): { batch: number; offset: number } | undefined {
  for (let { offset } = cursor; offset < source.bytes.length; offset += pageBytes) {
    const header = readHeader(source.bytes, offset, source);
    if (header !== undefined && header.batch > (cursor.batch ?? 0)) return { batch: header.batch, offset };
  }
  return undefined;
}

function oneBitExplains(source: SegmentBytes, cursor: Cursor, stop: BatchStop): boolean {
  const { bytes, segment, seed } = source;
  const { offset, header } = stop;
  if (header !== undefined) {
    const body = bytes.subarray(offset + recordHeaderBytes, offset + recordHeaderBytes + header.bodyBytes);
    return body.length === header.bodyBytes && isOneBitOff(crc32(body) ^ header.bodyChecksum, body.length);
  }
  if (offset + recordHeaderBytes > bytes.length) return false;
  const trial = Buffer.from(bytes.subarray(offset, offset + recordHeaderBytes));
  for (let bit = 0; bit < recordHeaderBytes * 8; bit++) {
    const at = bit >> 3;
    const mask = 1 << (bit & 7);
    trial[at] = (trial[at] ?? 0) ^ mask;
    const mended = readHeader(trial, 0, { segment, seed });
    if (mended !== undefined && (cursor.batch === undefined || mended.batch >= cursor.batch)) return true;
    trial[at] = (trial[at] ?? 0) ^ mask;
  }
  return false;
}

/**
 * Whether one flipped bit in `bytesLength` bytes changes their CRC-32 by `difference`.
 *
 * The checksum is linear: a flip changes it by a value that depends only on the distance of the bit from the end. These
 * values are the states of the shift register fed with a single one and then zeros.
 */
export function isOneBitOff(difference: number, bytesLength: number): boolean {
  const wanted = difference >>> 0;
  // Bits of a byte enter lowest first, so the highest bit of the last byte is the nearest to the end.
  let state = 0xedb88320;
  for (let distance = 0; distance < bytesLength * 8; distance++) {
    if (state === wanted) return true;
    state = (state & 1) === 1 ? ((state >>> 1) ^ 0xedb88320) >>> 0 : state >>> 1;
  }
  return false;
}

/**
 * In a file that was zero before, a sector that holds anything was written wholly. If that is so for every sector under
 * the record, the write had reached it: it was changed afterwards.
 */
function writtenWholly(bytes: Buffer, { offset, header }: BatchStop): boolean {
  const end = offset + recordHeaderBytes + (header?.bodyBytes ?? 0);
  if (end > bytes.length) return false;
  for (let at = offset - (offset % sectorBytes); at < end; at += sectorBytes) {
    if (isZero(bytes.subarray(at, Math.min(at + sectorBytes, bytes.length)))) return false;
  }
  return true;
}

const zeros = Buffer.alloc(64 * 1024);

export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) return false;
  }
  return true;
}
