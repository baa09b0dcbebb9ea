/**
 * The log in its ordinary life, and what it does when the disk fails under it. Reliability 0.1, 0.3, 47, L3, L12–L14.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { MemoryLog } from "../../raft/memory-log.js";
import { diskFiles } from "../../cluster/files.js";
import { SegmentLog } from "../../cluster/log.js";
import { entriesOf, logReaderContract } from "../contract/log-reader.js";
import { identity, matches, openLog, runScript, segmentBytes } from "./log-script.js";
import { MemoryFiles } from "./memory-files.js";

async function subject(log: SegmentLog) {
  return Promise.resolve({
    log,
    append: (entries: Parameters<SegmentLog["append"]>[0]["entries"]) => log.append({ entries }),
    compact: (index: number) => log.compact(index),
    close: () => log.close(),
  });
}

logReaderContract("SegmentLog", async () => subject(await openLog(new MemoryFiles())));
logReaderContract("SegmentLog without memory of recent entries", async () =>
  subject(await openLog(new MemoryFiles(), { recentBytesMax: 0 })),
);
logReaderContract("MemoryLog", async () => {
  const log = new MemoryLog();
  const done = (work: () => void) => Promise.resolve(work());
  return Promise.resolve({
    log,
    append: (entries) => done(() => log.append(entries)),
    compact: (index) => done(() => log.compact(index)),
    close: () => Promise.resolve(),
  });
});

async function inDirectory<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "slct-log-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe("on a real disk", () => {
  test("a whole run comes back after closing, read from the files", () =>
    inDirectory(async (root) => {
      const options = { ...identity, dir: join(root, "data", "log"), segmentBytes, recentBytesMax: 0 };
      const log = await SegmentLog.open(options);
      const model = await runScript(log);
      expect(matches(log, model)).toBe(true);
      await log.close();
      const again = await SegmentLog.open(options);
      expect(matches(again, model)).toBe(true);
      await again.close();
    }));

  test("its directory is open to its owner only", () =>
    inDirectory(async (root) => {
      const dir = join(root, "data", "log");
      await (await SegmentLog.open({ ...identity, dir, segmentBytes })).close();
      for (const path of [join(root, "data"), dir]) expect((await stat(path)).mode & 0o777).toBe(0o700);
    }));

  test("a second opening is refused before it touches anything; after closing it is free again", () =>
    inDirectory(async (dir) => {
      const options = { ...identity, dir, segmentBytes };
      const log = await SegmentLog.open(options);
      const list = vi.fn((path: string) => diskFiles.list(path));
      const second = SegmentLog.open({ ...options, files: { ...diskFiles, list } });
      await expect(second).rejects.toMatchObject({ kind: "in_use" });
      await expect(second).rejects.toThrow(/in use .*Stop the other process/);
      expect(list).not.toHaveBeenCalled();
      await log.close();
      await (await SegmentLog.open(options)).close();
    }));
});

describe("segments", () => {
  test("are recycled: a long run makes few files, and every write lands in one that was filled before", async () => {
    const files = new MemoryFiles();
    const created: string[] = [];
    files.onStep = ({ kind, path }) => {
      if (kind === "create") created.push(path);
    };
    const log = await openLog(files);
    for (let index = 1; index <= 600; index++) {
      await log.append({ entries: entriesOf(index, [1], 3000) });
      if (index % 20 === 0) await log.compact(index - 5);
    }
    expect(created.length).toBeLessThan(10);
    expect(files.paths().length).toBeLessThan(10);
    expect(log.firstIndex()).toBeGreaterThan(550);
    await log.close();
    const again = await openLog(files);
    expect([again.firstIndex(), again.lastIndex()]).toEqual([log.firstIndex(), 600]);
    await again.close();
  });

  test("an entry larger than a segment gets one of its own", async () => {
    const files = new MemoryFiles();
    const log = await openLog(files);
    const entries = entriesOf(1, [1, 1, 1], segmentBytes * 3);
    // The matcher would take seconds to compare byte by byte.
    const intact = (from: SegmentLog) =>
      Buffer.concat(from.entries(1, 4, Infinity).map(({ data }) => data)).equals(
        Buffer.concat(entries.map(({ data }) => Buffer.from(data))),
      );
    await log.append({ entries });
    expect(intact(log)).toBe(true);
    await log.close();
    const again = await openLog(files);
    expect(intact(again)).toBe(true);
    await again.close();
  });
});

describe("the hard state", () => {
  test("L9 is the last one written, with or without entries, and survives the cut of where it was written", async () => {
    const files = new MemoryFiles();
    const log = await openLog(files);
    const hardState = { currentTerm: 4, votedFor: "n2", commitIndex: 0 };
    await log.append({ hardState, entries: [] });
    for (let index = 1; index <= 60; index++) await log.append({ entries: entriesOf(index, [4], 3000) });
    await log.compact(60);
    await log.close();
    const again = await openLog(files);
    expect(again.hardState).toEqual(hardState);
    expect(again.firstIndex()).toBeGreaterThan(1);
    await again.close();
  });
});

describe("a mark", () => {
  test("follows soon after the last write, by itself and once", async () => {
    const files = new MemoryFiles();
    const log = await openLog(files);
    await log.append({ entries: entriesOf(1, [1]) });
    const writes = await new Promise<number>((done) => {
      files.onStep = ({ kind }) => {
        if (kind === "write") done(1);
      };
    });
    expect(writes).toBe(1);
    const crashed = files.crash({ synced: true });
    await log.close();
    await (await openLog(crashed)).close();
  });
});

describe("a failed write", () => {
  test("is final: the same error to all that were waiting and to all that come, nothing more is written", async () => {
    const files = new MemoryFiles();
    const log = await openLog(files);
    await log.append({ entries: entriesOf(1, [1]) });
    let writes = 0;
    files.onStep = ({ kind, path }) => {
      if (kind !== "write" || !path.endsWith(".seg")) return;
      writes++;
      throw Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" });
    };
    const failures = await Promise.all(
      [2, 3, 4].map((index) => log.append({ entries: entriesOf(index, [1]) }).catch((error: unknown) => error)),
    );
    expect(new Set(failures).size).toBe(1);
    expect(failures[0]).toMatchObject({
      kind: "io",
      message: expect.stringContaining("a write to the log failed") as string,
    });
    files.onStep = () => undefined;
    await expect(log.append({ entries: entriesOf(2, [1]) })).rejects.toBe(failures[0]);
    await expect(log.compact(1)).rejects.toBe(failures[0]);
    expect(() => log.entries(1, 2, 100)).toThrow(failures[0]);
    expect(writes).toBe(1);
    expect(log.lastIndex()).toBe(1);
    await log.close();
  });

  test("may have reached the disk: opening again tells", async () => {
    const files = new MemoryFiles();
    const log = await openLog(files);
    const failed = { entries: entriesOf(1, [1]) };
    files.onStep = (step) => {
      if (step.kind !== "write" || !step.path.endsWith(".seg")) return;
      step.data.copy(files.bytes(step.path), step.position);
      throw new Error("EIO: the sync failed, the data is there");
    };
    await expect(log.append(failed)).rejects.toThrow(/a write to the log failed/);
    expect(log.lastIndex()).toBe(0);
    await log.close();
    const again = await openLog(files.crash({ synced: true }));
    expect(again.entries(1, 2, 1000)).toEqual(failed.entries);
    await again.close();
  });

  test("of the next segment, made ahead, shows when it is needed; nothing is acknowledged afterwards", async () => {
    const files = new MemoryFiles();
    files.onStep = ({ kind, path }) => {
      if (kind === "create" && path.endsWith("2.new"))
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    };
    const log = await openLog(files);
    let acked = 0;
    let failure: unknown;
    for (let index = 1; index <= 40; index++) {
      await log.append({ entries: entriesOf(index, [1], 3000) }).then(
        () => (failure === undefined ? (acked = index) : expect.unreachable("acknowledged after a failure")),
        (error: unknown) => (failure ??= error),
      );
    }
    expect((failure as Error).cause).toMatchObject({ code: "ENOSPC" });
    await log.close();
    const again = await openLog(files.crash({ synced: true }));
    expect(again.lastIndex()).toBe(acked);
    await again.close();
  });
});

test("wrong use is an error: a gap, entries out of order, entries below the cut", async () => {
  for (const entries of [entriesOf(2, [1]), [...entriesOf(1, [1]), ...entriesOf(3, [1])], entriesOf(0, [1])]) {
    const log = await openLog(new MemoryFiles());
    await expect(log.append({ entries })).rejects.toThrow(/follow|order/);
    await log.close();
  }
});
