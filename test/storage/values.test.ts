/**
 * Large records: beside LevelDB, moved when half of their file is dead. docs/decisions/010-large-records.md.
 */
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LevelRecords } from "../../cluster/level-records.js";
import { decodeRecord, encodeBytesHead, encodeRecord, largeBytes, StateHash } from "../../cluster/store-record.js";
import { LevelStore } from "../../cluster/store.js";
import type { StorageError } from "../../cluster/storage-error.js";
import { frameBytes, frameHead } from "../../cluster/value-frame.js";
import { copyAsCrashed } from "./crash-copy.js";
import { Random } from "./random.js";

const fileBytes = 32 * 1024;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-values-"));
});
afterEach(() => rm(root, { recursive: true }));

const dirOf = (name: string) => join(root, name);
const valuesOf = (name: string) => join(root, name, "values");

function openStore(
  name = "store",
  onError = (error: unknown): void => expect.fail(String(error)),
): Promise<LevelStore> {
  return LevelStore.open({ dir: dirOf(name), overlayBytesMax: 16 * 1024, valueFileBytes: fileBytes, onError });
}

async function write(store: LevelStore, records: Readonly<Record<string, Buffer | undefined>>): Promise<void> {
  for (const [key, value] of Object.entries(records)) {
    if (value === undefined) store.del(key);
    else store.put(key, value);
  }
  store.advance(store.appliedIndex + 1, 1);
  await store.flush();
}

async function diskBytes(name: string): Promise<number> {
  const files = await readdir(valuesOf(name));
  const sizes = await Promise.all(files.map((file) => stat(join(valuesOf(name), file))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

function hashOf(model: ReadonlyMap<string, Buffer>): string {
  const hash = new StateHash();
  for (const [key, value] of model) hash.add(key, encodeRecord(key, value).sum);
  return hash.digits;
}

const stands = (key: string, value: Buffer): number => frameBytes(key, encodeRecord(key, value).bytes.length);

describe("a large record", () => {
  test.each([largeBytes, 0xffff, 0x10000, 3_000_000])("of %i bytes is the same without a copy", (length) => {
    const value = Buffer.alloc(length, 7);
    const { bytes, sum } = encodeBytesHead("key", value);
    expect({ bytes: Buffer.concat([bytes, value]), sum }).toEqual(encodeRecord("key", value));
  });

  test("is not in LevelDB, and comes back after the store was closed", async () => {
    const large = Buffer.alloc(100_000, 7);
    const small = Buffer.alloc(100, 8);
    const store = await openStore();
    await write(store, { large, small });
    await store.close();
    expect(await diskBytes("store")).toBe(stands("large", large));
    const again = await openStore();
    expect([again.get("large"), again.get("small")]).toEqual([large, small]);
    expect(await again.range({ gte: "a", lt: "z", limit: 9 })).toEqual([
      ["large", large],
      ["small", small],
    ]);
    await again.close();
  });

  test("may have any size around the limit", async () => {
    const store = await openStore();
    const sizes = Array.from({ length: 12 }, (_, n) => largeBytes - 9 + n);
    const values = Object.fromEntries(sizes.map((size) => [`k${size}`, Buffer.alloc(size, size % 256)]));
    await write(store, values);
    await store.close();
    const again = await openStore();
    for (const [key, value] of Object.entries(values)) expect(again.get(key)).toEqual(value);
    await again.verify();
    await again.close();
  });

  test("that the batch of its pointer did not follow is forgotten", async () => {
    const store = await openStore();
    await write(store, { a: Buffer.alloc(5000, 1) });
    copyAsCrashed(dirOf("store"), dirOf("crashed"));
    await store.close();
    await appendFile(join(valuesOf("crashed"), "00000001.values"), Buffer.alloc(3000, 9));
    await writeFile(join(valuesOf("crashed"), "00000002.values"), Buffer.alloc(3000, 9));
    const again = await openStore("crashed");
    expect(await readdir(valuesOf("crashed"))).toEqual(["00000001.values"]);
    await write(again, { b: Buffer.alloc(5000, 2) });
    await again.verify();
    expect([again.get("a"), again.get("b")]).toEqual([Buffer.alloc(5000, 1), Buffer.alloc(5000, 2)]);
    await again.close();
  });
});

describe("collecting", () => {
  interface Run {
    readonly name: string;
    readonly store: LevelStore;
  }

  /** Goes on with the store as it is, closed in order, or as a crash leaves it. */
  async function goOn({ name, store }: Run, random: Random): Promise<Run> {
    if (random.below(10) > 0) return { name, store };
    if (random.below(2) === 0) {
      await store.close();
      return { name, store: await openStore(name) };
    }
    const copy = `${name}x`;
    copyAsCrashed(dirOf(name), dirOf(copy));
    await store.close();
    return { name: copy, store: await openStore(copy) };
  }

  test.each([1, 2, 3])("loses nothing and bounds what is dead, seed %i", async (seed) => {
    const random = new Random(seed);
    const model = new Map<string, Buffer>();
    let run: Run = { name: "s", store: await openStore("s") };
    for (let step = 1; step <= 60; step++) {
      const changes: Record<string, Buffer | undefined> = {};
      for (let n = 0; n < 1 + random.below(20); n++) {
        const key = `k${random.below(80)}`;
        changes[key] = random.below(5) === 0 ? undefined : random.bytes(1 + random.below(6000));
      }
      await write(run.store, changes);
      for (const [key, value] of Object.entries(changes)) {
        if (value === undefined) model.delete(key);
        else model.set(key, value);
      }
      run = await goOn(run, random);
      const some = `k${random.below(80)}`;
      expect(run.store.get(some)).toEqual(model.get(some));
      expect((await run.store.stateHash()).hash).toBe(hashOf(model));
    }
    await run.store.verify();
    await run.store.close();
    await expectAccounts(run.name, model);
  });

  /** What the mark says is alive is what is, and the files hold little more than twice as much. */
  async function expectAccounts(name: string, model: ReadonlyMap<string, Buffer>): Promise<void> {
    const { records, applied } = await LevelRecords.open(dirOf(name));
    await records.close();
    const inFiles = [...model].filter(([key, value]) => encodeRecord(key, value).bytes.length >= largeBytes);
    const alive = inFiles.reduce((sum, [key, value]) => sum + stands(key, value), 0);
    expect(applied.values.reduce((sum, { bytes, dead }) => sum + bytes - dead, 0)).toBe(alive);
    expect(await diskBytes(name)).toBeLessThan(2 * alive + 4 * fileBytes);
  }

  test("leaves a view its files, and removes them when it is closed", async () => {
    const store = await openStore();
    const first = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, Buffer.alloc(4000, n)]));
    await write(store, first);
    const view = await store.readView();
    const before = await readdir(valuesOf("store"));
    for (let round = 0; round < 5; round++) {
      await write(store, Object.fromEntries(Object.keys(first).map((key) => [key, Buffer.alloc(4000, 100 + round)])));
    }
    expect(await readdir(valuesOf("store"))).toEqual(expect.arrayContaining(before));
    for await (const page of view.pages(""))
      for (const [key, stored] of page) expect(decodeRecord(stored)).toEqual(first[key]);
    expect(view.get("k3")).toEqual(first["k3"]);
    await view.close();
    await write(store, { last: Buffer.alloc(10) });
    const after = await readdir(valuesOf("store"));
    expect(after.filter((file) => before.slice(0, -1).includes(file))).toEqual([]);
    await store.close();
  });
});

