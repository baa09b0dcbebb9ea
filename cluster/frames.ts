/**
 * The bytes of a peer frame: `length (4) · CRC-32 of the rest (4) · header length (4) · header (msgpack) · blobs`.
 *
 * The header is a flat array whose shape its first element fixes; the data of entries and forwards follows it raw, so
 * neither side copies or parses it. A length of 0 is a ping and has nothing after it. The checksum is there because that of
 * TCP is weak and ends at every middlebox: a vote or an entry that differs by a bit would be believed.
 * The other direction: frame-parser.ts, frame-decoder.ts.
 */
import { crc32 } from "node:zlib";
import { encode } from "../src/codec.js";
import { invariant, unreachable } from "../src/invariant.js";
import type { Message, Role } from "../raft/types.js";
import { alarmKinds } from "./alarms.js";
import { refusalCodes, type MembershipRequest } from "./membership.js";
import { snapshotSteps } from "./snapshot-wire.js";
import type { Frame, NodeStatus, Refused } from "./types.js";

/** Bytes of one frame after its length; a larger one is neither sent nor accepted. */
export const frameBytesMax = 16 * 1024 * 1024 + 4 * 1024 * 1024;
/** Entries, proposals or numbers listed in one frame. */
export const frameItemsMax = 1 << 19;
export const lengthBytes = 4;
export const checksumBytes = 4;
const headerAt = lengthBytes + checksumBytes;
const prefixBytes = headerAt + 4;
/** Blobs up to this size are copied next to the header: cheaper than one more piece of a gathered write. */
const inlineBytesMax = 4096;

export const roles = ["follower", "preCandidate", "candidate", "leader"] as const satisfies readonly Role[];
export const refusals = [
  "not_leader",
  "overloaded",
  "disk_low",
  "state_mismatch",
] as const satisfies readonly Refused["reason"][];
export const messageTypes = [
  "RequestVote",
  "RequestVoteResponse",
  "AppendEntries",
  "AppendEntriesResponse",
  "Heartbeat",
  "HeartbeatResponse",
  "ReadIndex",
  "ReadIndexResponse",
  "TimeoutNow",
] as const satisfies readonly Message["type"][];
export const kinds = [
  "raft",
  "forward",
  "refused",
  "status",
  "ask",
  "told",
  "snapshot",
] as const satisfies readonly Frame["kind"][];
export const requestKinds = ["add", "remove", "transfer"] as const satisfies readonly MembershipRequest["kind"][];
export const answerCodes = ["again", ...refusalCodes] as const;

export interface EncodedFrame {
  /** To be written one after the other. */
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
}

type Blob = { readonly data: Uint8Array };
type Field = string | number | boolean | null | readonly (number | string)[];

/** The pieces refer to the data of the frame, they do not copy it. A frame may come out larger than {@link frameBytesMax}. */
export function encodeFrame(frame: Frame): EncodedFrame {
  const fields: Field[] = [kinds.indexOf(frame.kind)];
  const blobs = encodeFields(frame, fields);
  const header = encode(fields);
  let blobBytes = 0;
  for (const { data } of blobs) blobBytes += data.length;
  const smallEnd = endOfSmall(blobs, 0);
  const head = Buffer.allocUnsafe(prefixBytes + header.length + smallEnd.bytes);
  head.writeUInt32BE(prefixBytes - lengthBytes + header.length + blobBytes, 0);
  head.writeUInt32BE(header.length, headerAt);
  head.set(header, prefixBytes);
  copySmall(blobs, 0, smallEnd.index, head, prefixBytes + header.length);
  const pieces: [Buffer, ...Uint8Array[]] = [head];
  for (let at = smallEnd.index; at < blobs.length;) {
    const large = blobs[at++];
    if (large !== undefined) pieces.push(large.data);
    const end = endOfSmall(blobs, at);
    if (end.bytes > 0) pieces.push(copySmall(blobs, at, end.index, Buffer.allocUnsafe(end.bytes), 0));
    at = end.index;
  }
  head.writeUInt32BE(checksumOf(pieces), lengthBytes);
  return { pieces, bytes: prefixBytes + header.length + blobBytes };
}

function checksumOf([head, ...rest]: readonly [Buffer, ...Uint8Array[]]): number {
  let sum = crc32(head.subarray(headerAt));
  for (const piece of rest) sum = crc32(piece, sum);
  return sum;
}

