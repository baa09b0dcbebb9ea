/**
 * Bytes of a log segment: one header page, then batches of records. Knows no files.
 *
 * A batch is what one write carries. It starts on a page boundary and is padded to the next, so a page that was
 * acknowledged is never written again. A record is `header (48 bytes) · body`, aligned to 8. Its header has a checksum of
 * its own, so that the length can be trusted when the body is damaged, and names
 * - the record before it (`prev`, its header checksum; the body checksum is part of the header): the hash chain;
 * - its segment and the number of its batch: a batch is only written when the one before is durable, so a valid record of
 *   batch n proves that everything before batch n was once on disk.
 * Checksums of a segment start from its seed, the checksum of its header page with a random part. So neither stale bytes
 * of a recycled file nor bytes that a client sent can pass for a record.
 */
import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { decode, encode } from "../src/codec.js";
import type { Entry, HardState, Index, Term } from "../raft/types.js";

export const pageBytes = 4096;
/** A disk writes a sector wholly or not at all. */
export const sectorBytes = 512;
export const recordHeaderBytes = 48;
const formatVersion = 1;
const magic = Buffer.from("slctlog\0");

// ------------------------------------------------------------------------------------------------ header page

export interface SegmentHeader {
  /** Position of the segment in the life of the log, from 1; never used twice. */
  readonly sequence: number;
  /** Size of the file. */
  readonly bytes: number;
  /** The file holds zeros behind the header page: it was never used before. */
  readonly fresh: boolean;
  readonly clusterId: string;
  readonly nodeId: string;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const { sequence, bytes, fresh, clusterId, nodeId } = header;
  const page = Buffer.alloc(pageBytes);
  magic.copy(page);
  page.writeUInt32LE(formatVersion, 12);
  const body = encode([sequence, bytes, fresh, clusterId, nodeId, randomBytes(8)]);
  page.writeUInt32LE(body.length, 16);
  body.copy(page, 20);
  page.writeUInt32LE(crc32(page.subarray(12)), 8);
  return page;
}

/** Undefined if the page is not an intact header. */
export function decodeSegmentHeader(page: Buffer): (SegmentHeader & { readonly seed: number }) | undefined {
  if (page.length < pageBytes || magic.compare(page, 0, 8) !== 0) return undefined;
  const seed = page.readUInt32LE(8);
  if (seed !== crc32(page.subarray(12, pageBytes)) || page.readUInt32LE(12) !== formatVersion) return undefined;
  const body = decode(page.subarray(20, 20 + page.readUInt32LE(16))) as [number, number, boolean, string, string];
  const [sequence, bytes, fresh, clusterId, nodeId] = body;
  return { sequence, bytes, fresh, clusterId, nodeId, seed };
}

// ---------------------------------------------------------------------------------------------------- records

const kinds = ["begin", "hardState", "entry", "mark", "seal", "configuration"] as const;
/**
 * `begin` opens a segment, `seal` ends it, `mark` says nothing but that everything before it is durable; `configuration` is
 * an entry as well.
 */
export type RecordKind = (typeof kinds)[number];

export interface LogRecord {
  readonly kind: RecordKind;
  /** Of the entry; otherwise the last index stored when it was written. */
  readonly index: Index;
  /** Of the entry; otherwise of the last index. */
  readonly term: Term;
  readonly body: Uint8Array;
}

export function entryRecord({ index, term, kind, data }: Entry): LogRecord {
  return { kind: kind ?? "entry", index, term, body: data };
}

/** The entry that an intact record holds; undefined if it holds something else. */
export function entryOf({ kind, index, term }: RecordHeader, data: Uint8Array): Entry | undefined {
  if (kind === "entry") return { index, term, data };
  return kind === "configuration" ? { index, term, kind, data } : undefined;
}

/** What binds records to their place. */
export interface Chain {
  readonly segment: number;
  readonly seed: number;
  /** Header checksum of the record before; the seed for the first one. */
  readonly prev: number;
  readonly batch: number;
}

export interface RecordHeader {
  readonly checksum: number;
  readonly bodyChecksum: number;
  readonly bodyBytes: number;
  readonly prev: number;
  readonly segment: number;
  readonly kind: RecordKind;
  /** The last record of its batch. */
  readonly last: boolean;
  readonly batch: number;
  readonly index: Index;
  readonly term: Term;
}

/** Space a record takes. */
export function recordBytes(bodyBytes: number): number {
  return align(recordHeaderBytes + bodyBytes, 8);
}

