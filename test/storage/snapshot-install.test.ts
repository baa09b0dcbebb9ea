/**
 * Installing a snapshot when a node opens, and opening records that are damaged: whatever step a crash comes after, the
 * next opening ends where the first one would have. Reliability 31, L6–L8, L10.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SegmentLog } from "../../cluster/log.js";
import { LevelIncoming } from "../../cluster/snapshot-incoming.js";
import { installSteps, intendedInstall, intendInstall } from "../../cluster/snapshot-install.js";
import { StorageError } from "../../cluster/storage-error.js";
import { openStore, reportDamage } from "../../cluster/store-repair.js";
import { encodeRecord, StateHash } from "../../cluster/store-record.js";
import { copyAsCrashed } from "./crash-copy.js";
import { entriesOf } from "../contract/log-reader.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-install-"));
});
afterEach(() => rm(root, { recursive: true }));

const silent = { info: () => undefined, warn: () => undefined };
const vote = { currentTerm: 6, votedFor: "n2", commitIndex: 20 };
let copies = 0;

function openLog(dir: string): Promise<SegmentLog> {
  return SegmentLog.open({ dir: join(dir, "log"), clusterId: "c1", nodeId: "n1", segmentBytes: 64 * 1024 });
}

interface Found {
  readonly applied: number;
  readonly value: unknown;
  readonly needsSnapshot: boolean;
  readonly log: readonly number[];
  readonly term: number;
}

/** Opens as a node does, looks, and closes. */
async function open(dir: string, hasOthers = true): Promise<Found> {
  const log = await openLog(dir);
  try {
    const opened = await openStore({
      ...{ dataDir: dir, log, hasOthers, logger: silent, overlayBytesMax: 1 << 20 },
      onError: (error) => reportDamage(dir, error),
    });
    const { store, needsSnapshot } = opened;
    try {
      const { currentTerm } = log.hardState;
      const span = [log.firstIndex(), log.lastIndex()];
      return { applied: store.appliedIndex, value: store.get("k"), needsSnapshot, log: span, term: currentTerm };
    } finally {
      await store.close();
    }
  } finally {
    await log.close();
  }
}

/** A node with the records of entry 20 and a log to entry 25, in which a snapshot has arrived. */
async function arrived(name: string, { index, term }: { index: number; term: number }): Promise<string> {
  const dir = join(root, name);
  const log = await openLog(dir);
  await log.append({ hardState: vote, entries: entriesOf(1, Array<number>(25).fill(5), 3000) });
  const { store } = await openStore({
    ...{ dataDir: dir, log, hasOthers: true, logger: silent, overlayBytesMax: 1 << 20, onError: () => undefined },
  });
  store.put("k", "old");
  store.advance(20, 5);
  await store.close();
  await log.close();
  const incoming = new LevelIncoming(dir);
  await incoming.open("one");
  const { bytes, sum } = encodeRecord("k", "new");
  await incoming.add([["k", bytes]]);
  const hash = new StateHash();
  hash.add("k", sum);
  await incoming.complete({ index, term }, { records: 1, hash: hash.digits });
  return dir;
}

function crashed(dir: string): string {
  const copy = join(root, `crash${++copies}`);
  copyAsCrashed(dir, copy);
  return copy;
}

const cases = [
  { name: "far ahead", at: { index: 500, term: 7 }, log: [501, 500] },
  { name: "within the log, which contradicts it", at: { index: 23, term: 6 }, log: [24, 23] },
  {
    name: "within the log, which agrees: what follows may have been acknowledged",
    at: { index: 22, term: 5 },
    log: [1, 25],
  },
];

