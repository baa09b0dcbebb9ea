import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../cluster/frame-decoder.js";
import { FrameParser } from "../../cluster/frame-parser.js";
import { encodeFrame, frameBytesMax } from "../../cluster/frames.js";
import { FrameError } from "../../cluster/msgpack-reader.js";
import type { Frame } from "../../cluster/types.js";
import { anyFrame } from "./any-frame.js";

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

describe("frames", () => {
  it("come back as they were sent", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
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
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 4000 })), (list, cuts) => {
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
    const heartbeatAnswer: Frame = {
      kind: "raft",
      message: { type: "HeartbeatResponse", from: "a", to: "b", term: 1, context: 0 },
    };
    fc.assert(
      fc.property(anyFrame, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, where, mask) => {
        const bytes = bytesOf(frame);
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        const parser = new FrameParser();
        parser.push(bytes);
        const frames: Buffer[] = [];
        try {
          // A length that became larger waits for more; one that became 0 is a ping, and what follows it no frame.
          for (let one = parser.next(); one !== undefined; one = parser.next()) if (one !== "ping") frames.push(one);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
        expect(frames).toEqual([]);
      }),
      { numRuns: 2000, examples: [[heartbeatAnswer, 3, bytesOf(heartbeatAnswer)[3] ?? 0]] },
    );
  });

  it("whose damage a checksum would miss are refused or read as some frame, and nothing else fails", () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(), fc.nat(255), (frame, where, value) => {
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

describe("FrameParser refuses", () => {
  it.each([1, 4, 8, frameBytesMax + 1, 0xffffffff])("a length of %d before it reserves memory", (length) => {
    const parser = new FrameParser();
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    parser.push(prefix);
    expect(() => parser.next()).toThrow(FrameError);
  });
});
