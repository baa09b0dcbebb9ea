/**
 * What no correct member sends, damaged byte by byte from what one does.
 */
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../cluster/frame-decoder.js";
import { FrameError } from "../../cluster/msgpack-reader.js";

const packr = new Packr({ useRecords: false });
const raw = (header: unknown, blob = Buffer.alloc(0), headerLength?: number): Buffer => {
  const packed = header instanceof Uint8Array ? Buffer.from(header) : packr.pack(header);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(headerLength ?? packed.length);
  return Buffer.concat([length, packed, blob]);
};
const instanceA = "instance-of-a";
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
