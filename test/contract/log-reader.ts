/**
 * What every log that Raft reads from must do.
 */
import { beforeEach, afterEach, describe, expect, test } from "vitest";
import type { Entry, LogReader } from "../../raft/types.js";

export interface LogUnderTest {
  readonly log: LogReader;
  append(entries: readonly Entry[]): Promise<void>;
  compact(index: number): Promise<void>;
  close(): Promise<void>;
}

export function entriesOf(from: number, terms: readonly number[], bytes = 100): Entry[] {
  return terms.map((term, position) => ({ index: from + position, term, data: Buffer.alloc(bytes, from + position) }));
}

export function logReaderContract(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`log reader contract: ${name}`, () => {
    let subject: LogUnderTest;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());

    const span = () => [subject.log.firstIndex(), subject.log.lastIndex()];
    const read = (from: number, to: number, bytesMax = Infinity) =>
      subject.log.entries(from, to, bytesMax).map(({ index, term, data }) => [index, term, data.length, data[0] ?? 0]);

    test("an empty log starts at 1 and knows the term before it", () => {
      expect(span()).toEqual([1, 0]);
      expect(subject.log.term(0)).toBe(0);
      expect(subject.log.term(1)).toBeUndefined();
    });

    test("a configuration comes back as one, also in place of another entry", () => keepsConfigurations(subject));

    test("entries come back as they went in", async () => {
      await subject.append(entriesOf(1, [1, 1, 2], 3));
      await subject.append([{ index: 4, term: 2, data: new Uint8Array(0) }]);
      expect(span()).toEqual([1, 4]);
      expect([0, 1, 2, 3, 4, 5].map((index) => subject.log.term(index))).toEqual([0, 1, 1, 2, 2, undefined]);
      expect(read(1, 5)).toEqual([
        [1, 1, 3, 1],
        [2, 1, 3, 2],
        [3, 2, 3, 3],
        [4, 2, 0, 0],
      ]);
    });

    test.each([
      { from: 1, to: 5, bytesMax: 0, indexes: [1] },
      { from: 1, to: 5, bytesMax: 200, indexes: [1, 2] },
      { from: 1, to: 5, bytesMax: 299, indexes: [1, 2] },
      { from: 2, to: 4, bytesMax: 10_000, indexes: [2, 3] },
      { from: 4, to: 99, bytesMax: 10_000, indexes: [4] },
    ])("reads [$from, $to) within $bytesMax bytes, at least one entry", async ({ from, to, bytesMax, indexes }) => {
      await subject.append(entriesOf(1, [1, 1, 1, 1]));
      expect(read(from, to, bytesMax).map(([index]) => index)).toEqual(indexes);
    });

    test("entries replace the tail from their first index on", async () => {
      await subject.append(entriesOf(1, [1, 1, 1, 1, 1]));
      await subject.append(entriesOf(3, [2, 2], 7));
      expect(span()).toEqual([1, 4]);
      expect(read(1, 9)).toEqual([
        [1, 1, 100, 1],
        [2, 1, 100, 2],
        [3, 2, 7, 3],
        [4, 2, 7, 4],
      ]);
      expect(subject.log.term(5)).toBeUndefined();
    });

    test("a cut drops nothing above its index and keeps the term before the first entry", async () => {
      await subject.append(entriesOf(1, [1, 2, 3, 4, 5, 6]));
      await subject.compact(3);
      const [first = 0, last] = span();
      expect(first).toBeLessThanOrEqual(4);
      expect(last).toBe(6);
      expect(subject.log.term(first - 1)).toBe(first - 1);
      expect(subject.log.term(first - 2)).toBeUndefined();
      expect(read(first, 7).map(([index]) => index)).toEqual([1, 2, 3, 4, 5, 6].slice(first - 1));
    });
  });
}

async function keepsConfigurations(subject: LogUnderTest): Promise<void> {
  const data = Buffer.from("members");
  const one = { index: 2, term: 1, kind: "configuration" as const, data };
  const kinds = () => subject.log.entries(1, 4, Infinity).map(({ kind }) => kind);
  await subject.append([...entriesOf(1, [1]), one, ...entriesOf(3, [1])]);
  expect(kinds()).toEqual([undefined, "configuration", undefined]);
  await subject.append([...entriesOf(2, [2]), { ...one, index: 3, term: 2 }]);
  expect(kinds()).toEqual([undefined, undefined, "configuration"]);
  expect(Buffer.compare(subject.log.entries(3, 4, 1)[0]?.data ?? Buffer.alloc(0), data)).toBe(0);
}
