/**
 * The clock the leader stamps with: its own wall clock, held to those of the other members (docs/decisions/008).
 *
 * What the others say of their clocks is kept as a distance to this node's monotonic clock, so a step of its own wall
 * clock shows at once. Of all known clocks the middle one is right, if fewer than half are wrong; of two middle ones the
 * earlier is taken, because a timer may be late, but not early.
 */
import type { NodeId } from "../raft/types.js";
import type { Time } from "./environment.js";

export interface ClusterClockOptions {
  readonly time: Pick<Time, "wallMs" | "nowMs">;
  /** Members whose clocks count, this one apart. */
  readonly others: () => readonly NodeId[];
}

/** A stamp is never further than this from the middle clock; a clock that is, is told of. Source: semantics C.4. */
export const skewMsMax = 250;
/** What was heard so long ago says nothing any more: monotonic clocks differ by up to 0.4 s in that time. */
const heardMsMax = 3_600_000;
/** Of the last readings the latest counts: what is late on its way seems to be behind. */
const readingsMax = 4;

interface Heard {
  readonly heardMs: number;
  /** Wall clock of the member less this node's monotonic clock, newest first. */
  readonly distances: readonly number[];
}

export class ClusterClock {
  readonly #time: ClusterClockOptions["time"];
  readonly #others: () => readonly NodeId[];
  readonly #heard = new Map<NodeId, Heard>();
  #lastMs = 0;

  constructor({ time, others }: ClusterClockOptions) {
    this.#time = time;
    this.#others = others;
  }

  /** The wall clock of `from` showed `wallMs` just now. */
  heard(from: NodeId, wallMs: number): void {
    const heardMs = this.#time.nowMs();
    const earlier = this.#heard.get(from)?.distances ?? [];
    this.#heard.set(from, { heardMs, distances: [wallMs - heardMs, ...earlier].slice(0, readingsMax) });
  }

  /** An entry of this log time was applied. */
  advance(logTimeMs: number): void {
    if (logTimeMs > this.#lastMs) this.#lastMs = logTimeMs;
  }

  /** Unix ms, whole; never less than before, nor than the log time. */
  nowMs(): number {
    const middleMs = this.#middleMs();
    const boundedMs = Math.min(Math.max(this.#time.wallMs(), middleMs - skewMsMax), middleMs + skewMsMax);
    this.advance(Math.floor(boundedMs));
    return this.#lastMs;
  }

  /** How far the wall clock of this node is from the middle one; negative: behind. */
  skewMs(): number {
    return this.#time.wallMs() - this.#middleMs();
  }

  /** How far the log time is ahead of the middle clock; time stands still until that has caught up. */
  aheadMs(): number {
    return Math.max(0, this.#lastMs - this.#middleMs());
  }

  #middleMs(): number {
    const nowMs = this.#time.nowMs();
    const clocks = [this.#time.wallMs()];
    for (const id of this.#others()) {
      const heard = this.#heard.get(id);
      if (heard !== undefined && nowMs - heard.heardMs <= heardMsMax) clocks.push(nowMs + Math.max(...heard.distances));
    }
    clocks.sort((a, b) => a - b);
    return clocks[Math.floor((clocks.length - 1) / 2)] as number;
  }
}
