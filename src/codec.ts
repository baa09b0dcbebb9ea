/**
 * msgpack at one place: records, log entries and peer frames all pass here.
 *
 * A log entry is `version (1 byte) · stamp (8 bytes, float64, ms) · origin and command`. The stamp is left empty by the
 * node that ingests and filled in place by the leader, so a forwarded command is never copied or decoded there.
 */
import { Packr, RESERVE_START_SPACE } from "msgpackr";
import type { Command } from "./select/command.js";
import type { Ref } from "./select/types.js";

const formatVersion = 1;
const headerBytes = 9;

const packr = new Packr({ useRecords: false, variableMapSize: true, copyBuffers: false, int64AsType: "number" });

/** @param reserved bytes that are left free in front, for the caller to fill */
export function encode(value: unknown, reserved = 0): Buffer {
  return packr.pack(value, RESERVE_START_SPACE + reserved);
}

/** @throws on anything that is not exactly one msgpack value */
export function decode(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

/** Which local promise waits for the outcome. */
export type Origin = Ref;

/** The entry for `command`, its stamp still zero. */
export function encodeEntry(origin: Origin, command: Command): Buffer {
  const entry = encode([origin.node, origin.epoch, origin.seq, command], headerBytes);
  entry[0] = formatVersion;
  entry.fill(0, 1, headerBytes);
  return entry;
}

/** Fills in the stamp, in place. */
export function stampEntry(entry: Uint8Array, nowMs: number): void {
  new DataView(entry.buffer, entry.byteOffset, entry.byteLength).setFloat64(1, nowMs);
}

export interface DecodedEntry {
  readonly nowMs: number;
  readonly origin: Origin;
  readonly command: Command;
}

export function decodeEntry(entry: Uint8Array): DecodedEntry {
  if (entry[0] !== formatVersion) throw new Error(`unknown entry format ${entry[0]}`);
  const nowMs = new DataView(entry.buffer, entry.byteOffset, entry.byteLength).getFloat64(1);
  const [node, epoch, seq, command] = packr.unpack(entry.subarray(headerBytes)) as [string, number, number, Command];
  return { nowMs, origin: { node, epoch, seq }, command };
}
