/**
 * Read views: all records of one index, beside everything else. Reliability 34, 35, H18, H19, L11.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LevelStore } from "../../cluster/store.js";
import { decodeRecord, StateHash } from "../../cluster/store-record.js";
import type { ReadView } from "../../cluster/types.js";

let root: string;
const errors: unknown[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-view-"));
});
afterEach(async () => {
  await rm(root, { recursive: true });
  errors.length = 0;
});

function openStore(): Promise<LevelStore> {
  return LevelStore.open({
    dir: join(root, "store"),
    overlayBytesMax: 16 * 1024,
    onError: (error) => errors.push(error),
  });
}

/** Every entry changes all records: those of a view must all be of its index. */
function applyNext(store: LevelStore, records = 200): void {
  const index = store.appliedIndex + 1;
  for (let n = 0; n < records; n++) store.put(`k${n}`, { index, filling: "x".repeat(50) });
  if (index % 2 === 0) store.del("odd");
  else store.put("odd", { index, filling: "" });
  store.advance(index, 3);
}

async function contents(view: ReadView, after = ""): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for await (const page of view.pages(after)) for (const [key, stored] of page) found.set(key, decodeRecord(stored));
  return found;
}

function expectExactly(index: number, found: ReadonlyMap<string, unknown>, records = 200): void {
  expect(found.size).toBe(records + (index % 2));
  expect(new Set([...found.values()].map((value) => (value as { index: number }).index))).toEqual(new Set([index]));
}

async function drain(pages: AsyncIterable<unknown> | undefined): Promise<void> {
  for await (const page of pages ?? []) expect(page).toBeDefined();
}

test("H18 it is exact at its index, while entries are applied and written", async () => {
  const store = await openStore();
  for (let round = 0; round < 20; round++) {
    applyNext(store);
    const before = store.appliedIndex;
    const taking = store.readView();
    for (let n = 0; n < 3; n++) applyNext(store);
    const view = await taking;
    expect(view.index).toBeGreaterThanOrEqual(before);
    expect(view.term).toBe(3);
    const reading = contents(view);
    // Nothing waits for the reader: entries are applied and written to the end.
    for (let n = 0; n < 3; n++) applyNext(store);
    await store.flush();
    expect(store.flushedIndex).toBe(before + 6);
    expectExactly(view.index, await reading);
    expect((view.get("k0") as { index: number }).index).toBe(view.index);
    const hash = new StateHash();
    for await (const page of view.pages("")) for (const [key, stored] of page) hash.add(key, stored.readUInt32LE());
    expect([view.records, view.hash]).toEqual([hash.records, hash.digits]);
    await view.close();
  }
  await store.close();
  expect(errors).toEqual([]);
});

test("H19 several at once, of different indexes, each exact", async () => {
  const store = await openStore();
  const views: ReadView[] = [];
  for (let n = 0; n < 6; n++) {
    applyNext(store);
    views.push(await store.readView());
    if (n % 2 === 0) views.push(...(await Promise.all([store.readView(), store.readView()])));
  }
  applyNext(store);
  await store.flush();
  await Promise.all(views.map(async (view) => expectExactly(view.index, await contents(view))));
  expect(new Set(views.map(({ index }) => index))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  for (const view of views) await view.close();
  await store.close();
  expect(errors).toEqual([]);
});

test("it begins behind any key", async () => {
  const store = await openStore();
  applyNext(store, 30);
  const view = await store.readView();
  const all = [...(await contents(view)).keys()];
  for (const [position, key] of all.entries())
    expect([...(await contents(view, key)).keys()]).toEqual(all.slice(position + 1));
  await view.close();
  await store.close();
});

test("a view of an empty store is of index 0", async () => {
  const store = await openStore();
  const view = await store.readView();
  expect([view.index, view.term, view.records, [...(await contents(view))]]).toEqual([0, 0, 0, []]);
  await view.close();
  await store.close();
});

test("closing the store or the view ends the reading, and is no failure of the store", async () => {
  const store = await openStore();
  applyNext(store, 5000);
  const views = [await store.readView(), await store.readView()];
  const pages = views.map((view) => view.pages(""));
  for (const one of pages) await one.next();
  await views[0]?.close();
  await expect(drain(pages[0])).rejects.toThrow("closed");
  const closing = store.close();
  await expect(drain(pages[1])).rejects.toThrow("closed");
  await closing;
  expect(errors).toEqual([]);
});

test("L11 a record that is not what was stored ends the store, and is not given out", async () => {
  const written = await openStore();
  applyNext(written, 3000);
  await written.close();
  // Opening moves what stands in LevelDB's log into a table.
  await (await openStore()).close();
  for (const name of (await readdir(join(root, "store"))).filter((one) => one.endsWith(".ldb"))) {
    const file = join(root, "store", name);
    const bytes = await readFile(file);
    const at = Math.floor(bytes.length / 2);
    for (let n = 0; n < 16; n++) bytes[at + n] = (bytes[at + n] ?? 0) ^ 0x10;
    await writeFile(file, bytes);
  }
  const store = await openStore();
  const view = await store.readView();
  await expect(contents(view)).rejects.toMatchObject({ name: "StorageError", kind: "corrupt" });
  expect(errors).toHaveLength(1);
  expect(() => store.get("k1")).toThrow("Corruption");
  await store.close();
});

test("the store's size is measured while views come and go", async () => {
  const store = await openStore();
  for (let n = 0; n < 20; n++) applyNext(store);
  let isOver = false;
  const comeAndGo = async () => {
    while (!isOver) await (await store.readView()).close();
  };
  const gone = comeAndGo();
  for (let round = 0; round < 500; round++) expect(await store.sizeBytes()).toBeGreaterThan(0);
  isOver = true;
  await gone;
  await store.close();
  expect(await store.sizeBytes()).toBeGreaterThan(0);
  await rm(join(root, "store"), { recursive: true });
  expect(await store.sizeBytes()).toBe(0);
  expect(errors).toEqual([]);
});
