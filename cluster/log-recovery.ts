/**
 * Opens what an earlier run left: checks every segment that is needed and rebuilds the index of the log.
 *
 * Refuses whatever it cannot explain by a crash: a damaged header or record, a file that was cut, swapped, deleted or
 * belongs to somebody else, a gap between indexes. The one thing it drops is the unfinished write at the very end.
 * Writes nothing.
 */
import { join } from "node:path";
import { invariant } from "../src/invariant.js";
import type { HardState } from "../raft/types.js";
import type { LogFile } from "./files.js";
import {
  decodeBegin,
  decodeHardState,
  decodeMark,
  decodeSegmentHeader,
  pageBytes,
  readHeader,
  type Floor,
} from "./log-format.js";
import { LogIndex } from "./log-index.js";
import {
  findDamage,
  isZero,
  readBatch,
  scanSegment,
  type Cursor,
  type FoundRecord,
  type SegmentBytes,
  type SegmentScan,
} from "./log-scan.js";
import { segmentName, sequenceOf, type Segment, type SegmentOptions } from "./log-segments.js";
import { StorageError } from "./storage-error.js";

export interface Recovered {
  /** Segments that hold the log, the current one last. */
  readonly live: readonly Segment[];
  /** Made ahead of need by the earlier run, nothing in it. */
  readonly next: Segment | undefined;
  /** Dropped by a compaction that was cut short. */
  readonly leftovers: readonly Segment[];
  readonly index: LogIndex;
  readonly hardState: HardState;
  readonly floor: Floor;
  /** Where the next batch goes in the current segment. */
  readonly cursor: Cursor & { readonly batch: number };
  /** The current segment has its opening record. */
  readonly begun: boolean;
  /** Checksum of the seal before the current segment. */
  readonly sealed: number;
  /** An unfinished write was dropped here. */
  readonly torn: { readonly file: string; readonly offset: number } | undefined;
}

/** A log that begins, in its first segment. */
export function newLog(segment: Segment): Recovered {
  return {
    ...{ live: [segment], next: undefined, leftovers: [], index: new LogIndex(1, 0) },
    ...{ hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 }, floor: { segment: 1, index: 1, prevTerm: 0 } },
    ...{ cursor: { offset: pageBytes, prev: segment.seed, batch: 1 }, begun: false, sealed: 0, torn: undefined },
  };
}

/** Undefined: the directory holds no log. @throws StorageError `corrupt` or `foreign` */
export async function recoverLog(options: SegmentOptions, names: readonly string[]): Promise<Recovered | undefined> {
  const segments = await openSegments(options, names);
  try {
    if (segments.length === 0) return undefined;
    return new Recovery(options.dir, segments).run();
  } catch (error) {
    await Promise.all(segments.map(({ file }) => file.close()));
    throw error;
  }
}

async function openSegments(options: SegmentOptions, names: readonly string[]): Promise<Segment[]> {
  const segments: Segment[] = [];
  const opened: LogFile[] = [];
  try {
    for (const name of names) {
      const sequence = sequenceOf(name);
      if (sequence === undefined) continue;
      const file = await options.files.open(join(options.dir, name));
      opened.push(file);
      segments.push(checkSegment(options, sequence, file));
    }
  } catch (error) {
    await Promise.all(opened.map((file) => file.close()));
    throw error;
  }
  return segments;
}

function checkSegment({ clusterId, nodeId }: SegmentOptions, sequence: number, file: LogFile): Segment {
  const page = Buffer.alloc(pageBytes);
  if (file.bytes >= pageBytes) file.read(page, 0);
  const header = decodeSegmentHeader(page);
  const refuse = (kind: "corrupt" | "foreign", what: string) =>
    new StorageError(kind, what, { file: file.path, offset: 0 });
  if (header === undefined) throw refuse("corrupt", "the header of this log segment is damaged");
  if (header.clusterId !== clusterId || header.nodeId !== nodeId) {
    const owner = `node ${header.nodeId} of cluster ${header.clusterId}`;
    throw refuse("foreign", `this log segment belongs to ${owner}, not to node ${nodeId} of cluster ${clusterId}`);
  }
  if (header.sequence !== sequence)
    throw refuse("corrupt", `this file holds log segment ${header.sequence}: files were renamed or swapped`);
  if (header.bytes !== file.bytes)
    throw refuse("corrupt", `this log segment has ${file.bytes} bytes instead of ${header.bytes}`);
  return { sequence, seed: header.seed, fresh: header.fresh, file };
}

class Recovery {
  readonly #dir: string;
  readonly #segments: readonly Segment[];
  #index = new LogIndex(1, 0);
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #floor: Floor = { segment: 1, index: 1, prevTerm: 0 };
  #began = false;
  #sealed = 0;

  constructor(dir: string, segments: readonly Segment[]) {
    this.#dir = dir;
    this.#segments = segments;
  }

