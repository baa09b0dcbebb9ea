/**
 * Bytes of an archive: all records of the applied store at one index, for a follower that is too far behind and for
 * backups. Knows no files and no connections.
 *
 * `magic (8) · block …`. A block is `kind (1) · zeros (3) · body bytes (4) · checksum (4) · body`, numbers little endian.
 * The checksum covers the whole block and starts from that of the block before, so a block that is lost, repeated or moved
 * shows. First comes one `header`, then `records` in the order of their keys, last one `trailer` with the number of
 * records and the hash of all of them (docs/decisions/003-hash-of-all-records.md): an archive that was cut off has none.
 */
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { encode } from "../src/codec.js";
import type { Index, Term } from "../raft/types.js";
import { FrameError, MsgpackReader } from "./msgpack-reader.js";
import { appliedKey, checkRecord } from "./store-record.js";

export const archiveMagic = Buffer.from("slctarc\0");
export const blockHeaderBytes = 12;
/** A longer block is neither written nor read. One record always stands in one block. */
export const blockBytesMax = 256 * 1024 * 1024;
const formatVersion = 1;
const clusterIdBytesMax = 512;
const configurationBytesMax = 1024 * 1024;
const termMax = 2 ** 48;
const lengthsBytes = 8;

/** What the bytes are of. */
export interface ArchiveHeader {
  readonly clusterId: string;
  /** The records are those after exactly this entry. */
  readonly index: Index;
  readonly term: Term;
  /** Log time of the entry, ms since the epoch. */
  readonly nowMs: number;
  /** Members as of `index`, encoded as in a log entry. */
  readonly configuration: Uint8Array;
}

export interface ArchiveTrailer {
  readonly records: number;
  /** Sixteen hexadecimal digits. */
  readonly hash: string;
}

/** As in LevelDB: a key, and its value with its checksum before it. */
export type StoredPair = readonly [key: string, stored: Buffer];

export type ArchivePart =
  | { readonly kind: "header"; readonly header: ArchiveHeader }
  | { readonly kind: "records"; readonly records: readonly StoredPair[] }
  | { readonly kind: "trailer"; readonly trailer: ArchiveTrailer };

