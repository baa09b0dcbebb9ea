/**
 * Walks over LevelDB in key order: one page merged with dirty records, and the pace of reading everything.
 */
import { setTimeout as pause } from "node:timers/promises";
import { compareKeys } from "./key-order.js";

/** What is used of a LevelDB iterator. Its view is that of the moment it was made. */
export interface RecordIterator {
  nextv(size: number): Promise<[string, Buffer][]>;
}

type Page = readonly (readonly [key: string, value: unknown])[];

/** One read of an iterator: at most so many records, and no more once it has so many bytes. */
export const pageMax = 1000;
export const pageBytes = 128 * 1024;

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

/** A record of a page: a value that is in memory, or what LevelDB holds. */
export type Picked = readonly [key: string, one: { readonly value: unknown } | { readonly held: Buffer }];

/**
 * The first `limit` records of an iterator overlaid by `dirty`, where undefined means deleted. `dirty` reaches at least as
 * far as its own `limit`-th record that is there.
 */
export async function pickPage(iterator: RecordIterator, dirty: Page, limit: number): Promise<Picked[]> {
  const page: Picked[] = [];
  const add = (key: string, value: unknown) => {
    if (value !== undefined && page.length < limit) page.push([key, { value }]);
  };
  let at = 0;
  while (page.length < limit) {
    const held = await iterator.nextv(Math.min(pageMax, limit - page.length));
    if (held.length === 0) break;
    for (const [key, stored] of held) {
      let next = dirty[at];
      for (; next !== undefined && compareKeys(next[0], key) < 0; next = dirty[++at]) add(next[0], next[1]);
      if (next?.[0] === key) {
        add(key, next[1]);
        at++;
      } else if (page.length < limit) {
        page.push([key, { held: stored }]);
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

/** After work of `busyMs`, so long that it has no more than its share. */
export async function restFor(busyMs: number, { share, signal }: ScanOptions): Promise<void> {
  if (share >= 1 || signal.aborted) return;
  const ms = (busyMs * (1 - share)) / share;
  // Does not keep the process alive.
  await pause(ms, undefined, { ref: false, signal }).catch(() => undefined);
}
