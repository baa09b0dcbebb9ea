/**
 * Damage to the files of the log, in memory: it is refused with a message that names the place, or it hurts nothing.
 * Never a silent loss, never a wrong entry. Reliability 0.2, 49, L7, L10, L15.
 */
import { describe, expect, test } from "vitest";
import type { SegmentLog } from "../../cluster/log.js";
import { StorageError } from "../../cluster/storage-error.js";
import { pageBytes } from "../../cluster/log-format.js";
import { MemoryFiles } from "./memory-files.js";
import { applied, emptyModel, identity, matches, openLog, runScript, type Model } from "./log-script.js";
import { Random } from "./random.js";

interface Written {
  readonly files: MemoryFiles;
  readonly model: Model;
}

/** Files after the script; `closed`: in order, else as a crash right after the last acknowledgement leaves them. */
async function written({ closed }: { closed: boolean }): Promise<Written> {
  const files = new MemoryFiles();
  const log = await openLog(files);
  const model = await runScript(log);
  const crashed = files.crash({ synced: true });
  await log.close();
  return { files: closed ? files.crash({ synced: true }) : crashed, model };
}

async function open(files: MemoryFiles): Promise<SegmentLog | StorageError> {
  return openLog(files).catch((error: unknown) => {
    if (error instanceof StorageError) return error;
    throw error;
  });
}

/** Refused, or exactly what was acknowledged. */
async function expectNoLoss(files: MemoryFiles, model: Model, what: string): Promise<"refused" | "exact"> {
  const log = await open(files);
  if (log instanceof StorageError) {
    expect(log.message, what).toMatch(
      /^(the log is damaged|the header of this log segment is damaged|this file holds|this log segment).* \(.+\)\. \S/,
    );
    return "refused";
  }
  const exact = matches(log, model);
  await log.close();
  expect(exact, what).toBe(true);
  return "exact";
}

function segments(files: MemoryFiles): string[] {
  return files.paths().filter((path) => path.endsWith(".seg"));
}

function flip(bytes: Buffer, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}

/** Where a file that was used holds something. */
function usedBytes(bytes: Buffer): number {
  for (let at = bytes.length; at > 0; at--) if (bytes[at - 1] !== 0) return at;
  return 0;
}

describe("one flipped bit", () => {
  test.each([{ closed: true }, { closed: false }])(
    "L10 anywhere is refused or harmless (closed in order: $closed)",
    async ({ closed }) => {
      const origin = await written({ closed });
      const counts = { refused: 0, exact: 0 };
      for (let seed = 0; seed < 700; seed++) {
        const random = new Random(seed);
        const files = origin.files.crash({ synced: false });
        const paths = segments(files);
        const path = paths[random.below(paths.length)] ?? "";
        const bytes = files.bytes(path);
        const bit = random.below(usedBytes(bytes) * 8);
        flip(bytes, bit);
        counts[await expectNoLoss(files, origin.model, `seed ${seed}: ${path}, bit ${bit}`)]++;
      }
      // Some bits are padding, or what an earlier use of the file left.
      expect(counts.refused).toBeGreaterThan(180);
    },
  );

  test.each([{ closed: true }, { closed: false }])(
    "L10 in the last acknowledged batch is refused, each of them (closed in order: $closed)",
    async ({ closed }) => {
      const origin = await lastBatch({ closed });
      for (let bit = 0; bit < (48 + 40) * 8; bit++) {
        const files = origin.files.crash({ synced: false });
        flip(files.bytes(origin.path), origin.offset * 8 + bit);
        expect(await expectNoLoss(files, origin.model, `bit ${bit}`), `bit ${bit}`).toBe("refused");
      }
    },
  );
});

describe("many changed bytes", () => {
  test("in what a mark stands behind are refused or harmless", async () => {
    const origin = await written({ closed: true });
    for (let seed = 0; seed < 400; seed++) {
      const random = new Random(seed);
      const files = origin.files.crash({ synced: false });
      const paths = segments(files);
      const path = paths[random.below(paths.length)] ?? "";
      const bytes = files.bytes(path);
      const at = random.below(usedBytes(bytes));
      // The mark itself is nothing that was acknowledged.
      random.bytes(2 + random.below(64)).copy(bytes, at);
      await expectNoLoss(files, origin.model, `seed ${seed}: ${path}, offset ${at}`);
    }
  });

  test("a wiped sector of the last acknowledged batch is refused when a mark stands behind it", async () => {
    const origin = await lastBatch({ closed: true });
    const files = origin.files.crash({ synced: false });
    files.bytes(origin.path).fill(0, origin.offset, origin.offset + 512);
    expect(await expectNoLoss(files, origin.model, "wiped")).toBe("refused");
  });

  test("garbage in the last acknowledged batch of a file in its first use is refused even without a mark", async () => {
    const origin = await lastBatch({ closed: false });
    const files = origin.files.crash({ synced: false });
    new Random(1).bytes(20).copy(files.bytes(origin.path), origin.offset + 50);
    expect(await expectNoLoss(files, origin.model, "garbage")).toBe("refused");
  });
});

/** A log whose last batch is one small entry in a file in its first use. */
async function lastBatch({ closed }: { closed: boolean }): Promise<Written & { path: string; offset: number }> {
  const files = new MemoryFiles();
  const log = await openLog(files);
  let model = emptyModel;
  let place = { path: "", position: 0 };
  files.onStep = (step) => {
    if (step.kind === "write") place = step;
  };
  for (let index = 1; index <= 3; index++) {
    const batch = { entries: [{ index, term: 1, data: new Random(index).bytes(40) }] };
    await log.append(batch);
    model = applied(model, batch);
  }
  const { path, position: offset } = place;
  const crashed = files.crash({ synced: true });
  await log.close();
  return { files: closed ? files.crash({ synced: true }) : crashed, model, path, offset };
}

