/**
 * Watches the free space of the data directory, so that writes are refused before the disk is full.
 *
 * A log that meets a full disk stops its node (reliability 0.1, 48). Below `freeMin` the node raises `disk_low`, below half
 * of it `disk_critical`; what the cluster does then is decided in health.ts.
 */
import { statfs } from "node:fs/promises";
import type { Alarms } from "./alarms.js";
import type { Time } from "./environment.js";

export interface DiskSpaceOptions {
  /** Bytes that this node could still write. */
  readonly freeBytes: () => Promise<number>;
  /** Bytes; 0: nothing is raised. */
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
      this.#free = await this.#options.freeBytes();
      this.#judge(this.#free);
    } catch (error) {
      this.#options.onError("the free space of the data directory cannot be read", error);
    } finally {
      this.#looking = false;
    }
  }

  close(): void {
    this.#cancel();
  }

  #judge(free: number): void {
    const { alarms, freeMin } = this.#options;
    for (const [kind, min] of [
      ["disk_low", freeMin],
      ["disk_critical", freeMin * criticalFactor],
    ] as const) {
      const about = `${mebibytes(free)} are free on the disk of the data directory, fewer than ${mebibytes(min)}`;
      if (free < min) alarms.raise(kind, about);
      else if (free >= min * clearFactor) alarms.clear(kind);
    }
  }
}

/** Bytes on the file system of `dir` that any user may still write. */
export async function freeBytesOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 / 1024)} MiB`;
}
