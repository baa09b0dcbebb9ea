/**
 * What the engine keeps in memory beside the records, made from them when a store is opened.
 */
import type { Machine } from "../src/select/machine.js";
import type { PendingRecord } from "../src/select/pending.js";
import type { Demand } from "../src/select/types.js";
import type { Store } from "./types.js";

/** Records read at once. */
const loadPage = 10_000;

export async function loadIndexes(store: Pick<Store, "range">, machine: Machine): Promise<void> {
  const pending: [number, PendingRecord | string][] = [];
  for await (const [key, record] of all(store, "p\0", "p\u0001"))
    pending.push([Number(key.slice(2)), record as PendingRecord | string]);
  const demands: Demand[] = [];
  for await (const [, demand] of all(store, "q\0", "q\u0001")) demands.push(demand as Demand);
  machine.load(pending, demands);
}

async function* all(store: Pick<Store, "range">, first: string, lt: string): AsyncGenerator<[string, unknown]> {
  for (let gte = first; ;) {
    const page = await store.range({ gte, lt, limit: loadPage });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < loadPage) return;
    gte = `${last[0]}\0`;
  }
}
