/**
 * Watches the free space of the data directory, so that writes are refused before the disk is full.
 *
 * A log that meets a full disk stops its node (reliability 0.1, 48). Below `freeMin`, or a tenth of a disk that is small,
 * the node raises `disk_low`, below half of that `disk_critical`; what the cluster does then is decided in health.ts.
 */
import { statfs } from "node:fs/promises";
import type { Alarms } from "./alarms.js";
import type { Time } from "./environment.js";

/** Of the file system of the data directory. */
export interface Space {
  /** What this node could still write. */
  readonly freeBytes: number;
  /** All it can hold. */
  readonly sizeBytes: number;
}

export interface DiskSpaceOptions {
  readonly space: () => Promise<Space>;
  /** Bytes, more than 0. */
  readonly freeMin: number;
  readonly alarms: Alarms;
  readonly time: Pick<Time, "every">;
  readonly onError: (message: string, error: unknown) => void;
}

/** How often it looks. With disks that take 100 MB/s that much may be written unseen, far less than any sensible `freeMin`. */
const intervalMs = 1000;
/** An alarm is over when so much more than its threshold is free, so that it does not come and go. */
const clearFactor = 1.25;
/** Part of `freeMin` below which it is critical. */
const criticalFactor = 0.5;
/** Of a small disk `freeMin` may be the most part, or more than there is: it is never more than this share of the disk. */
const sizeShareMax = 0.1;

export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  #free: number | undefined;
  #looking = false;
  readonly #cancel: () => void;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
    this.#cancel = options.time.every(intervalMs, () => void this.look());
  }

  /** As seen last; undefined before the first look. */
  get freeBytes(): number | undefined {
    return this.#free;
  }

  /** A disk that does not answer is asked once at a time. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const space = await this.#options.space();
      this.#free = space.freeBytes;
      this.#judge(space);
    } catch (error) {
      this.#options.onError("the free space of the data directory cannot be read", error);
    } finally {
      this.#looking = false;
    }
  }

  close(): void {
    this.#cancel();
  }

  #judge({ freeBytes, sizeBytes }: Space): void {
    const { alarms } = this.#options;
    const freeMin = Math.min(this.#options.freeMin, sizeBytes * sizeShareMax);
    for (const [kind, min] of [
      ["disk_low", freeMin],
      ["disk_critical", freeMin * criticalFactor],
    ] as const) {
      const about = `${mebibytes(freeBytes)} are free on the disk of the data directory, fewer than ${mebibytes(min)}`;
      if (freeBytes < min) alarms.raise(kind, about);
      else if (freeBytes >= min * clearFactor) alarms.clear(kind);
    }
  }
}

/** Of the file system of `dir`; free is what any user may still write. */
export async function spaceOf(dir: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(dir);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
}

function mebibytes(bytes: number): string {
  const amount = bytes / 1024 / 1024;
  return `${amount < 100 ? amount.toFixed(1) : Math.floor(amount)} MiB`;
}