/** Where the run of small blobs that begins at `from` ends, and what it weighs. */
function endOfSmall(blobs: readonly Blob[], from: number): { readonly index: number; readonly bytes: number } {
  let bytes = 0;
  let index = from;
  for (; index < blobs.length; index++) {
    const length = blobs[index]?.data.length ?? 0;
    if (length > inlineBytesMax) break;
    bytes += length;
  }
  return { index, bytes };
}

function copySmall(blobs: readonly Blob[], from: number, to: number, target: Buffer, offset: number): Buffer {
  for (let index = from; index < to; index++) {
    const data = blobs[index]?.data;
    if (data === undefined) continue;
    target.set(data, offset);
    offset += data.length;
  }
  return target;
}

function encodeFields(frame: Frame, fields: Field[]): readonly Blob[] {
  switch (frame.kind) {
    case "raft":
      return encodeMessage(frame.message, fields);
    case "forward": {
      const lengths: number[] = [];
      for (const { seq, data } of frame.proposals) lengths.push(seq, data.length);
      fields.push(frame.origin, frame.epoch, frame.term, lengths);
      return frame.proposals;
    }
    case "refused":
      fields.push(frame.epoch, frame.term, refusals.indexOf(frame.reason), frame.seqs);
      return [];
    case "status":
      encodeStatus(frame.status, fields);
      return [];
    case "ask": {
      const { number, request } = frame;
      const [peer, api] = request.kind === "add" ? [request.peer, request.api] : ["", ""];
      fields.push(number, requestKinds.indexOf(request.kind), request.id, peer, api);
      return [];
    }
    case "told": {
      const { number, answer } = frame;
      fields.push(number, answer.ok);
      if (answer.ok) fields.push(answer.index, answer.changed);
      else fields.push(answerCodes.indexOf(answer.code), answer.message);
      return [];
    }
    case "snapshot": {
      const { step, id, term, index, lastTerm } = frame;
      fields.push(snapshotSteps.indexOf(step), id, term, index, lastTerm);
      return [];
    }
    default:
      return unreachable(frame);
  }
}

function encodeMessage(message: Message, fields: Field[]): readonly Blob[] {
  fields.push(messageTypes.indexOf(message.type), message.from, message.to, message.term);
  switch (message.type) {
    case "RequestVote":
      fields.push(message.preVote, message.force, message.lastLogIndex, message.lastLogTerm);
      return [];
    case "RequestVoteResponse":
      fields.push(message.preVote, message.granted);
      return [];
    case "AppendEntries": {
      const { prevLogIndex, prevLogTerm, entries, leaderCommit } = message;
      const first = entries[0];
      // Indexes are not sent: they follow from the first.
      invariant(first === undefined || first.index === prevLogIndex + 1, "entries continue the log at prevLogIndex");
      const lengths: number[] = [];
      const configurations: number[] = [];
      for (const [position, { term, data, kind }] of entries.entries()) {
        lengths.push(term, data.length);
        if (kind === "configuration") configurations.push(position);
      }
      fields.push(prevLogIndex, prevLogTerm, leaderCommit, lengths, configurations);
      return entries;
    }
    case "AppendEntriesResponse": {
      const { prevLogIndex, success, matchIndex, hint } = message;
      fields.push(prevLogIndex, success, matchIndex, hint === undefined ? null : [hint.index, hint.term]);
      return [];
    }
    case "Heartbeat":
      fields.push(message.leaderCommit, message.context);
      return [];
    case "HeartbeatResponse":
    case "ReadIndex":
      fields.push(message.context);
      return [];
    case "ReadIndexResponse":
      fields.push(message.context, message.index);
      return [];
    case "TimeoutNow":
      return [];
    default:
      return unreachable(message);
  }
}

function encodeStatus(status: NodeStatus, fields: Field[]): void {
  fields.push(status.id, status.api, roles.indexOf(status.role), status.term, status.leader);
  fields.push(status.lastIndex, status.commitIndex, status.appliedIndex, status.flushedIndex);
  fields.push(status.stateHash?.index ?? null, status.stateHash?.hash ?? null);
  fields.push(status.dbBytes, status.atMs, status.version);
  fields.push(status.instance, status.instances.flat());
  fields.push(status.diskFreeBytes ?? null);
  fields.push(status.alarms.flatMap(({ kind, sinceMs, about }) => [alarmKinds.indexOf(kind), sinceMs, about]));
}