describe("installing", () => {
  test.each(cases)("L8 $name: a crash after any step, and again, ends the same", async ({ at, log }) => {
    const expected = { applied: at.index, value: "new", needsSnapshot: false, log, term: 6 };
    const dir = await arrived("node", at);
    intendInstall(dir, at);
    const images = [crashed(dir)];
    // The process ends after each step, and the next one begins with all of them.
    const log1 = await openLog(dir);
    const names: string[] = [];
    for await (const step of installSteps(dir, at, log1)) {
      names.push(step);
      images.push(crashed(dir));
    }
    await log1.close();
    expect(names).toEqual(["log", "aside", "in place", "removed"]);
    images.push(dir);
    for (const image of images) {
      const twice = crashed(image);
      const partial = await openLog(twice);
      for await (const step of installSteps(twice, at, partial)) if (step === "aside") break;
      await partial.close();
      for (const one of [image, twice]) {
        expect(await open(one), one).toEqual(expected);
        expect(intendedInstall(one)).toBeUndefined();
        expect((await readdir(one)).sort()).toEqual(["log", "store"]);
      }
    }
    // And from then on nothing is installed any more.
    expect(await open(dir)).toEqual(expected);
  });

  test("L8 old records that are half removed are removed wholly", async () => {
    const at = { index: 500, term: 7 };
    const dir = await arrived("node", at);
    intendInstall(dir, at);
    const log = await openLog(dir);
    for await (const step of installSteps(dir, at, log)) if (step === "in place") break;
    await log.close();
    for (const name of (await readdir(join(dir, "store.old"))).slice(0, 2))
      await rm(join(dir, "store.old", name), { recursive: true });
    expect((await open(dir)).value).toBe("new");
    expect((await readdir(dir)).sort()).toEqual(["log", "store"]);
  });

  test("L6 what has arrived without an intent is not installed", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    expect(await open(dir)).toMatchObject({ applied: 20, value: "old", log: [1, 25] });
  });

  test("L6 an intent that is cut off or damaged is refused, not guessed", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    for (const text of ["", "{}", '{"index":500', '{"index":1.5,"term":1}']) {
      await writeFile(join(dir, "install.json"), text);
      await expect(open(dir)).rejects.toMatchObject({ kind: "corrupt" });
    }
    // A temporary file is what a crash leaves of writing one.
    await rm(join(dir, "install.json"));
    await writeFile(join(dir, "install.json.tmp"), '{"index":500');
    expect(await open(dir)).toMatchObject({ applied: 20, value: "old" });
  });

  test("L7 an intent without a snapshot: the node has no records rather than wrong ones", async () => {
    const at = { index: 500, term: 7 };
    const dir = await arrived("node", at);
    intendInstall(dir, at);
    await rm(join(dir, "incoming"), { recursive: true });
    expect(await open(dir)).toMatchObject({ applied: 0, value: undefined, needsSnapshot: true, log: [501, 500] });
  });
});

describe("records that are damaged", () => {
  async function flipped(dir: string): Promise<void> {
    const store = join(dir, "store");
    const name = (await readdir(store)).find((file) => file.startsWith("MANIFEST-")) ?? "";
    const bytes = await readFile(join(store, name));
    for (let at = 20; at < 40; at++) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    await writeFile(join(store, name), bytes);
  }

  /** The log begins behind entry 15. */
  async function cut(dir: string): Promise<number> {
    const log = await openLog(dir);
    await log.compact(20);
    const first = log.firstIndex();
    await log.close();
    expect(first).toBeGreaterThan(1);
    return first;
  }

  test("L10 are put aside, and the log goes on without them", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    const first = await cut(dir);
    await flipped(dir);
    const expected = { applied: 0, value: undefined, needsSnapshot: true, log: [first, 25], term: 6 };
    expect(await open(dir)).toEqual(expected);
    expect(await readdir(dir)).toContain("store.damaged");
    // It stays so until there is a snapshot.
    expect(await open(dir)).toEqual(expected);
    intendInstall(dir, { index: 500, term: 7 });
    expect(await open(dir)).toMatchObject({ applied: 500, value: "new", needsSnapshot: false });
    expect((await readdir(dir)).sort()).toEqual(["log", "store"]);
  });

  test("L10 that were found while the node ran are put aside at the next start", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    await cut(dir);
    const log = await openLog(dir);
    const { store } = await openStore({
      ...{ dataDir: dir, log, hasOthers: true, logger: silent, overlayBytesMax: 1 << 20 },
      onError: (error) => reportDamage(dir, error),
    });
    reportDamage(dir, new Error("the disk is full"));
    expect(existsSync(join(dir, "store.damage.json"))).toBe(false);
    await store.close();
    await log.close();
    reportDamage(dir, new StorageError("corrupt", "a record is not what was stored", { file: dir }));
    const copies = [dir, crashed(dir)];
    // A crash before the marker is removed: they are aside already.
    await rename(join(copies[1] ?? "", "store"), join(copies[1] ?? "", "store.damaged"));
    for (const one of copies) {
      expect(await open(one)).toMatchObject({ applied: 0, needsSnapshot: true });
      expect((await readdir(one)).sort()).toEqual(["incoming", "log", "store", "store.damaged"]);
    }
  });

  test("L10 are replayed where the log goes back to the beginning", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    await flipped(dir);
    expect(await open(dir, false)).toMatchObject({ applied: 0, needsSnapshot: false, log: [1, 25] });
  });

  test("L7 that end before the log begins are damaged, however whole they look", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    const log = await openLog(dir);
    await log.append({ entries: entriesOf(26, Array<number>(60).fill(5), 3000) });
    await log.compact(80);
    await log.close();
    expect(await open(dir)).toMatchObject({ applied: 0, value: undefined, needsSnapshot: true });
  });

  test("L10 of a node that is alone are refused, and left as they are", async () => {
    const dir = await arrived("node", { index: 500, term: 7 });
    await cut(dir);
    await flipped(dir);
    for (let n = 0; n < 2; n++) await expect(open(dir, false)).rejects.toMatchObject({ kind: "corrupt" });
    expect(await readdir(dir)).not.toContain("store.damaged");
  });
});
