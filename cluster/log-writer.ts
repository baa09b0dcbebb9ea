/**
 * The writing end of the log: cuts records into batches, batches into segments. One call at a time; never retries.
 */
import { invariant } from "../src/invariant.js";
import type { Index, Term } from "../raft/types.js";
import { failpoint } from "./failpoint.js";
import {
  align,
  encodeBatch,
  encodeBegin,
  pageBytes,
  recordBytes,
  type BeginBody,
  type LogRecord,
} from "./log-format.js";
import type { Recovered } from "./log-recovery.js";
import type { Segment, SegmentFiles } from "./log-segments.js";
import { StorageError } from "./storage-error.js";

/** What the writer has to know of the log as it is now. */
export interface LogEnd {
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  readonly floor: BeginBody["floor"];
  readonly hardState: BeginBody["hardState"];
}

/** The first `count` records not reported before are durable; `offsets` tells where each of them is in `segment`. */
export type OnWritten = (part: {
  readonly count: number;
  readonly segment: number;
  readonly offsets: readonly number[];
}) => void;

/** A seal always finds room. */
const sealBytes = pageBytes;
/** An encoded number takes up to so many bytes more than another. */
const numberBytes = 8;
const nothing = new Uint8Array(0);

export class LogWriter {
  readonly #pool: SegmentFiles;
  readonly #end: () => LogEnd;
  /** A segment was entered: the log has one more. */
  readonly #onSegment: (segment: Segment) => void;
  #current: Segment;
  #cursor: Recovered["cursor"];
  #begun: boolean;
  #sealed: number;

  constructor(
    parts: { readonly pool: SegmentFiles; readonly end: () => LogEnd; readonly onSegment: (segment: Segment) => void },
    at: Pick<Recovered, "live" | "cursor" | "begun" | "sealed">,
  ) {
    const current = at.live.at(-1);
    invariant(current !== undefined, "a log has a segment");
    this.#pool = parts.pool;
    this.#end = parts.end;
    this.#onSegment = parts.onSegment;
    this.#current = current;
    this.#cursor = at.cursor;
    this.#begun = at.begun;
    this.#sealed = at.sealed;
  }

  get segment(): number {
    return this.#current.sequence;
  }

  /** A record that is not an entry. */
  record(kind: "begin" | "hardState" | "mark" | "seal", body: Uint8Array): LogRecord {
    const { lastIndex, lastTerm } = this.#end();
    return { kind, index: lastIndex, term: lastTerm, body };
  }

  /**
   * Writes `records` as one batch; as several, each durable before the next, if they are more than a segment holds.
   * @throws StorageError `io`: what was not reported is on disk or not
   */
  async write(records: readonly LogRecord[], onWritten: OnWritten): Promise<void> {
    for (let rest = records; rest.length > 0;) {
      if (this.#begun && this.#fitting(rest) < rest.length) await this.#roll(rest);
      const count = this.#fitting(rest);
      const opening = this.#begun ? [] : [this.record("begin", this.#beginBody())];
      const { offset } = this.#cursor;
      failpoint("log.before-write");
      const places = await this.#writeBatch([...opening, ...rest.slice(0, count)]);
      failpoint("log.after-write");
      if (!this.#begun) this.#pool.prepare(this.segment + 1);
      this.#begun = true;
      const offsets = places.slice(opening.length).map((place) => offset + place);
      onWritten({ count, segment: this.segment, offsets });
      rest = rest.slice(count);
    }
  }

  /** Goes to the next segment. */
  roll(): Promise<void> {
    return this.#roll([]);
  }

  /** How many of `records` the rest of the current segment takes. */
  #fitting(records: readonly LogRecord[]): number {
    const room = this.#current.file.bytes - sealBytes - this.#cursor.offset;
    let bytes = this.#begun ? 0 : recordBytes(this.#beginBody().length);
    const count = records.findIndex(({ body }) => (bytes += recordBytes(body.length)) > room);
    return count === -1 ? records.length : count;
  }

  /**
   * Ends the current segment and goes to the next. The next one's name is durable before the seal is, and the seal before
   * anything is in the next one: so a sealed segment without a successor, or a successor of an unsealed one, is damage.
   */
  async #roll(records: readonly LogRecord[]): Promise<void> {
    const first = recordBytes(this.#beginBody().length + numberBytes) + recordBytes(records[0]?.body.length ?? 0);
    const next = await this.#pool.take(this.segment + 1, pageBytes + align(first, pageBytes) + sealBytes);
    failpoint("log.before-seal");
    await this.#writeBatch([this.record("seal", nothing)]);
    failpoint("log.after-seal");
    this.#sealed = this.#cursor.prev;
    this.#begun = false;
    this.#current = next;
    this.#cursor = { offset: pageBytes, prev: next.seed, batch: this.#cursor.batch };
    this.#onSegment(next);
  }

  async #writeBatch(records: readonly LogRecord[]): Promise<readonly number[]> {
    const { sequence, seed, file } = this.#current;
    const { offset, prev, batch } = this.#cursor;
    const encoded = encodeBatch(records, { segment: sequence, seed, prev, batch });
    invariant(offset + encoded.bytes <= file.bytes, "a batch is cut to the room in its segment");
    try {
      await file.write(encoded.buffers, offset);
    } catch (error) {
      const place = { file: file.path, offset, index: this.#end().lastIndex };
      throw new StorageError("io", "a write to the log failed", place, error);
    }
    this.#cursor = { offset: offset + encoded.bytes, prev: encoded.prev, batch: batch + 1 };
    return encoded.offsets;
  }

  #beginBody(): Buffer {
    const { floor, hardState } = this.#end();
    return encodeBegin({ floor, hardState, sealed: this.#sealed });
  }
}
