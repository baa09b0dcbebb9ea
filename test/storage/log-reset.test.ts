/**
 * A log that is cut off from its past: reset to that of a snapshot, and compacted with a tail. Reliability 36, H1, L1, L7–L9.
 */
import { describe, expect, test } from "vitest";
import type { SegmentLog } from "../../cluster/log.js";
import { entriesOf } from "../contract/log-reader.js";
import { expectWritable, openLog, segmentBytes } from "./log-script.js";
import { MemoryFiles } from "./memory-files.js";
import { Random } from "./random.js";
import { crashesAt } from "./tearing.js";

const vote = { currentTerm: 7, votedFor: "n3", commitIndex: 12 };

async function filled(files: MemoryFiles): Promise<SegmentLog> {
  const log = await openLog(files);
  await log.append({ hardState: vote, entries: entriesOf(1, Array<number>(30).fill(6), 5000) });
  return log;
}

function span(log: SegmentLog): number[] {
  return [log.firstIndex(), log.lastIndex(), log.term(log.firstIndex() - 1) ?? -1];
}

describe("reset", () => {
  test.each([
    { name: "far beyond its end", index: 1000, term: 9 },
    { name: "within it, with another term", index: 20, term: 8 },
    { name: "at its end", index: 30, term: 7 },
  ])("H1 the log goes on behind a snapshot $name; L9 term and vote stay", async ({ index, term }) => {
    const files = new MemoryFiles();
    const log = await filled(files);
    await log.reset(index, term);
    const expectReset = (one: SegmentLog) => {
      expect(span(one)).toEqual([index + 1, index, term]);
      expect(one.term(index + 1)).toBeUndefined();
      expect(one.entries(index + 1, index + 5, 1000)).toEqual([]);
      expect(one.hardState).toEqual({ currentTerm: 7, votedFor: "n3", commitIndex: index });
    };
    expectReset(log);
    const crashed = await openLog(files.crash({ synced: true }));
    expectReset(crashed);
    await crashed.close();
    await log.append({ entries: entriesOf(index + 1, [9, 9], 4000) });
    await log.close();
    const again = await openLog(files);
    expect(span(again)).toEqual([index + 1, index + 2, term]);
    expect(again.entries(index + 1, index + 3, 1e6)).toEqual(entriesOf(index + 1, [9, 9], 4000));
    // What was there before is gone from the disk as well.
    expect(files.paths().filter((path) => path.endsWith(".seg")).length).toBeLessThanOrEqual(2);
    await expectWritable(again, files);
  });

  test("again and again, and the log of before is no longer read", async () => {
    const files = new MemoryFiles();
    const log = await filled(files);
    for (let index = 100; index < 2000; index += 100) {
      await log.reset(index, 9);
      await log.append({ entries: entriesOf(index + 1, Array<number>(20).fill(9), 6000) });
      await log.compact(index + 10);
    }
    expect(files.paths().length).toBeLessThan(8);
    expect(() => log.entries(1850, 1860, 1000)).toThrow("was cut off");
    await log.close();
  });

  test("L8 a crash at any step leaves the old log or the new one, wholly", async () => {
    const files = new MemoryFiles();
    const log = await filled(files);
    const images: { how: string; files: MemoryFiles }[] = [];
    const random = new Random(5);
    files.onStep = (step) => {
      for (const { how, ...crash } of crashesAt(files, step, random))
        images.push({ how: `${step.kind} ${step.path} ${how}`, ...crash });
    };
    await log.reset(500, 8);
    files.onStep = () => undefined;
    images.push({ how: "done", files: files.crash({ synced: true }) });
    await log.close();
    const seen = new Set<number>();
    for (const { how, files: crashed } of images) {
      const found = await openLog(crashed);
      const isOld = found.lastIndex() === 30;
      expect(span(found), how).toEqual(isOld ? [1, 30, 0] : [501, 500, 8]);
      expect(found.hardState, how).toEqual({ ...vote, commitIndex: isOld ? 12 : 500 });
      if (isOld) expect(found.entries(1, 31, 1e9)).toHaveLength(30);
      seen.add(found.lastIndex());
      await expectWritable(found, crashed);
    }
    expect(images.length).toBeGreaterThan(30);
    expect(seen).toEqual(new Set([30, 500]));
    expect((await openLog(images.at(-1)?.files ?? files)).lastIndex()).toBe(501);
  });
});

describe("a cut with a tail", () => {
  test("36 keeps the newest bytes below the index, so that a short absence needs no snapshot", async () => {
    const log = await openLog(new MemoryFiles());
    for (let index = 1; index <= 400; index++) await log.append({ entries: entriesOf(index, [1], 3000) });
    const tailBytes = 5 * segmentBytes;
    await log.compact(300, tailBytes);
    const first = log.firstIndex();
    expect(first).toBeGreaterThan(100);
    const kept = log.bytesFrom(first) - log.bytesFrom(301);
    expect(kept).toBeGreaterThanOrEqual(tailBytes);
    expect(kept).toBeLessThanOrEqual(tailBytes + segmentBytes);
    await log.compact(300, 1000 * segmentBytes);
    expect(log.firstIndex()).toBe(first);
    await log.compact(300);
    expect(log.firstIndex()).toBeGreaterThan(280);
    expect(log.firstIndex()).toBeLessThanOrEqual(301);
    await log.close();
  });
});
