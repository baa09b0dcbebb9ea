/**
 * Where a snapshot is gathered: in any pieces, across interruptions, and only what is whole on disk counts. Reliability
 * 30–32; H6–H9 as they are when the member pulls: a position is a key, and the store is what remembers it.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoredPair } from "../../cluster/archive-format.js";
import { compareKeys } from "../../cluster/key-order.js";
import { LevelIncoming } from "../../cluster/snapshot-incoming.js";
import { LevelStore } from "../../cluster/store.js";
import { encodeRecord, StateHash } from "../../cluster/store-record.js";
import { Random } from "./random.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slct-incoming-"));
});
afterEach(() => rm(dir, { recursive: true }));

const at = { index: 900, term: 4 };

function pairsOf(count: number): { pairs: StoredPair[]; trailer: { records: number; hash: string } } {
  const random = new Random(count);
  const hash = new StateHash();
  const pairs = Array.from({ length: count }, (_, n): StoredPair => {
    const key = `${n % 3 === 0 ? "s\0" : "d\0\u{1f600}"}${n}`;
    const { bytes, sum } = encodeRecord(key, random.bytes(200));
    hash.add(key, sum);
    return [key, bytes];
  });
  pairs.sort(([a], [b]) => compareKeys(a, b));
  return { pairs, trailer: { records: hash.records, hash: hash.digits } };
}

/** The store that it has become. */
async function expectWhole(count: number): Promise<void> {
  const store = await LevelStore.open({
    dir: join(dir, "incoming"),
    overlayBytesMax: 1 << 20,
    onError: (error) => {
      throw error;
    },
  });
  const { pairs, trailer } = pairsOf(count);
  expect([store.appliedIndex, store.appliedTerm]).toEqual([at.index, at.term]);
  expect(await store.stateHash()).toEqual({ index: at.index, hash: trailer.hash });
  const found = await store.range({ gte: "", lt: "\u{10ffff}", limit: 10_000 });
  expect(found.filter(([key]) => !key.startsWith("\0")).map(([key]) => key)).toEqual(pairs.map(([key]) => key));
  await store.verify();
  await store.close();
}

test("H6 pieces in order become a store, once the last one is there", async () => {
  const incoming = new LevelIncoming(dir);
  const { pairs, trailer } = pairsOf(1000);
  expect(await incoming.open("one")).toBe("");
  for (let n = 0; n < pairs.length; n += 90) await incoming.add(pairs.slice(n, n + 90));
  await incoming.complete(at, trailer);
  await expectWhole(1000);
});

test("H7 a piece that comes twice changes nothing", async () => {
  const incoming = new LevelIncoming(dir);
  const { pairs, trailer } = pairsOf(100);
  await incoming.open("one");
  for (const from of [0, 40, 20, 40, 60, 80]) await incoming.add(pairs.slice(from, from + 20));
  await incoming.complete(at, trailer);
  await expectWhole(100);
});

test("H8 after an interruption it goes on behind what is stored", async () => {
  const { pairs, trailer } = pairsOf(500);
  let from = 0;
  for (const count of [1, 120, 0, 250, 129]) {
    // Each time another run of the node, whether the one before was closed or killed.
    const incoming = new LevelIncoming(dir);
    expect(await incoming.open("one")).toBe(from === 0 ? "" : pairs[from - 1]?.[0]);
    await incoming.add(pairs.slice(from, from + count));
    from += count;
    await incoming.close();
  }
  const last = new LevelIncoming(dir);
  expect(await last.open("one")).toBe(pairs.at(-1)?.[0]);
  await last.complete(at, trailer);
  await expectWhole(500);
});

test("H9 another transfer begins anew: nothing of the one before is left", async () => {
  const { pairs } = pairsOf(500);
  const incoming = new LevelIncoming(dir);
  await incoming.open("one");
  await incoming.add(pairs);
  expect(await incoming.open("two")).toBe("");
  const { pairs: others, trailer } = pairsOf(120);
  await incoming.add(others);
  await incoming.complete(at, trailer);
  await expectWhole(120);
  expect(await incoming.open("three")).toBe("");
  await incoming.discard();
  expect(existsSync(join(dir, "incoming"))).toBe(false);
});

test("H6 what is not whole is not taken: a record lacks, is too many, or is another one", async () => {
  const { pairs, trailer } = pairsOf(50);
  const [changed = ["", Buffer.alloc(0)]] = pairs;
  const wrong: [string, readonly StoredPair[]][] = [
    ["lacks", pairs.slice(1)],
    ["too many", [...pairs, ["z\0", encodeRecord("z\0", 1).bytes]]],
    ["another one", [[changed[0], encodeRecord(changed[0], 1).bytes], ...pairs.slice(1)]],
  ];
  for (const [name, records] of wrong) {
    const incoming = new LevelIncoming(dir);
    await incoming.open(name);
    await incoming.add(records);
    await expect(incoming.complete(at, trailer), name).rejects.toMatchObject({ kind: "corrupt" });
    await incoming.discard();
  }
});

test("L6 files that a crash left damaged are not gone on with, and never taken", async () => {
  const { pairs, trailer } = pairsOf(1200);
  for (let seed = 0; seed < 8; seed++) {
    const random = new Random(seed);
    const first = new LevelIncoming(dir);
    await first.open("one");
    for (let n = 0; n < 800; n += 100) await first.add(pairs.slice(n, n + 100));
    await first.close();
    const name = (await readdir(join(dir, "incoming"))).filter((file) => file.endsWith(".log")).at(-1) ?? "";
    const file = join(dir, "incoming", name);
    const bytes = await readFile(file);
    if (seed % 2 === 0) {
      await truncate(file, random.below(bytes.length));
    } else {
      bytes[random.below(bytes.length)] = random.below(256);
      await writeFile(file, bytes);
    }
    const again = new LevelIncoming(dir);
    const after = await again.open("one");
    await again.add(pairs.filter(([key]) => compareKeys(key, after) > 0));
    await again.complete(at, trailer);
    await expectWhole(1200);
    await again.discard();
  }
});

test("a disk error shows, and the next attempt starts from a fresh handle", async () => {
  const { pairs, trailer } = pairsOf(100);
  const incoming = new LevelIncoming(dir);
  await incoming.open("one");
  await incoming.close();
  await expect(incoming.add(pairs)).rejects.toThrow("no snapshot is arriving");
  await incoming.open("one");
  await incoming.add(pairs);
  await incoming.complete(at, trailer);
  await expectWhole(100);
});