  run(): Recovered {
    this.#floor = this.#findFloor();
    const needed = this.#segments.filter(({ sequence }) => sequence >= this.#floor.segment);
    for (const [position, { sequence }] of [...needed.entries()]) {
      if (sequence !== this.#floor.segment + position) throw this.#missing(this.#floor.segment + position);
    }
    let cursor = { prev: 0, batch: this.#floor.segment === 1 ? 1 : undefined };
    for (const [position, segment] of needed.entries()) {
      const source = load(segment);
      const scan = scanSegment(source, { ...cursor, offset: pageBytes, prev: segment.seed });
      this.#replay(segment, scan);
      if (scan.stop === undefined) {
        this.#sealed = scan.next.prev;
        cursor = { prev: 0, batch: scan.next.batch };
        continue;
      }
      return this.#finish(needed, position, { ...source, fresh: scan.fresh }, scan);
    }
    throw this.#missing(this.#floor.segment + needed.length);
  }

  /** The last one recorded. It stands in the last segment that was begun. */
  #findFloor(): Floor {
    for (const segment of this.#segments.toReversed()) {
      const source = load(segment);
      const start = { offset: pageBytes, prev: segment.seed, batch: undefined };
      if (!readBatch(source, start).ok) continue;
      const floors = scanSegment(source, start).batches.flat().flatMap(floorOf);
      const last = floors.at(-1);
      if (last !== undefined) return last;
    }
    const [first] = this.#segments;
    invariant(first !== undefined, "there is something to recover");
    if (first.sequence !== 1) throw this.#corrupt("no segment can be read from its start", first, pageBytes);
    return this.#floor;
  }

  #finish(needed: readonly Segment[], position: number, source: SegmentBytes, scan: SegmentScan): Recovered {
    const { stop, next } = scan;
    const segment = needed[position];
    const after = needed.slice(position + 1);
    invariant(stop !== undefined && segment !== undefined, "the log ends where reading stopped");
    const damage = findDamage(source, next, stop);
    if (damage !== undefined) throw this.#corrupt(damage, segment, stop.offset);
    if (after.length > 1 || after.some(isBegun))
      throw this.#corrupt("a record is unreadable, but the next segment was written after it", segment, stop.offset);
    invariant(next.batch !== undefined, "segment 1 has batch 1, every other one a known batch before");
    if (this.#index.first > this.#floor.index || this.#index.last < this.#floor.index - 1) {
      throw this.#corrupt(
        `the log should start at index ${this.#floor.index}, but holds ${this.#index.first} to ${this.#index.last}`,
        segment,
        stop.offset,
      );
    }
    this.#index.dropBelow(this.#floor.index, this.#floor.prevTerm);
    const littered = source.fresh
      ? !isZero(source.bytes.subarray(next.offset))
      : stop.header !== undefined || stop.offset !== next.offset;
    const commitIndex = Math.min(this.#hardState.commitIndex, this.#index.last);
    return {
      live: needed.slice(0, position + 1),
      next: after[0],
      leftovers: this.#segments.filter(({ sequence }) => sequence < this.#floor.segment),
      index: this.#index,
      // A hint that may refer to entries of the write that was dropped.
      hardState: { ...this.#hardState, commitIndex },
      floor: this.#floor,
      cursor: { ...next, batch: next.batch },
      begun: next.offset > pageBytes,
      sealed: this.#sealed,
      torn: littered ? { file: segment.file.path, offset: stop.offset } : undefined,
    };
  }

  #replay(segment: Segment, scan: SegmentScan): void {
    for (const [position, batch] of scan.batches.entries()) {
      for (const [place, record] of batch.entries()) {
        const opens = position === 0 && place === 0;
        if (opens !== (record.header.kind === "begin"))
          throw this.#corrupt("a record is not where it belongs", segment, record.offset);
        this.#apply(segment, record);
      }
    }
  }

  #apply(segment: Segment, { header, body, offset }: FoundRecord): void {
    switch (header.kind) {
      case "begin": {
        const begin = decodeBegin(body);
        if (!this.#began) this.#index = new LogIndex(header.index + 1, header.term);
        else if (begin.sealed !== this.#sealed || header.index !== this.#index.last) {
          throw this.#corrupt("this segment does not follow the one before it", segment, offset);
        }
        this.#began = true;
        this.#hardState = begin.hardState;
        this.#floor = begin.floor;
        return;
      }
      case "entry":
      case "configuration":
        if (header.index > this.#index.last + 1)
          throw this.#corrupt(`entry ${header.index} follows entry ${this.#index.last}`, segment, offset);
        // The tail that this replaces began in a segment that is gone; the floor settles the term before it.
        if (header.index < this.#index.first) this.#index = new LogIndex(header.index, 0);
        this.#index.set(header.index, header.term, { segment: segment.sequence, offset, bodyBytes: body.length });
        return;
      case "hardState":
        this.#hardState = decodeHardState(body);
        return;
      case "mark":
        this.#floor = decodeMark(body).floor;
        return;
      case "seal":
        return;
    }
  }

  #corrupt(what: string, { file }: Segment, offset: number): StorageError {
    return new StorageError("corrupt", `the log is damaged: ${what}`, {
      file: file.path,
      offset,
      index: this.#index.last,
    });
  }

  #missing(sequence: number): StorageError {
    const file = join(this.#dir, segmentName(sequence));
    return new StorageError("corrupt", "the log is damaged: this segment is missing", {
      file,
      index: this.#index.last,
    });
  }
}

function load({ file, sequence, seed, fresh }: Segment): SegmentBytes {
  const bytes = Buffer.allocUnsafeSlow(file.bytes);
  file.read(bytes, 0);
  return { bytes, segment: sequence, seed, fresh };
}

function isBegun({ file, sequence, seed }: Segment): boolean {
  const bytes = Buffer.alloc(pageBytes);
  file.read(bytes, pageBytes);
  return readHeader(bytes, 0, { segment: sequence, seed }) !== undefined;
}

function floorOf({ header, body }: FoundRecord): Floor[] {
  if (header.kind === "begin") return [decodeBegin(body).floor];
  return header.kind === "mark" ? [decodeMark(body).floor] : [];
}
