/**
 * Reads entries back from segment files, for followers that lag behind what is in memory. Every checksum is checked.
 */
import { invariant } from "../src/invariant.js";
import type { Entry, Index } from "../raft/types.js";
import { entryOf, readBody, readHeader, recordBytes } from "./log-format.js";
import type { LogIndex, RecentEntries } from "./log-index.js";
import type { Segment } from "./log-segments.js";
import { StorageError } from "./storage-error.js";

/** Read at once: entries that follow each other mostly stand beside each other. */
const runBytesMax = 1024 * 1024;

/** Entries of `[from, to)`, at least one if there is any, beyond that at most `bytesMax` of data. @throws StorageError */
export function readEntries(
  segments: ReadonlyMap<number, Segment>,
  index: LogIndex,
  recent: RecentEntries,
  { from, to, bytesMax }: { readonly from: Index; readonly to: Index; readonly bytesMax: number },
): Entry[] {
  const end = Math.min(to, index.last + 1);
  if (from >= end) return [];
  invariant(from >= index.first, `entry ${from} was cut off`);
  let bytes = 0;
  let until = from;
  for (; until < end; until++) {
    bytes += index.location(until).bodyBytes;
    if (bytes > bytesMax && until > from) break;
  }
  const entries: Entry[] = [];
  for (let at = from; at < until; at = from + entries.length) {
    const held = recent.get(at);
    if (held !== undefined) entries.push(held);
    else for (const entry of readRun(segments, index, at, until)) entries.push(entry);
  }
  return entries;
}

/**
 * Entries from `from` on, at least one, all of one read; at most up to `to`, exclusive.
 * @throws StorageError when a record is not what was written there
 */
function readRun(segments: ReadonlyMap<number, Segment>, index: LogIndex, from: Index, to: Index): Entry[] {
  const first = index.location(from);
  const segment = segments.get(first.segment);
  if (segment === undefined) throw new Error(`segment ${first.segment} is not open`);
  let end = first.offset + recordBytes(first.bodyBytes);
  let until = from + 1;
  for (; until < to; until++) {
    const { segment: other, offset, bodyBytes } = index.location(until);
    const itsEnd = offset + recordBytes(bodyBytes);
    if (other !== first.segment || itsEnd - first.offset > runBytesMax) break;
    end = itsEnd;
  }
  const bytes = Buffer.allocUnsafeSlow(end - first.offset);
  try {
    segment.file.read(bytes, first.offset);
  } catch (error) {
    throw new StorageError(
      "io",
      "the log cannot be read",
      { file: segment.file.path, offset: first.offset, index: from - 1 },
      error,
    );
  }
  const entries: Entry[] = [];
  for (let at = from; at < until; at++)
    entries.push(entryAt(bytes, index.location(at).offset - first.offset, segment, index, at, first.offset));
  return entries;
}

function entryAt(bytes: Buffer, at: number, segment: Segment, index: LogIndex, wanted: Index, base: number): Entry {
  const header = readHeader(bytes, at, { segment: segment.sequence, seed: segment.seed });
  const data = header && readBody(bytes, at, header);
  const entry = header && data && entryOf(header, data);
  if (entry?.index !== wanted || entry.term !== index.term(wanted)) {
    const place = { file: segment.file.path, offset: base + at, index: wanted - 1 };
    throw new StorageError("corrupt", `the log is damaged: entry ${wanted} cannot be read back`, place);
  }
  return entry;
}
