/**
 * Archives: what was written is read back, whatever the pieces are; anything else is an error. Reliability 30, 32, S9.
 */
import { expect, test } from "vitest";
import { ArchiveError, type ArchivePart } from "../../cluster/archive-format.js";
import { readArchive } from "../../cluster/archive-reader.js";
import { writeArchive } from "../../cluster/archive-writer.js";
import { compareKeys } from "../../cluster/key-order.js";
import { encodeRecord } from "../../cluster/store-record.js";
import type { ReadView } from "../../cluster/types.js";
import { Random } from "./random.js";
import { readViewOf } from "./read-view.js";

const header = { clusterId: "c1", nowMs: 1_763_000_000_123.5, configuration: Buffer.from("members") };

function viewOf(values: ReadonlyMap<string, unknown>, pageRecords = 3): ReadView {
  return readViewOf(values, { index: 77, term: 5, pageRecords });
}

function some(records: number, bytes: number, seed = 1): Map<string, unknown> {
  const random = new Random(seed);
  const names = ["s\0", "d\0", "s\0\u{1f600}", "s\0\uff01"];
  return new Map(Array.from({ length: records }, (_, n) => [`${names[n % 4]}${n}`, random.bytes(random.below(bytes))]));
}

async function bytesOf(view: ReadView, after = ""): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of writeArchive(view, header, after)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* inPieces(bytes: Buffer, length: () => number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const end = at + Math.max(1, length());
    yield bytes.subarray(at, end);
    at = end;
    await Promise.resolve();
  }
}

async function partsOf(bytes: Buffer, after = "", length: () => number = () => bytes.length): Promise<ArchivePart[]> {
  const parts: ArchivePart[] = [];
  for await (const part of readArchive(inPieces(bytes, length), after)) parts.push(part);
  return parts;
}

function recordsOf(parts: readonly ArchivePart[]): Map<string, string> {
  const pairs = parts.flatMap((part) => (part.kind === "records" ? part.records : []));
  return new Map(pairs.map(([key, stored]) => [key, stored.toString("hex")]));
}

function expected(values: ReadonlyMap<string, unknown>): Map<string, string> {
  return new Map([...values].map(([key, value]) => [key, encodeRecord(key, value).bytes.toString("hex")]));
}

test("an archive comes back as it was written, whatever pieces it comes in", async () => {
  for (const [records, bytes] of [
    [0, 0],
    [1, 10],
    [500, 3000],
  ] as const) {
    const values = some(records, bytes);
    const view = viewOf(values, 50);
    const archive = await bytesOf(view);
    const random = new Random(records);
    for (const length of [() => archive.length, () => random.below(7000), () => random.below(3) + 1]) {
      if (archive.length > 100_000 && length() < 4) continue;
      const parts = await partsOf(archive, "", length);
      expect(parts[0]).toEqual({ kind: "header", header: { ...header, index: 77, term: 5 } });
      expect(recordsOf(parts)).toEqual(expected(values));
      expect(parts.at(-1)).toEqual({ kind: "trailer", trailer: { records: view.records, hash: view.hash } });
    }
  }
});

test("a record larger than a block has one of its own", async () => {
  const values = new Map([
    ["a", new Uint8Array(10)],
    ["b", new Uint8Array(3 * 1024 * 1024).fill(7)],
    ["c", new Uint8Array(10)],
  ]);
  expect(recordsOf(await partsOf(await bytesOf(viewOf(values)), "", () => 65_536))).toEqual(expected(values));
});

test("H8 it goes on behind any key, and the parts are the whole", async () => {
  const values = some(40, 300);
  const view = viewOf(values);
  const keys = [...values.keys()].sort(compareKeys);
  for (const [position, key] of keys.entries()) {
    const rest = await partsOf(await bytesOf(view, key), key);
    expect([...recordsOf(rest).keys()]).toEqual(keys.slice(position + 1));
    expect(rest.at(-1)).toEqual({ kind: "trailer", trailer: { records: 40, hash: view.hash } });
  }
});

test("one flipped bit anywhere is an error", async () => {
  const archive = await bytesOf(viewOf(some(12, 40)));
  for (let bit = 0; bit < archive.length * 8; bit++) {
    const damaged = Buffer.from(archive);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await expect(partsOf(damaged), `bit ${bit}`).rejects.toThrow(ArchiveError);
  }
});

test("cut off anywhere, or with something behind it, it is an error", async () => {
  const archive = await bytesOf(viewOf(some(12, 40)));
  for (let length = 0; length < archive.length; length++)
    await expect(partsOf(archive.subarray(0, length)), `${length} bytes`).rejects.toThrow(ArchiveError);
  await expect(partsOf(Buffer.concat([archive, Buffer.alloc(1)]))).rejects.toThrow("behind the trailer");
});

test("blocks that are lost, repeated or swapped are an error", async () => {
  const pieces: Buffer[] = [];
  for await (const piece of writeArchive(viewOf(some(400, 4000), 20), header)) pieces.push(piece);
  expect(pieces.length).toBeGreaterThan(5);
  const [magic, first, second, third] = pieces as [Buffer, Buffer, Buffer, Buffer];
  const rest = pieces.slice(4);
  for (const order of [
    [magic, first, third, ...rest],
    [magic, first, second, second, third, ...rest],
    [magic, first, third, second, ...rest],
    [magic, second, first, third, ...rest],
    [magic, first, first, second, third, ...rest],
    [first, second, third, ...rest],
  ])
    await expect(partsOf(Buffer.concat(order))).rejects.toThrow(ArchiveError);
});

test("L11 a view that lacks a record does not pass for a whole archive", async () => {
  const values = some(20, 50);
  const view = viewOf(values);
  const [gone = ""] = values.keys();
  const archive = await bytesOf({
    ...view,
    async *pages(after) {
      for await (const page of view.pages(after)) yield page.filter(([key]) => key !== gone);
    },
  });
  await expect(partsOf(archive)).rejects.toThrow(/it holds 19 records/);
});

test("what comes after bytes that nobody wrote is never made of them", async () => {
  const archive = await bytesOf(viewOf(some(30, 100)));
  for (let seed = 0; seed < 300; seed++) {
    const random = new Random(seed);
    const bytes = Buffer.from(archive);
    const at = random.below(bytes.length);
    random.bytes(1 + random.below(200)).copy(bytes, at);
    await partsOf(bytes, "", () => 1 + random.below(500)).catch((error: unknown) =>
      expect(error, `seed ${seed}`).toBeInstanceOf(ArchiveError),
    );
  }
});

test("a stream that breaks is that error, and the source is given up when reading stops", async () => {
  const archive = await bytesOf(viewOf(some(30, 100)));
  let closed = false;
  async function* breaking(): AsyncGenerator<Buffer> {
    try {
      yield archive.subarray(0, 200);
      await Promise.resolve();
      throw new Error("the connection is gone");
    } finally {
      closed = true;
    }
  }
  const reading = async () => {
    for await (const part of readArchive(breaking())) expect(part.kind).toBe("header");
  };
  await expect(reading()).rejects.toThrow("the connection is gone");
  closed = false;
  for await (const part of readArchive(breaking())) if (part.kind === "header") break;
  expect(closed).toBe(true);
});
