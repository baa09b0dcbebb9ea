/**
 * No snapshot of LevelDB outlives a write, and checks and views do without one. Decision 029.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LevelRecords } from "../../cluster/level-records.js";
import { LevelStore } from "../../cluster/store.js";
import { encodeRecord } from "../../cluster/store-record.js";
import { Random } from "./random.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-snapshots-"));
});
afterEach(() => rm(root, { recursive: true }));

const openStore = () =>
  LevelStore.open({
    dir: join(root, "store"),
    overlayBytesMax: 64 * 1024,
    onError: (error) => {
      throw error;
    },
  });

test("a write waits for iterators, and iterators for a write", async () => {
  const { records } = await LevelRecords.open(root);
  const order: string[] = [];
  let release: () => void = () => undefined;
  const read = records.iterate({}, () => new Promise<void>((resolve) => (release = resolve)));
  const { bytes } = encodeRecord("key", 1);
  const done = [
    read.then(() => order.push("read")),
    records.write(records.db.batch().put("key", bytes)).then(() => order.push("written")),
    records.iterate({}, (iterator) => iterator.nextv(10)).then((page) => order.push(`found ${page.length}`)),
  ];
  // Were it not kept back, the write would be over long before so many others are.
  for (let n = 0; n < 200; n++) await readdir(root);
  expect(order).toEqual([]);
  release();
  await Promise.all(done);
  expect(order).toEqual(["read", "written", "found 1"]);
  await records.close();
});

test("nobody else opens iterators or snapshots of the store's LevelDB", () => {
  const dir = join(import.meta.dirname, "../../cluster");
  const opens = (file: string) => /db\.(iterator|snapshot)\(/.test(readFileSync(join(dir, file), "utf8"));
  const users = readdirSync(dir).filter(opens);
  expect(users.sort()).toEqual(["level-records.ts", "store-view.ts"]);
});

test.each([1, 2, 3])("a check of all records follows what is written meanwhile, seed %d", async (seed) => {
  const random = new Random(seed);
  const store = await openStore();
  const change = (): void => {
    for (let n = 0; n < 40; n++) {
      const key = `key-${random.below(6000)}`;
      if (random.below(4) === 0) store.del(key);
      else store.put(key, { n, filling: "x".repeat(random.below(random.below(20) === 0 ? 3000 : 60)) });
    }
    store.advance(store.appliedIndex + 1, 1);
  };
  for (let n = 0; n < 300; n++) change();
  for (let pass = 0; pass < 4; pass++) {
    let isOver = false;
    const check = store.verify({ share: 0.3 }).finally(() => (isOver = true));
    const before = store.flushedIndex;
    while (!isOver) {
      change();
      await store.flush();
    }
    await check;
    expect(store.flushedIndex).toBeGreaterThan(before + 1);
  }
  await store.close();
});

test("a view leaves nothing behind, and what a crash left is removed", async () => {
  const views = join(root, "store", "views");
  mkdirSync(join(views, "7"), { recursive: true });
  writeFileSync(join(views, "7", "000005.ldb"), "of an earlier run");
  const store = await openStore();
  expect(existsSync(views)).toBe(false);
  store.put("key", 1);
  store.advance(1, 1);
  const kept = [await store.readView(), await store.readView()];
  expect(await readdir(views)).toEqual(["1", "2"]);
  await kept[0]?.close();
  expect(await readdir(views)).toEqual(["2"]);
  await store.close();
  expect(await readdir(views)).toEqual([]);
  await kept[1]?.close();
});
