import fc from "fast-check";
import { alarmKinds } from "../../cluster/alarms.js";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../cluster/frame-decoder.js";
import { FrameParser } from "../../cluster/frame-parser.js";
import { encodeFrame, frameBytesMax } from "../../cluster/frames.js";
import { FrameError } from "../../cluster/msgpack-reader.js";
import type { Frame } from "../../cluster/types.js";

const id = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const uint = fc.oneof(fc.nat(300), fc.maxSafeNat());
const term = fc.oneof(
  fc.nat(300),
  fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 2 ** 16),
);
const index = fc.oneof(
  fc.nat(300),
  fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 2 ** 20),
);
const data = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 5000, maxLength: 9000, size: "max" }),
);
const envelope = { from: id, to: id, term };
const hint = fc.record({ index: uint, term });

const entry = fc.record(
  { term, data, kind: fc.constant("configuration" as const) },
  { requiredKeys: ["term", "data"] },
);

const appendEntries = fc
  .tuple(fc.record({ ...envelope, prevLogTerm: term, leaderCommit: uint }), index)
  .chain(([head, prevLogIndex]) =>
    fc.array(entry, { maxLength: 6 }).map((list) => {
      const [prevLogTerm = 0, ...terms] = [head.prevLogTerm, ...list.map((one) => one.term)].sort((a, b) => a - b);
      const entries = list.map((one, n) => ({ ...one, index: prevLogIndex + 1 + n, term: terms[n] ?? prevLogTerm }));
      return { type: "AppendEntries" as const, ...head, prevLogIndex, prevLogTerm, entries };
    }),
  );

const message = fc.oneof(
  appendEntries,
  fc.record({
    type: fc.constant("RequestVote" as const),
    ...envelope,
    preVote: fc.boolean(),
    force: fc.boolean(),
    lastLogIndex: uint,
    lastLogTerm: term,
  }),
  fc.record({
    type: fc.constant("RequestVoteResponse" as const),
    ...envelope,
    preVote: fc.boolean(),
    granted: fc.boolean(),
  }),
  fc.record(
    {
      type: fc.constant("AppendEntriesResponse" as const),
      ...envelope,
      prevLogIndex: uint,
      success: fc.boolean(),
      matchIndex: uint,
      hint,
    },
    { requiredKeys: ["type", "from", "to", "term", "prevLogIndex", "success", "matchIndex"] },
  ),
  fc.record({
    type: fc.constant("Heartbeat" as const),
    ...envelope,
    leaderCommit: uint,
    context: uint,
  }),
  fc.record({ type: fc.constantFrom("HeartbeatResponse" as const, "ReadIndex" as const), ...envelope, context: uint }),
  fc.record({ type: fc.constant("ReadIndexResponse" as const), ...envelope, context: uint, index: uint }),
  fc.record({ type: fc.constant("TimeoutNow" as const), ...envelope }),
);

const instance = fc.uuid();

const status = fc.record(
  {
    id,
    api: id,
    role: fc.constantFrom("follower" as const, "preCandidate" as const, "candidate" as const, "leader" as const),
    term,
    leader: fc.option(id),
    lastIndex: uint,
    commitIndex: uint,
    appliedIndex: uint,
    flushedIndex: uint,
    stateHash: fc.record({ index: uint, hash: id }),
    dbBytes: uint,
    atMs: fc.double({ min: 0, max: 1e15, noNaN: true }).map((n) => n + 0),
    version: id,
    instance,
    instances: fc.array(fc.tuple(id, instance), { maxLength: 6 }),
    diskFreeBytes: uint,
    alarms: fc.array(fc.record({ kind: fc.constantFrom(...alarmKinds), sinceMs: uint, about: id }), {
      maxLength: alarmKinds.length,
    }),
  },
  {
    requiredKeys: [
      "alarms",
      "instance",
      "instances",
      "id",
      "api",
      "role",
      "term",
      "leader",
      "lastIndex",
      "commitIndex",
      "appliedIndex",
      "flushedIndex",
      "dbBytes",
      "atMs",
      "version",
    ],
  },
);