describe("damage", () => {
  const recordStart = frameHead("k0", 0).length;
  /** So many that a file is full, and not gone on with. */
  const records = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`k${n}`, Buffer.alloc(3000, n)]));

  async function stored(): Promise<string> {
    const store = await openStore();
    await write(store, records);
    await store.close();
    return join(valuesOf("store"), "00000001.values");
  }

  test("of a record is found when it is read, by whoever reads it", async () => {
    const file = await stored();
    const bytes = await readFile(file);
    bytes[recordStart + 1000] = 0xff;
    await writeFile(file, bytes);
    const corrupt = expect.objectContaining({ kind: "corrupt" }) as StorageError;
    const errors: unknown[] = [];
    for (const read of [
      (store: LevelStore) => Promise.resolve().then(() => store.get("k0")),
      (store: LevelStore) => store.range({ gte: "k0", lt: "k1", limit: 1 }),
      (store: LevelStore) => store.verify(),
      async (store: LevelStore) => {
        const view = await store.readView();
        for await (const page of view.pages("")) void page;
      },
    ]) {
      const store = await openStore("store", (error) => errors.push(error));
      expect(store.get("k1")).toEqual(records["k1"]);
      await expect(read(store)).rejects.toEqual(corrupt);
      await store.close().catch(() => undefined);
    }
    expect(errors).toEqual([corrupt, corrupt, corrupt, corrupt]);
  });

  test.each([
    ["the length of a record", 0],
    ["the length of a key", 4],
    ["a key", recordStart - 1],
    ["a record", recordStart + 500],
    ["the length of a record that is dead", stands("k0", Buffer.alloc(3000))],
  ])("of %s is never moved on as if it were right", async (_, offset) => {
    const file = await stored();
    const bytes = await readFile(file);
    bytes[offset] = (bytes[offset] ?? 0) ^ 0x01;
    await writeFile(file, bytes);
    const errors: unknown[] = [];
    const store = await openStore("store", (error) => errors.push(error));
    // All but the damaged one are replaced, so the file is collected.
    const others = Object.fromEntries(Object.keys(records).map((key) => [key, Buffer.alloc(3000, 99)]));
    delete others["k0"];
    const read = write(store, others).then(() => store.get("k0"));
    await expect(read).rejects.toMatchObject({ kind: "corrupt" });
    expect(errors).toHaveLength(1);
    await store.close().catch(() => undefined);
  });

  test("a file that is missing or too short is found when the store is opened", async () => {
    const file = await stored();
    await truncate(file, 20_000);
    await expect(openStore()).rejects.toMatchObject({ kind: "corrupt" });
    await unlink(file);
    await expect(openStore()).rejects.toMatchObject({ kind: "corrupt" });
  });
});
