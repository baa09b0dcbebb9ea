/**
 * How a record stands in a file of values: `length of the record (4 bytes, LE) · length of the key (2) · key · record`.
 */

const headerBytes = 6;

export interface Frame {
  readonly key: string;
  readonly record: Buffer;
  /** Of the record, in the bytes it was read from. */
  readonly from: number;
}

export function frameBytes(key: string, recordBytes: number): number {
  return headerBytes + Buffer.byteLength(key) + recordBytes;
}

/** What comes before a record of `recordBytes`. */
export function frameHead(key: string, recordBytes: number): Buffer {
  const head = Buffer.allocUnsafe(frameBytes(key, 0));
  head.writeUInt32LE(recordBytes);
  head.writeUInt16LE(head.length - headerBytes, 4);
  head.write(key, headerBytes);
  return head;
}

/** Where the frame at `at` ends, as far as `bytes` say it. */
export function frameEnd(bytes: Buffer, at: number): number {
  if (bytes.length - at < headerBytes) return at + headerBytes;
  return at + headerBytes + bytes.readUInt16LE(at + 4) + bytes.readUInt32LE(at);
}

/** The frame at `at`, which is there as a whole. */
export function readFrame(bytes: Buffer, at: number): Frame {
  const from = at + headerBytes + bytes.readUInt16LE(at + 4);
  const record = bytes.subarray(from, frameEnd(bytes, at));
  return { key: bytes.toString("utf8", at + headerBytes, from), record, from };
}