const frames: fc.Arbitrary<Frame> = fc.oneof(
  message.map((one) => ({ kind: "raft" as const, message: one })),
  fc.record({
    kind: fc.constant("forward" as const),
    origin: id,
    epoch: uint,
    term,
    proposals: fc.array(fc.record({ seq: uint, data }), { maxLength: 6 }),
  }),
  fc.record({
    kind: fc.constant("refused" as const),
    epoch: uint,
    term,
    seqs: fc.array(uint, { maxLength: 40 }),
    reason: fc.constantFrom(...(["not_leader", "overloaded", "disk_low", "state_mismatch"] as const)),
  }),
  fc.record({
    kind: fc.constant("snapshot" as const),
    step: fc.constantFrom(...(["offer", "wanted", "done", "failed"] as const)),
    id: fc.uuid(),
    term,
    index: uint,
    lastTerm: term,
  }),
  fc.record({
    kind: fc.constant("ask" as const),
    number: uint,
    request: fc.oneof(
      fc.record({ kind: fc.constant("add" as const), id, peer: id, api: id }),
      fc.record({ kind: fc.constantFrom("remove" as const, "transfer" as const), id }),
    ),
  }),
  fc.record({
    kind: fc.constant("told" as const),
    number: uint,
    answer: fc.oneof(
      fc.record({ ok: fc.constant(true as const), index: uint, changed: fc.boolean() }),
      fc.record({
        ok: fc.constant(false as const),
        code: fc.constantFrom(...(["again", "exists", "not_found", "busy", "not_ready", "too_many"] as const)),
        message: id,
      }),
    ),
  }),
  status.map((one) => ({ kind: "status" as const, status: one })),
);

const bytesOf = (frame: Frame) => Buffer.concat(encodeFrame(frame).pieces);
/** With data as hex: what was encoded are plain arrays, what is decoded are Buffers. */
function hexed(frame: Frame): unknown {
  const hex = <T extends { readonly data: Uint8Array }>(list: readonly T[]) =>
    list.map((one) => ({ ...one, data: Buffer.from(one.data).toString("hex") }));
  if (frame.kind === "forward") return { ...frame, proposals: hex(frame.proposals) };
  if (frame.kind !== "raft" || frame.message.type !== "AppendEntries") return frame;
  return { ...frame, message: { ...frame.message, entries: hex(frame.message.entries) } };
}

function parseAll(parser: FrameParser, chunk: Buffer): (Frame | "ping")[] {
  const found: (Frame | "ping")[] = [];
  parser.push(chunk);
  for (let one = parser.next(); one !== undefined; one = parser.next()) {
    found.push(one === "ping" ? one : decodeFrame(one));
  }
  return found;
}

const instanceA = "instance-of-a";

