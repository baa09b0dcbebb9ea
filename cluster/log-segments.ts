/**
 * The files of the log: made ahead of need, used in sequence, recycled.
 *
 * `<sequence>.seg` is a segment that is in use or the next one to be; `<n>.spare` waits to become one; `<n>.new` is being
 * filled. A name changes before the content does, so a `.seg` file always carries a header of its own sequence.
 */
import { join } from "node:path";
import { invariant } from "../src/invariant.js";
import { failpoint } from "./failpoint.js";
import type { Files, LogFile } from "./files.js";
import { decodeSegmentHeader, encodeSegmentHeader, pageBytes } from "./log-format.js";

export interface Segment {
  readonly sequence: number;
  readonly seed: number;
  readonly fresh: boolean;
  readonly file: LogFile;
}

export interface SegmentOptions {
  readonly files: Files;
  readonly dir: string;
  readonly clusterId: string;
  readonly nodeId: string;
  /** Size of a segment file. */
  readonly segmentBytes: number;
}

/** Files kept for reuse beside the next segment; more are removed. */
const sparesMax = 2;
const sequenceDigits = 16;

export function segmentName(sequence: number): string {
  return `${sequence.toString().padStart(sequenceDigits, "0")}.seg`;
}

/** Undefined if `name` is not that of a segment. */
export function sequenceOf(name: string): number | undefined {
  const match = /^(\d{16})\.seg$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export class SegmentFiles {
  readonly #options: SegmentOptions;
  /** Paths of zero-filled or once used files of the common size. */
  readonly #spares: string[] = [];
  #spareNumber = 0;
  #next: { readonly sequence: number; readonly segment: Promise<Segment> } | undefined;

  constructor(options: SegmentOptions) {
    this.#options = options;
  }

  /** Takes stock of what an earlier run left beside its segments. */
  async adopt(names: readonly string[]): Promise<void> {
    const { files, dir, segmentBytes } = this.#options;
    for (const name of names) {
      const path = join(dir, name);
      if (name.endsWith(".new")) await files.remove(path);
      if (!name.endsWith(".spare")) continue;
      this.#spareNumber = Math.max(this.#spareNumber, Number.parseInt(name, 10) || 0);
      const file = await files.open(path);
      await file.close();
      if (file.bytes === segmentBytes && this.#spares.length < sparesMax) this.#spares.push(path);
      else await files.remove(path);
    }
  }

  /** Starts making the segment `sequence`, so that it is there when it is needed. A failure shows in {@link take}. */
  prepare(sequence: number): void {
    if (this.#next?.sequence === sequence) return;
    const segment = this.#make(sequence, this.#options.segmentBytes);
    segment.catch(() => undefined);
    this.#next = { sequence, segment };
  }

  /** A segment that was prepared by an earlier run. */
  adoptNext(segment: Segment): void {
    this.#next = { sequence: segment.sequence, segment: Promise.resolve(segment) };
  }

  /** The segment `sequence`, of at least `bytesMin`: its header is durable, and so is its name. */
  async take(sequence: number, bytesMin: number): Promise<Segment> {
    this.prepare(sequence);
    const next = this.#next;
    invariant(next !== undefined, "just prepared");
    const segment = await next.segment;
    this.#next = undefined;
    if (segment.file.bytes >= bytesMin) return segment;
    await this.recycle([segment]);
    return this.#make(sequence, bytesMin);
  }

  /** Closes the files and keeps them for reuse, or removes them. */
  async recycle(segments: readonly Segment[]): Promise<void> {
    const { files, dir, segmentBytes } = this.#options;
    for (const { file } of segments) {
      failpoint("segments.before-purge");
      await file.close();
      if (file.bytes === segmentBytes && this.#spares.length < sparesMax) {
        const spare = join(dir, `${++this.#spareNumber}.spare`);
        await files.rename(file.path, spare);
        this.#spares.push(spare);
      } else {
        await files.remove(file.path);
      }
    }
    failpoint("segments.after-purge");
    await files.syncDirectory(dir);
  }

  async close(): Promise<void> {
    const next = await this.#next?.segment.catch(() => undefined);
    await next?.file.close();
  }

  async #make(sequence: number, bytes: number): Promise<Segment> {
    const { files, dir, clusterId, nodeId, segmentBytes } = this.#options;
    const spare = bytes === segmentBytes ? this.#spares.pop() : undefined;
    const filled = join(dir, `${sequence}.new`);
    if (spare === undefined) await files.create(filled, bytes);
    const file = await files.open(spare ?? filled);
    const page = encodeSegmentHeader({ sequence, bytes, fresh: spare === undefined, clusterId, nodeId });
    await file.write([page], 0);
    await file.close();
    const path = join(dir, segmentName(sequence));
    failpoint("segments.before-rename");
    await files.rename(file.path, path);
    failpoint("segments.after-rename");
    await files.syncDirectory(dir);
    return openSegment(files, path);
  }
}

/** @throws when the header page is damaged; callers that open what they did not write check first */
async function openSegment(files: Files, path: string): Promise<Segment> {
  const file = await files.open(path);
  const page = Buffer.alloc(pageBytes);
  file.read(page, 0);
  const header = decodeSegmentHeader(page);
  invariant(header !== undefined, `${path} was just written`);
  return { sequence: header.sequence, seed: header.seed, fresh: header.fresh, file };
}