describe("files", () => {
  interface Case {
    readonly name: string;
    readonly change: (files: MemoryFiles, paths: readonly string[]) => Promise<void> | void;
    readonly message: RegExp;
  }
  const swap = (files: MemoryFiles, a = "", b = "") => {
    const bytes = files.bytes(a);
    files.replace(a, files.bytes(b));
    files.replace(b, bytes);
  };
  const cases: readonly Case[] = [
    {
      name: "the first needed one deleted",
      change: (files, [path = ""]) => files.remove(path),
      message: /segment is missing/,
    },
    {
      name: "one in the middle deleted",
      change: (files, [, path = ""]) => files.remove(path),
      message: /segment is missing/,
    },
    {
      name: "the last one that holds something deleted",
      change: (files, paths) => files.remove(paths.at(-2) ?? ""),
      message: /segment is missing/,
    },
    {
      name: "the last two deleted",
      change: async (files, paths) => {
        for (const path of paths.slice(-2)) await files.remove(path);
      },
      message: /segment is missing/,
    },
    {
      name: "one cut by a page",
      change: (files, [, path = ""]) => files.replace(path, files.bytes(path).subarray(0, -pageBytes)),
      message: /bytes instead of/,
    },
    {
      name: "one cut to nothing",
      change: (files, [, path = ""]) => files.replace(path, Buffer.alloc(0)),
      message: /header of this log segment is damaged/,
    },
    { name: "two swapped", change: (files, [a, b]) => swap(files, a, b), message: /renamed or swapped/ },
    {
      name: "one replaced by zeros",
      change: (files, [, path = ""]) => void files.bytes(path).fill(0),
      message: /header of this log segment is damaged/,
    },
    {
      name: "one emptied behind its header",
      change: (files, [, path = ""]) => void files.bytes(path).fill(0, pageBytes),
      message: /next segment was written after it|segment is missing/,
    },
  ];

  test.each(cases)("$name: refused", async ({ change, message }) => {
    const { files } = await manySegments();
    await change(files, segments(files));
    const log = await open(files);
    expect(log).toBeInstanceOf(StorageError);
    expect((log as StorageError).kind).toBe("corrupt");
    expect((log as StorageError).message).toMatch(message);
  });

  test("an older copy of one segment is refused", async () => {
    const files = new MemoryFiles();
    const log = await openLog(files);
    const [path = ""] = segments(files);
    await log.append({ entries: [{ index: 1, term: 1, data: Buffer.from("a") }] });
    const older = Buffer.from(files.bytes(path));
    for (let index = 2; index < 40; index++)
      await log.append({ entries: [{ index, term: 1, data: Buffer.alloc(4000) }] });
    await log.close();
    files.replace(path, older);
    await expect(openLog(files)).rejects.toThrow(/next segment was written after it|does not follow/);
  });

  test.each([
    { clusterId: "c2", nodeId: "n1" },
    { clusterId: "c1", nodeId: "n2" },
  ])("of cluster $clusterId and node $nodeId are refused", async (other) => {
    const { files } = await written({ closed: true });
    const { SegmentLog } = await import("../../cluster/log.js");
    const foreign = SegmentLog.open({ ...identity, ...other, segmentBytes: 65536, files });
    await expect(foreign).rejects.toThrow(/belongs to node n1 of cluster c1/);
    await expect(foreign).rejects.toMatchObject({ kind: "foreign" });
  });

  test("L15 all gone: refused where there must be a log", async () => {
    const { SegmentLog } = await import("../../cluster/log.js");
    const opening = SegmentLog.open({ ...identity, segmentBytes: 65536, files: new MemoryFiles(), mustExist: true });
    await expect(opening).rejects.toThrow(/has had a log/);
  });

  test("a refusal changes nothing", async () => {
    const { files } = await manySegments();
    const [, path = ""] = segments(files);
    flip(files.bytes(path), pageBytes * 8 + 100);
    const steps: string[] = [];
    files.onStep = ({ kind }) => steps.push(kind);
    await expect(openLog(files)).rejects.toThrow(StorageError);
    expect(steps).toEqual([]);
  });

  async function manySegments(): Promise<Written> {
    const files = new MemoryFiles();
    const log = await openLog(files);
    let model = emptyModel;
    for (let index = 1; index <= 60; index++) {
      const batch = { entries: [{ index, term: 1, data: Buffer.alloc(4000, index) }] };
      await log.append(batch);
      model = applied(model, batch);
    }
    await log.close();
    return { files, model };
  }
});

test("L10 L13 damage that comes while the log is open is found when it is read, and is final", async () => {
  const files = new MemoryFiles();
  const log = await openLog(files, { recentBytesMax: 0 });
  await log.append({ entries: [{ index: 1, term: 1, data: Buffer.alloc(1000, 1) }] });
  expect(log.entries(1, 2, 10)).toHaveLength(1);
  const [path = ""] = segments(files);
  const bytes = files.bytes(path);
  flip(bytes, bytes.indexOf(Buffer.alloc(900, 1)) * 8);
  expect(() => log.entries(1, 2, 10)).toThrow(/entry 1 cannot be read back/);
  await expect(log.append({ entries: [{ index: 2, term: 1, data: Buffer.alloc(1) }] })).rejects.toThrow(
    /entry 1 cannot be read back/,
  );
  await log.close();
});