describe("frames", () => {
  it("come back as they were sent", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const encoded = encodeFrame(frame);
        const bytes = Buffer.concat(encoded.pieces);
        expect(bytes.length).toBe(encoded.bytes);
        expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
        expect(parseAll(new FrameParser(), bytes).map((one) => (one === "ping" ? one : hexed(one)))).toEqual([
          hexed(frame),
        ]);
      }),
      { numRuns: 500 },
    );
  });

  it("are cut out of the stream wherever it is torn", () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 4000 })), (list, cuts) => {
        const ping = Buffer.alloc(4);
        const stream = Buffer.concat([...list.flatMap((frame) => [bytesOf(frame), ping])]);
        const parser = new FrameParser();
        const found: (Frame | "ping")[] = [];
        let at = 0;
        for (let n = 0; at < stream.length; n++) {
          const size = cuts.length === 0 ? 7 : (cuts[n % cuts.length] ?? 1);
          found.push(...parseAll(parser, Buffer.from(stream.subarray(at, at + size))));
          at += size;
        }
        const expected = list.flatMap((frame) => [hexed(frame), "ping"]);
        expect(found.map((one) => (one === "ping" ? one : hexed(one)))).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it("keep data by reference when they are written, and in a buffer of their own size when read", () => {
    const large = Buffer.alloc(100_000, 1);
    const frame: Frame = { kind: "forward", origin: "a", epoch: 1, term: 1, proposals: [{ seq: 1, data: large }] };
    const { pieces, bytes } = encodeFrame(frame);
    expect(pieces.at(-1)).toBe(large);
    const parser = new FrameParser();
    const [found] = parseAll(parser, Buffer.concat([...pieces, ...pieces]));
    if (found === undefined || found === "ping" || found.kind !== "forward") throw new Error("expected a forward");
    expect(found.proposals[0]?.data.buffer.byteLength).toBe(bytes - 4);
  });

  it("take time in proportion to their bytes, not to the number of pieces they come in", () => {
    const data = Buffer.alloc(8 * 1024 * 1024, 7);
    const stream = bytesOf({ kind: "forward", origin: "a", epoch: 1, term: 1, proposals: [{ seq: 1, data }] });
    const parser = new FrameParser();
    let found = 0;
    for (let at = 0; at < stream.length; at += 64) found += parseAll(parser, stream.subarray(at, at + 64)).length;
    expect(found).toBe(1);
  });

  it("with a changed byte anywhere are never read as a frame", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, where, mask) => {
        const bytes = bytesOf(frame);
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        const parser = new FrameParser();
        parser.push(bytes);
        let found: Buffer | "ping" | undefined;
        try {
          // A length that became larger waits for more.
          do found = parser.next();
          while (found === "ping");
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
        expect(found).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it("whose damage a checksum would miss are refused or read as some frame, and nothing else fails", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(255), (frame, where, value) => {
        const bytes = Buffer.from(bytesOf(frame).subarray(8));
        bytes[where % bytes.length] = value;
        try {
          decodeFrame(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("refuse random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 200 }), (bytes) => {
        expect(() => decodeFrame(Buffer.from(bytes))).toThrow(FrameError);
      }),
      { numRuns: 2000 },
    );
  });
});

const packr = new Packr({ useRecords: false });
const raw = (header: unknown, blob = Buffer.alloc(0), headerLength?: number): Buffer => {
  const packed = header instanceof Uint8Array ? Buffer.from(header) : packr.pack(header);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(headerLength ?? packed.length);
  return Buffer.concat([length, packed, blob]);
};
const heartbeat = [0, 4, "a", "b", 5, 1, 2];
/** A status with something else from the field on that comes n-th. */
const statusWith = (at: number, ...other: unknown[]) => {
  const fields: unknown[] = [3, "a", "b", 0, 1, null, 1, 1, 1, 1, null, null, 1, 1, "v", instanceA, [], null, []];
  return raw(fields.toSpliced(at, other.length, ...other));
};
const append = (...rest: unknown[]) => [0, 2, "a", "b", 5, ...rest];

describe("decodeFrame refuses", () => {
  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["a header beyond the frame", raw(heartbeat, Buffer.alloc(0), 1000)],
    ["an unknown kind", raw([9, 1])],
    ["an unknown message", raw([0, 77, "a", "b", 5])],
    ["a field too few", raw(heartbeat.slice(0, -1))],
    ["a field too many", raw([...heartbeat, 1])],
    ["bytes after the header's value", raw(Buffer.concat([packr.pack(heartbeat), Buffer.from([1])]))],
    ["data nobody claims", raw(heartbeat, Buffer.from([1]))],
    ["a map for a header", raw({ kind: 0 })],
    ["a map for a field", raw([0, 4, "a", "b", 5, 1, {}])],
    ["a binary for a string", raw([0, 4, Buffer.from("a"), "b", 5, 1, 2])],
    ["a number for a string", raw([0, 4, 1, "b", 5, 1, 2])],
    ["a string for a number", raw([0, 4, "a", "b", "5", 1, 2])],
    ["a negative index", raw([0, 4, "a", "b", 5, -1, 2])],
    ["a fraction", raw([0, 4, "a", "b", 5, 1.5, 2])],
    ["NaN", raw([0, 4, "a", "b", 5, NaN, 2])],
    ["an unsafe integer", raw([0, 4, "a", "b", 5, 2 ** 53, 2])],
    ["a 64-bit integer", raw([0, 4, "a", "b", 5, 2n ** 62n, 2])],
    ["a term no election reaches", raw([0, 4, "a", "b", 2 ** 53 - 1, 1, 2])],
    ["a number for a boolean", raw([0, 1, "a", "b", 5, 1, 0])],
    ["a record extension", raw(Buffer.from("97d472400091a161c0000000000000", "hex"))],
    ["a timestamp extension", raw([0, 4, "a", "b", 5, new Date(0), 2])],
    ["invalid UTF-8", raw(Buffer.from("970004a1ff a162 05 01 02".replaceAll(" ", ""), "hex"))],
    ["an array longer than its bytes", raw(Buffer.from("dd7fffffff", "hex"))],
    ["deep nesting", raw(Buffer.alloc(10_000, 0x91))],
    ["lengths in odd number", raw(append(1, 1, 1, [1, 0, 1], []))],
    ["an entry beyond the frame", raw(append(1, 1, 1, [1, 10], []), Buffer.alloc(9))],
    ["an entry of 4 GiB", raw(append(1, 1, 1, [1, 2 ** 40], []), Buffer.alloc(9))],
    ["a configuration that is no entry", raw(append(1, 1, 1, [1, 9], [1]), Buffer.alloc(9))],
    ["a configuration named twice", raw(append(1, 1, 1, [1, 9], [0, 0]), Buffer.alloc(9))],
    ["configurations out of order", raw(append(1, 1, 1, [1, 4, 1, 5], [1, 0]), Buffer.alloc(9))],
    ["a negative position", raw(append(1, 1, 1, [1, 9], [-1]), Buffer.alloc(9))],
    ["positions for a number", raw(append(1, 1, 1, [1, 9], 0), Buffer.alloc(9))],
    ["a snapshot, which no peer may order to install", raw([0, 9, "a", "b", 5, 7, 4, []])],
    ["indexes beyond the safe integers", raw(append(2 ** 53 - 1, 1, 1, [1, 0], []))],
    ["half a hint", raw([0, 3, "a", "b", 5, 1, false, 0, [1]])],
    ["half a state hash", statusWith(10, 1)],
    ["an instance that is none", statusWith(15, "x")],
    ["half an instance", statusWith(16, ["b"])],
    ["half an alarm", statusWith(18, [0, 1])],
    ["an alarm that is none", statusWith(18, [99, 1, "x"])],
    ["free space that is none", statusWith(17, -1)],
    ["a request that is none", raw([4, 1, 3, "a", "", ""])],
    ["an answer that is none", raw([5, 1, false, 9, "no"])],
    ["a role that is none", statusWith(3, 4)],
  ])("%s", (_, bytes) => {
    expect(() => decodeFrame(bytes)).toThrow(FrameError);
  });

  it("accepts the frame that the table above damages", () => {
    expect(decodeFrame(raw(heartbeat))).toMatchObject({ kind: "raft", message: { type: "Heartbeat", context: 2 } });
    expect(decodeFrame(raw(append(1, 1, 1, [1, 9], [0]), Buffer.alloc(9)))).toMatchObject({ kind: "raft" });
    expect(decodeFrame(statusWith(0))).toMatchObject({ kind: "status" });
  });
});

describe("FrameParser refuses", () => {
  it.each([1, 4, 8, frameBytesMax + 1, 0xffffffff])("a length of %d before it reserves memory", (length) => {
    const parser = new FrameParser();
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    parser.push(prefix);
    expect(() => parser.next()).toThrow(FrameError);
  });
});