export function align(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

/** Bodies up to this size are copied beside their header: cheaper than one more piece of a gathered write. */
const inlineBytesMax = 512;
/**
 * With more records than this all bodies are copied: beyond 1,024 pieces a gathered write would be several, and a kill
 * between them could leave a sector half written, which {@link sectorBytes} excludes.
 */
const gatheredRecordsMax = 400;

export interface EncodedBatch {
  /** For one gathered write; large bodies are the caller's own buffers. Padded to whole pages. */
  readonly buffers: readonly Uint8Array[];
  readonly bytes: number;
  /** Where each record starts, from the start of the batch. */
  readonly offsets: readonly number[];
  /** Header checksum of the last record. */
  readonly prev: number;
}

export function encodeBatch(records: readonly LogRecord[], chain: Chain): EncodedBatch {
  const inlineMax = records.length > gatheredRecordsMax ? Infinity : inlineBytesMax;
  const inline = records.reduce((sum, { body }) => sum + (body.length <= inlineMax ? body.length : 0), 0);
  const block = Buffer.alloc(records.length * (recordHeaderBytes + 8) + inline + pageBytes);
  const buffers: Uint8Array[] = [];
  const offsets: number[] = [];
  let { prev } = chain;
  let bytes = 0;
  let from = 0;
  let to = 0;
  for (const [position, record] of records.entries()) {
    const { body } = record;
    offsets.push(bytes);
    prev = writeHeader(block, to, record, { ...chain, prev }, position === records.length - 1);
    to += recordHeaderBytes;
    if (body.length <= inlineMax) {
      block.set(body, to);
      to += body.length;
    } else {
      buffers.push(block.subarray(from, to), body);
      from = to;
    }
    const end = bytes + recordBytes(body.length);
    to += end - bytes - recordHeaderBytes - body.length;
    bytes = end;
  }
  const padded = align(bytes, pageBytes);
  buffers.push(block.subarray(from, to + padded - bytes));
  return { buffers, bytes: padded, offsets, prev };
}

function writeHeader(block: Buffer, at: number, record: LogRecord, chain: Chain, last: boolean): number {
  block.writeUInt32LE(crc32(record.body), at + 4);
  block.writeUInt32LE(record.body.length, at + 8);
  block.writeUInt32LE(chain.prev, at + 12);
  block.writeUInt32LE(chain.segment % 2 ** 32, at + 16);
  block[at + 20] = kinds.indexOf(record.kind) + 1;
  block[at + 21] = last ? 1 : 0;
  block.writeDoubleLE(chain.batch, at + 24);
  block.writeDoubleLE(record.index, at + 32);
  block.writeDoubleLE(record.term, at + 40);
  const checksum = crc32(block.subarray(at + 4, at + recordHeaderBytes), chain.seed);
  block.writeUInt32LE(checksum, at);
  return checksum;
}

/** The header at `at` if it is intact and belongs to this use of the file; its body may be damaged. */
export function readHeader(
  bytes: Buffer,
  at: number,
  of: { readonly segment: number; readonly seed: number },
): RecordHeader | undefined {
  if (at + recordHeaderBytes > bytes.length || bytes.readUInt32LE(at + 16) !== of.segment % 2 ** 32) return undefined;
  const checksum = bytes.readUInt32LE(at);
  if (checksum !== crc32(bytes.subarray(at + 4, at + recordHeaderBytes), of.seed)) return undefined;
  const kind = kinds[(bytes[at + 20] ?? 0) - 1];
  if (kind === undefined) return undefined;
  return {
    checksum,
    bodyChecksum: bytes.readUInt32LE(at + 4),
    bodyBytes: bytes.readUInt32LE(at + 8),
    prev: bytes.readUInt32LE(at + 12),
    segment: of.segment,
    kind,
    last: bytes[at + 21] === 1,
    batch: bytes.readDoubleLE(at + 24),
    index: bytes.readDoubleLE(at + 32),
    term: bytes.readDoubleLE(at + 40),
  };
}

/** The body of an intact record at `at`; undefined if it is damaged. */
export function readBody(bytes: Buffer, at: number, header: RecordHeader): Buffer | undefined {
  const body = bytes.subarray(at + recordHeaderBytes, at + recordHeaderBytes + header.bodyBytes);
  return body.length === header.bodyBytes && crc32(body) === header.bodyChecksum ? body : undefined;
}

// ----------------------------------------------------------------------------------------------- record bodies

/** Where the log starts: everything below was dropped. */
export interface Floor {
  /** First segment that is needed. */
  readonly segment: number;
  /** First index that is stored in it or later. */
  readonly index: Index;
  /** Term of the index before. */
  readonly prevTerm: Term;
}

/** What a segment has to know of those before it, so that they can go. */
export interface BeginBody {
  readonly floor: Floor;
  readonly hardState: HardState;
  /** Header checksum of the seal of the segment before; 0 for the first. */
  readonly sealed: number;
}

export interface MarkBody {
  readonly floor: Floor;
  /** A torn write was dropped at this place: what lies behind it in the file is not zero although the file is fresh. */
  readonly littered: boolean;
}

export function encodeHardState({ currentTerm, votedFor, commitIndex }: HardState): Buffer {
  return encode([currentTerm, votedFor, commitIndex]);
}

export function decodeHardState(body: Uint8Array): HardState {
  const [currentTerm, votedFor, commitIndex] = decode(body) as [Term, string | null, Index];
  return { currentTerm, votedFor, commitIndex };
}

export function encodeBegin({ floor, hardState, sealed }: BeginBody): Buffer {
  return encode([floor.segment, floor.index, floor.prevTerm, encodeHardState(hardState), sealed]);
}

export function decodeBegin(body: Uint8Array): BeginBody {
  const [segment, index, prevTerm, hardState, sealed] = decode(body) as [number, Index, Term, Uint8Array, number];
  return { floor: { segment, index, prevTerm }, hardState: decodeHardState(hardState), sealed };
}

export function encodeMark({ floor, littered }: MarkBody): Buffer {
  return encode([floor.segment, floor.index, floor.prevTerm, littered]);
}

export function decodeMark(body: Uint8Array): MarkBody {
  const [segment, index, prevTerm, littered] = decode(body) as [number, Index, Term, boolean];
  return { floor: { segment, index, prevTerm }, littered };
}
