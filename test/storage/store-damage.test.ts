/**
 * Damage to LevelDB's files: LevelDB itself may say nothing (reliability 0.2). Each read gives the right value or an error;
 * a record that silently vanished is found when all are checked; the applied index is one that was written.
 */
import { mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LevelStore } from "../../cluster/store.js";
import { copyAsCrashed } from "./crash-copy.js";
import { Random } from "./random.js";

type Model = ReadonlyMap<string, Buffer>;

let root: string;
/** Contents by applied index, for every batch that was written. */
const models = new Map<number, Model>([[0, new Map()]]);
const batches = 40;
const recordsMax = 400;
let copies = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-damage-"));
  const dir = join(root, "origin");
  const random = new Random(1);
  const model = new Map<string, Buffer>();
  const write = async (store: LevelStore, index: number, below: number) => {
    for (let n = 0; n < 20; n++) {
      const key = `s\0${random.below(below)}`;
      if (random.below(5) === 0) {
        store.del(key);
        model.delete(key);
      } else {
        const value = random.bytes(100 + random.below(400));
        store.put(key, value);
        model.set(key, value);
      }
    }
    store.advance(index, 1);
    await store.flush();
    models.set(index, new Map(model));
  };
  const open = () => LevelStore.open({ dir, overlayBytesMax: 1 << 30, onError: () => undefined });
  const first = await open();
  for (let index = 1; index <= batches; index++) await write(first, index, recordsMax);
  await first.close();
  // Opening moves what was written so far into a table; the second half stays in LevelDB's log. Most of the table counts.
  const second = await open();
  for (let index = batches + 1; index <= 2 * batches; index++) await write(second, index, recordsMax / 4);
  copyAsCrashed(dir, join(root, "crashed"));
  await second.close();
});
afterAll(() => rm(root, { recursive: true }));

/** Anything else would end the node again and again instead of having the records from the other members. */
const repairable = { name: "StorageError", kind: "corrupt" };

type Verdict = "refused at opening" | "found when read" | "found when checked" | "exact";

/** Opens the damaged copy, reads everything, checks everything. */
async function examine(dir: string, what: string): Promise<{ verdict: Verdict; message: string }> {
  let reported: unknown;
  let store: LevelStore;
  try {
    store = await LevelStore.open({ dir, overlayBytesMax: 1 << 20, onError: (error) => (reported = error) });
  } catch (error) {
    expect(error, what).toMatchObject(repairable);
    return { verdict: "refused at opening", message: (error as Error).message };
  }
  const model = models.get(store.appliedIndex);
  expect(model, `${what}: applied ${store.appliedIndex}`).toBeDefined();
  let differing = 0;
  try {
    for (let n = 0; n < recordsMax; n++) {
      const key = `s\0${n}`;
      const found = store.get(key) as Buffer | undefined;
      const expected = model?.get(key);
      // Nothing made up is ever returned. If a record is missing or an earlier one shows again, the check of all must tell.
      if (found === undefined ? expected === undefined : expected !== undefined && found.equals(expected)) continue;
      const isEarlier = [...models.values()].some((earlier) => found !== undefined && earlier.get(key)?.equals(found));
      expect(found === undefined || isEarlier, what).toBe(true);
      differing++;
    }
  } catch (error) {
    expect(error, what).toMatchObject(repairable);
    expect(reported, what).toBe(error);
    await store.close();
    return { verdict: "found when read", message: (error as Error).message };
  }
  const verified = await store.verify().then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  if (verified !== undefined) {
    expect(verified, what).toMatchObject(repairable);
    expect(reported, what).toBe(verified);
  }
  if (verified === undefined) expect(differing, what).toBe(0);
  await store.close();
  return verified === undefined
    ? { verdict: "exact", message: "" }
    : { verdict: "found when checked", message: verified.message };
}

async function damagedCopy(change: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(root, `copy${++copies}`);
  copyAsCrashed(join(root, "crashed"), dir);
  await change(dir);
  return dir;
}

async function fileOf(dir: string, kind: RegExp): Promise<string> {
  const name = (await readdir(dir)).filter((file) => kind.test(file)).at(-1);
  if (name === undefined) throw new Error(`no ${kind.source} in ${dir}`);
  return join(dir, name);
}