/** The bytes are not an archive, or not the one that was written. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

const kinds = ["header", "records", "trailer"] as const satisfies readonly ArchivePart["kind"][];

export interface BlockHeader {
  readonly kind: ArchivePart["kind"];
  readonly bodyBytes: number;
  readonly checksum: number;
}

// ----------------------------------------------------------------------------------------------------- blocks

export interface EncodedBlock {
  readonly head: Buffer;
  readonly checksum: number;
}

/** What stands before `body`. @param prev checksum of the block before, that of the magic for the first */
export function encodeBlockHeader(kind: ArchivePart["kind"], body: readonly Uint8Array[], prev: number): EncodedBlock {
  const head = Buffer.alloc(blockHeaderBytes);
  head[0] = kinds.indexOf(kind) + 1;
  head.writeUInt32LE(
    body.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  const checksum = checksumOf(head, body, prev);
  head.writeUInt32LE(checksum, 8);
  return { head, checksum };
}

/** @throws ArchiveError when no block begins so */
export function decodeBlockHeader(head: Buffer): BlockHeader {
  const kind = kinds[(head[0] ?? 0) - 1];
  const bodyBytes = head.readUInt32LE(4);
  if (kind === undefined || head.readUIntLE(1, 3) !== 0) throw new ArchiveError("a block of unknown kind");
  if (bodyBytes > blockBytesMax) throw new ArchiveError(`a block of ${bodyBytes} bytes`);
  return { kind, bodyBytes, checksum: head.readUInt32LE(8) };
}

export function checksumOf(head: Buffer, body: readonly Uint8Array[], prev: number): number {
  return body.reduce((sum, piece) => crc32(piece, sum), crc32(head.subarray(0, 8), prev));
}

export const firstChecksum = crc32(archiveMagic);

// ------------------------------------------------------------------------------------------------------ bodies

export function encodeHeader({ clusterId, index, term, nowMs, configuration }: ArchiveHeader): Buffer {
  const fields = encode([formatVersion, clusterId, index, term, nowMs]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(fields.length);
  return Buffer.concat([length, fields, configuration]);
}

/** @throws ArchiveError */
export function decodeHeader(body: Buffer): ArchiveHeader {
  return strictly(() => {
    const end = 4 + body.readUInt32LE();
    if (end > body.length || body.length - end > configurationBytesMax)
      throw new ArchiveError("a header of wrong size");
    const reader = new MsgpackReader(body.subarray(4, end));
    const fields = reader.array(5);
    const version = reader.uint();
    if (fields !== 5 || version !== formatVersion)
      throw new ArchiveError(`archive format ${version}; this program knows ${formatVersion}`);
    const header = {
      ...{ clusterId: reader.string(clusterIdBytesMax), index: reader.uint(), term: reader.uint(termMax) },
      ...{ nowMs: reader.float(), configuration: Buffer.from(body.subarray(end)) },
    };
    reader.end();
    return header;
  });
}

export function encodeTrailer({ records, hash }: ArchiveTrailer): Buffer {
  return encode([records, hash]);
}

/** @throws ArchiveError */
export function decodeTrailer(body: Buffer): ArchiveTrailer {
  return strictly(() => {
    const reader = new MsgpackReader(body);
    if (reader.array(2) !== 2) throw new ArchiveError("a trailer of wrong size");
    const trailer = { records: reader.uint(), hash: reader.string(16) };
    reader.end();
    if (!/^[0-9a-f]{16}$/.test(trailer.hash)) throw new ArchiveError("a trailer without a hash");
    return trailer;
  });
}

/** Bytes that a record takes in a block. */
export function pairBytes([key, stored]: StoredPair): number {
  return lengthsBytes + Buffer.byteLength(key) + stored.length;
}

/** A body; long values are not copied. */
export function encodeRecords(records: readonly StoredPair[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (const [key, stored] of records) {
    const keyBytes = Buffer.from(key);
    const lengths = Buffer.allocUnsafe(lengthsBytes);
    lengths.writeUInt32LE(keyBytes.length);
    lengths.writeUInt32LE(stored.length, 4);
    pieces.push(lengths, keyBytes, stored);
  }
  return pieces;
}

/**
 * Values are parts of `body`.
 * @param after the key before the first one; "": there is none
 * @throws ArchiveError when keys are out of order or reserved, or a record is not what was stored
 */
export function decodeRecords(body: Buffer, after: string): StoredPair[] {
  const records: StoredPair[] = [];
  let before: Buffer = Buffer.from(after);
  for (let at = 0; at < body.length;) {
    if (at + lengthsBytes > body.length) throw new ArchiveError("a record that ends too early");
    const keyAt = at + lengthsBytes;
    const valueAt = keyAt + body.readUInt32LE(at);
    at = valueAt + body.readUInt32LE(keyAt - 4);
    if (at > body.length) throw new ArchiveError("a record that ends too early");
    const keyBytes = body.subarray(keyAt, valueAt);
    if (Buffer.compare(keyBytes, before) <= 0) throw new ArchiveError("records out of order");
    before = keyBytes;
    const key = keyBytes.toString("utf8");
    const stored = body.subarray(valueAt, at);
    if (!isUtf8(keyBytes) || key === appliedKey) throw new ArchiveError("a key that no record has");
    if (checkRecord(key, stored) === undefined)
      throw new ArchiveError(`the record ${JSON.stringify(key)} is not what was stored`);
    records.push([key, stored]);
  }
  return records;
}

function strictly<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FrameError || error instanceof RangeError) throw new ArchiveError(error.message);
    throw error;
  }
}
