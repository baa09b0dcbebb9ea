/**
 * Walks over LevelDB in key order: one page merged with dirty records, or everything.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { compareKeys } from "./key-order.js";

/** What is used of a LevelDB iterator. Its view is that of the moment it was made. */
export interface RecordIterator {
  nextv(size: number): Promise<[string, Buffer][]>;
  close(): Promise<void>;
}

type Page = readonly (readonly [key: string, value: unknown])[];

const batchMax = 1000;

/** Two pages in key order as one; where both have a key, `newer` counts. */
export function mergePages(newer: Page, older: Page): Page {
  if (older.length === 0) return newer;
  const merged: (readonly [string, unknown])[] = [];
  let at = 0;
  for (const entry of newer) {
    for (let next = older[at]; next !== undefined && compareKeys(next[0], entry[0]) < 0; next = older[++at])
      merged.push(next);
    if (older[at]?.[0] === entry[0]) at++;
    merged.push(entry);
  }
  return [...merged, ...older.slice(at)];
}

/**
 * The first `limit` records of an iterator overlaid by `dirty`, where undefined means deleted. `dirty` reaches at least as
 * far as its own `limit`-th record that is there.
 */
export async function readPage(
  iterator: RecordIterator,
  dirty: Page,
  limit: number,
  decode: (
    held: readonly [key: string, held: Buffer][],
  ) => Promise<readonly (readonly [key: string, value: unknown])[]>,
): Promise<[key: string, value: unknown][]> {
  const page: [string, unknown][] = [];
  const add = (key: string, value: unknown) => {
    if (value !== undefined && page.length < limit) page.push([key, value]);
  };
  let at = 0;
  while (page.length < limit) {
    const held = await iterator.nextv(Math.min(batchMax, limit - page.length));
    if (held.length === 0) break;
    for (const [key, value] of await decode(held)) {
      let next = dirty[at];
      for (; next !== undefined && compareKeys(next[0], key) < 0; next = dirty[++at]) add(next[0], next[1]);
      if (next?.[0] === key) {
        add(key, next[1]);
        at++;
      } else {
        add(key, value);
      }
    }
  }
  for (let next = dirty[at]; next !== undefined && page.length < limit; next = dirty[++at]) add(next[0], next[1]);
  return page;
}

export interface ScanOptions {
  /** Part of the time that it may take, (0, 1]. */
  readonly share: number;
  /** Stops it at once, also while it rests. */
  readonly signal: AbortSignal;
}

/**
 * Visits every record.
 * @returns false if it was stopped before the end
 */
export async function scan(
  iterator: RecordIterator,
  { share, signal }: ScanOptions,
  visit: (records: readonly [key: string, held: Buffer][]) => Promise<void>,
): Promise<boolean> {
  try {
    for (;;) {
      const startedMs = performance.now();
      if (signal.aborted) return false;
      const records = await iterator.nextv(batchMax);
      if (records.length === 0) return !signal.aborted;
      await visit(records);
      if (share < 1) await rest(((performance.now() - startedMs) * (1 - share)) / share, signal);
    }
  } finally {
    await iterator.close();
  }
}

/** Does not keep the process alive. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { ref: false, signal }).catch(() => undefined);
}