const kinds = [
  { kind: "log", pattern: /^\d+\.log$/, seeds: 60 },
  { kind: "table", pattern: /^\d+\.ldb$/, seeds: 60 },
  { kind: "MANIFEST", pattern: /^MANIFEST-/, seeds: 60 },
  { kind: "CURRENT", pattern: /^CURRENT$/, seeds: 20 },
];

describe("one flipped bit", () => {
  test.each(kinds)(
    "in LevelDB's $kind: an error, or what was written",
    async ({ kind, pattern, seeds }) => {
      const verdicts = new Map<Verdict, number>();
      for (let seed = 0; seed < seeds; seed++) {
        const random = new Random(seed);
        let bit = 0;
        const dir = await damagedCopy(async (copy) => {
          const path = await fileOf(copy, pattern);
          const bytes = await readFile(path);
          bit = random.below(bytes.length * 8);
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          await writeFile(path, bytes);
        });
        const { verdict, message } = await examine(dir, `seed ${seed}, ${kind} bit ${bit}`);
        if (verdict !== "exact") expect(message).toMatch(/\S \(.+\)\. \S/);
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
        await rm(dir, { recursive: true });
      }
      expect(seeds - (verdicts.get("exact") ?? 0)).toBeGreaterThan(seeds / 4);
    },
    60_000,
  );
});

describe("files", () => {
  const cases = [
    { name: "CURRENT deleted", pattern: /^CURRENT$/, change: (path: string) => unlink(path) },
    { name: "MANIFEST deleted", pattern: /^MANIFEST-/, change: (path: string) => unlink(path) },
    { name: "MANIFEST cut", pattern: /^MANIFEST-/, change: (path: string) => truncate(path, 60) },
    { name: "a table deleted", pattern: /^\d+\.ldb$/, change: (path: string) => unlink(path) },
    { name: "a table cut", pattern: /^\d+\.ldb$/, change: (path: string) => truncate(path, 3000) },
    {
      name: "the end of a table cut",
      pattern: /^\d+\.ldb$/,
      change: async (path: string) => truncate(path, (await stat(path)).size - 9),
    },
  ];
  test.each(cases)("$name: an error", async ({ name, pattern, change }) => {
    const dir = await damagedCopy(async (copy) => change(await fileOf(copy, pattern)));
    expect((await examine(dir, name)).verdict).not.toBe("exact");
  });

  test("the log cut anywhere: an earlier applied index with exactly its records", async () => {
    for (let seed = 0; seed < 25; seed++) {
      const dir = await damagedCopy(async (copy) => {
        const path = await fileOf(copy, /^\d+\.log$/);
        await truncate(path, new Random(seed).below((await readFile(path)).length));
      });
      expect(await examine(dir, `seed ${seed}`)).toEqual({ verdict: "exact", message: "" });
      await rm(dir, { recursive: true });
    }
  });
});

test("0.2: a hole in LevelDB's log, which LevelDB opens without a word, is refused", async () => {
  const dir = await damagedCopy(async (copy) => {
    const path = await fileOf(copy, /^\d+\.log$/);
    const bytes = await readFile(path);
    const at = Math.floor(bytes.length / 3);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  });
  const { verdict, message } = await examine(dir, "hole");
  expect(verdict).toBe("refused at opening");
  expect(message).toMatch(/batches in the middle of its log are unreadable \(.*\.log, offset \d+\)/);
});

test("a store that was not closed in order is checked by itself, and the damage reported", async () => {
  const dir = await damagedCopy(async (copy) => {
    const path = await fileOf(copy, /^\d+\.ldb$/);
    const bytes = await readFile(path);
    for (let at = 500; at < bytes.length; at += 500) bytes[at] = (bytes[at] ?? 0) ^ 4;
    await writeFile(path, bytes);
  });
  const reported = await new Promise<unknown>((found, fail) => {
    LevelStore.open({ dir, overlayBytesMax: 1 << 20, onError: found }).catch(fail);
  });
  expect(reported).toMatchObject({ name: "StorageError", kind: "corrupt" });
});
