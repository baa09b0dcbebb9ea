/**
 * Large records beside LevelDB when something goes on meanwhile, or goes wrong. docs/decisions/010-large-records.md.
 */
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeDirectory } from "../../cluster/directory.js";
import { armFailpoints, type Site } from "../../cluster/failpoint.js";
import { LevelRecords } from "../../cluster/level-records.js";
import { appliedKey, encodeRecord, StateHash } from "../../cluster/store-record.js";
import { LevelStore } from "../../cluster/store.js";
import { copyAsCrashed } from "./crash-copy.js";
import { Random } from "./random.js";

const MiB = 1024 * 1024;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-values-crash-"));
});
afterEach(async () => {
  armFailpoints(undefined);
  await rm(root, { recursive: true });
});

const dirOf = (name: string) => join(root, name);
const valuesOf = (name: string) => join(root, name, "values");
const failed = (error: unknown): void => expect.fail(String(error));

interface Sizes {
  readonly name?: string;
  readonly valueFileBytes?: number;
  readonly onError?: (error: unknown) => void;
}

function openStore({ name = "store", valueFileBytes = 32 * 1024, onError = failed }: Sizes = {}): Promise<LevelStore> {
  return LevelStore.open({ dir: dirOf(name), overlayBytesMax: 64 * MiB, valueFileBytes, onError });
}

function put(store: LevelStore, keys: readonly string[], value: (at: number) => Buffer): Promise<void> {
  for (const [at, key] of keys.entries()) store.put(key, value(at));
  store.advance(store.appliedIndex + 1, 1);
  return store.flush();
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `k${n}`);

describe("a write of the store", () => {
  test("may fill a file in which much is dead already", async () => {
    const store = await openStore({ valueFileBytes: 3 * MiB });
    // A file is then full in the middle of a write that leaves most of what was in it before dead.
    for (let round = 0; round < 6; round++) await put(store, names(120), (at) => Buffer.alloc(20_000, at + round));
    await store.verify();
    await store.close();
  });

  test("looks at so much of a file as is in proportion to what it writes", async () => {
    const store = await openStore({ valueFileBytes: 8 * MiB });
    const keys = names(420);
    await put(store, keys, (at) => Buffer.alloc(20_000, at % 256));
    const drop = (some: readonly string[]): Promise<void> => {
      for (const key of some) store.del(key);
      store.advance(store.appliedIndex + 1, 1);
      return store.flush();
    };
    await drop(keys.filter((_, at) => at % 2 === 0).slice(1));
    const isThere = async () => (await readdir(valuesOf("store"))).includes("00000001.values");
    let writes = 0;
    // Now half of it is dead.
    for (await drop(["k0", "k1", "k3"]); await isThere(); writes++)
      await put(store, ["k419"], () => Buffer.alloc(1500, writes));
    expect(writes).toBe(2);
    await store.verify();
    await store.close();
  });

  test("leaves what is read meanwhile where the reader looks for it", async () => {
    const store = await openStore();
    const keys = names(1500);
    await put(store, keys, (at) => Buffer.alloc(1200, at % 256));
    let checked: Promise<void> | undefined;
    armFailpoints((site) => {
      if (site === "store.before-flush") checked ??= store.verify({ share: 0.2 });
    });
    await put(store, keys, (at) => Buffer.alloc(1200, (at + 1) % 256));
    await put(store, ["last"], () => Buffer.alloc(10));
    await checked;
    expect(checked).toBeDefined();
    await store.close();
  });

  test("keeps for a reader no file that is newer than what it reads", async () => {
    const store = await openStore();
    const keys = names(50);
    await put(store, keys, (at) => Buffer.alloc(4000, at));
    const there = await readdir(valuesOf("store"));
    const view = await store.readView();
    for (let round = 0; round < 10; round++) await put(store, keys, (at) => Buffer.alloc(4000, at + round));
    const kept = await readdir(valuesOf("store"));
    expect(kept).toEqual(expect.arrayContaining(there));
    // Twice what is alive, and the file in use.
    expect(kept.length).toBeLessThan(there.length * 3 + 2);
    await view.close();
    await store.close();
  });
});

describe("a crash", () => {
  test("leaves no bytes behind that nobody counts", async () => {
    const store = await openStore();
    await put(store, ["a"], () => Buffer.alloc(5000, 1));
    copyAsCrashed(dirOf("store"), dirOf("crashed"));
    await store.close();
    const file = join(valuesOf("crashed"), "00000001.values");
    const { size } = await stat(file);
    await appendFile(file, Buffer.alloc(30_000, 9));
    const again = await openStore({ name: "crashed" });
    expect((await stat(file)).size).toBe(size);
    await put(again, ["b"], () => Buffer.alloc(5000, 2));
    await again.verify();
    expect(again.get("a")).toEqual(Buffer.alloc(5000, 1));
    await again.close();
  });

  const sites: readonly Site[] = ["values.before-sync", "store.before-flush", "store.after-flush"];

  test.each(sites)("at %s leaves the records of before or after", async (crashSite) => {
    const random = new Random(7);
    const keys = names(30);
    const value = (round: number, at: number): Buffer => Buffer.alloc(1 + ((at * 977 + round * 131) % 6000), round);
    let store = await openStore({ name: "s0" });
    await put(store, keys, (at) => value(0, at));
    let before = store.appliedIndex;
    for (let round = 1; round <= 25; round++) {
      const [from, to] = [`s${round - 1}`, `s${round}`];
      armFailpoints((site) => {
        if (site !== crashSite) return;
        armFailpoints(undefined);
        copyAsCrashed(dirOf(from), dirOf(to));
      });
      const some = keys.filter(() => random.below(2) === 0);
      await put(store, some, () => value(round, random.below(100)));
      await store.close();
      store = await openStore({ name: to });
      expect([before, before + 1]).toContain(store.appliedIndex);
      await store.verify();
      before = store.appliedIndex;
    }
    await store.close();
  });
});

