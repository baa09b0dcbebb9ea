/**
 * The store: a map with an order, written behind the caller's back. Design decision 3.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareKeys } from "../../cluster/key-order.js";
import { LevelStore } from "../../cluster/store.js";
import { MapView } from "../../src/select/view-map.js";
import { viewContract } from "../contract/view.js";
import { Random } from "./random.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-store-"));
});
afterEach(() => rm(root, { recursive: true }));

const refuse = (error: unknown) => {
  throw error;
};

function openStore(name = "store", overlayBytesMax = 1 << 20): Promise<LevelStore> {
  return LevelStore.open({ dir: join(root, name), overlayBytesMax, onError: refuse });
}

viewContract("LevelStore", async () => {
  const store = await openStore();
  const settle = () => {
    store.advance(store.appliedIndex + 1, 1);
    return store.flush();
  };
  return { view: store, settle, close: () => settle().then(() => store.close()) };
});
viewContract("LevelStore that writes after every entry", async () => {
  const store = await openStore("store", 0);
  const settle = () => Promise.resolve(store.advance(store.appliedIndex + 1, 1));
  return { view: store, settle, close: () => settle().then(() => store.close()) };
});
viewContract("MapView", () =>
  Promise.resolve({ view: new MapView(), settle: () => Promise.resolve(), close: () => Promise.resolve() }),
);

describe("the order of keys", () => {
  test("is that of their UTF-8 bytes", () => {
    const keys = ["", "a", "a\0", "ab", "\u007f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\uffff"];
    keys.push("\u{10000}", "\u{10ffff}", "x\u{1f600}", "x\uff01", "x\u{1f600}a", "x\u{1f601}");
    for (const a of keys) {
      for (const b of keys) {
        expect(Math.sign(compareKeys(a, b)), JSON.stringify([a, b])).toBe(
          Buffer.compare(Buffer.from(a), Buffer.from(b)),
        );
      }
    }
  });
});

describe("a range", () => {
  const alphabet = ["a", "b", "\uff01", "\u{1f600}", "\ufffd", "\0", "é"];
  const keyOf = (random: Random) =>
    `k${Array.from({ length: 1 + random.below(3) }, () => alphabet[random.below(alphabet.length)]).join("")}`;

  test("is what a sorted map would give, wherever the records are", async () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = new Random(seed);
      const store = await openStore(`store${seed}`);
      const model = new Map<string, number>();
      for (let step = 1; step <= 250; step++) {
        const key = keyOf(random);
        if (random.below(3) === 0) {
          store.del(key);
          model.delete(key);
        } else {
          store.put(key, step);
          model.set(key, step);
        }
        store.advance(step, 1);
        if (random.below(12) === 0) {
          const flushed = store.flush();
          if (random.below(2) === 0) await flushed;
        }
        if (step % 5 !== 0) continue;
        const [gte, lt, limit] = [keyOf(random), keyOf(random), 1 + random.below(20)];
        const expected = [...model]
          .filter(([name]) => compareKeys(name, gte) >= 0 && compareKeys(name, lt) < 0)
          .sort(([a], [b]) => compareKeys(a, b))
          .slice(0, limit);
        expect(await store.range({ gte, lt, limit }), `seed ${seed}, step ${step}`).toEqual(expected);
      }
      await store.verify();
      await store.close();
    }
  });

  test("shows one applied index, although entries are applied and written while it is read", async () => {
    const store = await openStore();
    for (let n = 0; n < 3000; n++) store.put(`k${String(n).padStart(5, "0")}`, 0);
    store.advance(1, 1);
    await store.flush();
    for (let round = 1; round <= 5; round++) {
      for (let n = round; n < 3000; n += 2) store.put(`k${String(n).padStart(5, "0")}`, round);
      store.advance(round * 2, 1);
      const before = new Map(
        await Promise.all([store.range({ gte: "k", lt: "l", limit: 5000 })]).then(([page]) => page),
      );
      const reading = store.range({ gte: "k", lt: "l", limit: 5000 });
      for (let n = 0; n < 3000; n++) store.put(`k${String(n).padStart(5, "0")}`, -round);
      store.advance(round * 2 + 1, 1);
      const flushing = store.flush();
      expect(new Map(await reading)).toEqual(before);
      await flushing;
    }
    await store.close();
  });
});

describe("the hash of all records", () => {
  async function hashAfter(name: string, flushEvery: number, seed = 5): Promise<string> {
    const store = await openStore(name);
    const random = new Random(seed);
    for (let step = 1; step <= 400; step++) {
      const key = `k${random.below(60)}`;
      if (random.below(4) === 0) store.del(key);
      else store.put(key, { step, text: `v${random.below(9)}` });
      store.advance(step, 1);
      if (step % flushEvery === 0) await store.flush();
    }
    const { index, hash } = await store.stateHash();
    expect(index).toBe(400);
    await store.verify();
    await store.close();
    return hash;
  }

  test("does not depend on when and how records were written", async () => {
    const hashes = await Promise.all([1, 3, 50, 400].map((every) => hashAfter(`every${every}`, every)));
    expect(new Set(hashes).size).toBe(1);
  });

  test("differs when one record does, and is that of nothing when all are gone", async () => {
    expect(await hashAfter("a", 7, 5)).not.toBe(await hashAfter("b", 7, 6));
    const store = await openStore("c");
    const empty = await store.stateHash();
    store.put("k", 1);
    store.advance(1, 1);
    const one = await store.stateHash();
    store.del("k");
    store.advance(2, 1);
    const none = await store.stateHash();
    expect(one.hash).not.toBe(empty.hash);
    expect(none).toEqual({ index: 2, hash: empty.hash });
    await store.close();
  });
});

describe("writing", () => {
  test("is lazy, starts by itself when enough is dirty, and what comes meanwhile is not lost", async () => {
    const store = await openStore("store", 20_000);
    const body = Buffer.alloc(1000, 1);
    for (let index = 1; index <= 10; index++) {
      store.put(`k${index}`, body);
      store.advance(index, 3);
    }
    expect(store.flushedIndex).toBe(0);
    for (let index = 11; index <= 200; index++) {
      store.put(`k${index}`, body);
      store.advance(index, 3);
    }
    // Everything was applied in one go: the first batch is under way, the second overlay is far over its share.
    expect(store.congested).toBe(true);
    await store.flush();
    expect([store.flushedIndex, store.appliedTerm, store.congested]).toEqual([200, 3, false]);
    await store.close();
    const again = await openStore("store", 20_000);
    expect([again.appliedIndex, again.appliedTerm, again.flushedIndex]).toEqual([200, 3, 200]);
    for (let index = 1; index <= 200; index++) expect(again.get(`k${index}`)).toEqual(body);
    expect(await again.sizeBytes()).toBeGreaterThan(0);
    await again.close();
  });

  test("takes whole entries only", async () => {
    const store = await openStore();
    store.put("k", 1);
    await expect(store.flush()).rejects.toThrow(/whole entries/);
    store.advance(1, 1);
    await store.close();
  });

  test("moves the applied index on even if entries changed nothing", async () => {
    const store = await openStore();
    store.advance(7, 2);
    await store.flush();
    expect(store.flushedIndex).toBe(7);
    await store.close();
    const again = await openStore();
    expect([again.appliedIndex, again.appliedTerm]).toEqual([7, 2]);
    await again.close();
  });
});

test("a directory serves one process", async () => {
  const store = await openStore();
  await expect(openStore()).rejects.toMatchObject({ kind: "in_use" });
  await store.close();
  await (await openStore()).close();
});

test("closing does not wait for a check that takes its time", async () => {
  const store = await openStore();
  store.put("a", 1);
  store.advance(1, 1);
  await store.flush();
  // It would rest for an hour after the first records.
  const checked = store.verify({ share: 1e-7 });
  await store.close();
  await checked;
});

test("a closed store refuses", async () => {
  const store = await openStore();
  await store.close();
  expect(() => store.get("k")).toThrow(/closed/);
  expect(() => store.put("k", 1)).toThrow(/closed/);
  await expect(store.range({ gte: "a", lt: "b", limit: 1 })).rejects.toThrow(/closed/);
});