test("a start goes on with the last file", async () => {
  for (let start = 0; start < 12; start++) {
    const store = await openStore({ valueFileBytes: MiB });
    await put(store, [`k${start}`], () => Buffer.alloc(3000, start));
    await store.close();
  }
  expect(await readdir(valuesOf("store"))).toEqual(["00000001.values"]);
  const store = await openStore({ valueFileBytes: MiB });
  await store.verify();
  for (let start = 0; start < 12; start++) expect(store.get(`k${start}`)).toEqual(Buffer.alloc(3000, start));
  await store.close();
});

test("a pointer that LevelDB changed in silence is damage when its record is replaced", async () => {
  const first = await openStore();
  await put(first, ["k"], () => Buffer.alloc(3000, 1));
  await first.close();
  const { records } = await LevelRecords.open(dirOf("store"));
  const pointer = await records.db.get("k");
  for (let bit = 0; bit < (pointer?.length ?? 0) * 8; bit++) {
    const flipped = Buffer.from(pointer ?? []);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await records.db.put("k", flipped);
    expect(() => records.headSync("k"), `bit ${bit}`).toThrow(/is not what was stored/);
  }
  await records.close();
});

test("a store from before there were such files is read, and written on", async () => {
  await makeDirectory(dirOf("store"));
  const { records } = await LevelRecords.open(dirOf("store"));
  const hash = new StateHash();
  const old = Object.fromEntries(names(5).map((key, at) => [key, Buffer.alloc(5000, at)]));
  for (const [key, value] of Object.entries(old)) {
    const { bytes, sum } = encodeRecord(key, value);
    hash.add(key, sum);
    await records.db.put(key, bytes);
  }
  await records.db.put(appliedKey, encodeRecord(appliedKey, [1, 7, 2, ...hash.parts, true]).bytes, { sync: true });
  await records.close();
  const store = await openStore();
  expect([store.appliedIndex, store.appliedTerm]).toEqual([7, 2]);
  expect((await store.stateHash()).hash).toBe(hash.digits);
  await put(store, ["k0"], () => Buffer.alloc(5000, 99));
  await store.verify();
  await store.close();
  const again = await openStore();
  expect([again.get("k0"), again.get("k1")]).toEqual([Buffer.alloc(5000, 99), old["k1"]]);
  await again.verify();
  await again.close();
});

test("a store may be closed while much is read from it", async () => {
  const errors: unknown[] = [];
  const store = await openStore({ onError: (error) => errors.push(error) });
  await put(store, names(500), (at) => Buffer.alloc(4000, at % 256));
  const reads = Array.from({ length: 10 }, () => store.range({ gte: "k", lt: "l", limit: 500 }));
  const ended = Promise.allSettled(reads);
  await store.close();
  await ended;
  expect(errors).toEqual([]);
});

test("a file of values that cannot be written ends the store", async () => {
  const errors: unknown[] = [];
  const store = await openStore({ onError: (error) => errors.push(error) });
  await rm(valuesOf("store"), { recursive: true });
  const io = expect.objectContaining({ kind: "io" }) as unknown;
  await expect(put(store, ["k"], () => Buffer.alloc(5000))).rejects.toEqual(io);
  expect(() => store.get("k")).toThrow();
  expect(errors).toEqual([io]);
  await store.close();
});

test("a store that turned out to be damaged during a write is closed when that has ended", async () => {
  const errors: unknown[] = [];
  let store = await openStore();
  await put(store, ["damaged"], () => Buffer.alloc(40_000, 1));
  await store.close();
  const file = join(valuesOf("store"), "00000001.values");
  await writeFile(file, (await readFile(file)).fill(7, 20_000, 20_001));
  store = await openStore({ onError: (error) => errors.push(error) });
  const passed: Site[] = [];
  let closed: Promise<void> | undefined;
  armFailpoints((site) => {
    passed.push(site);
    if (site !== "values.before-sync" || closed !== undefined) return;
    expect(() => store.get("damaged")).toThrow(/not what was stored/);
    closed = store.close();
  });
  await put(store, ["k"], () => Buffer.alloc(5000)).catch(() => undefined);
  await closed;
  expect(passed).toEqual(["values.before-sync", "store.before-flush", "store.after-flush"]);
  expect(errors).toHaveLength(1);
});
