/**
 * Frames from bytes, strictly: what frames.ts would not write is a {@link FrameError}, and nothing is made of it.
 *
 * Source: reliability 0.6, S5 and S12 (limits on lengths, integers and terms). Whether a frame makes sense is not decided
 * here; who it may come from is (peer-acceptor.ts).
 */
import { unreachable } from "../src/invariant.js";
import type { ConflictHint, Entry, Message } from "../raft/types.js";
import { membersMax } from "../raft/configuration.js";
import { alarmKinds, type Alarm } from "./alarms.js";
import { answerCodes, frameItemsMax, kinds, messageTypes, refusals, requestKinds, roles } from "./frames.js";
import { instancePattern } from "./instances.js";
import type { MembershipAnswer, MembershipRequest } from "./membership.js";
import { FrameError, MsgpackReader } from "./msgpack-reader.js";
import { snapshotSteps } from "./snapshot-wire.js";
import type { Forward, Frame, NodeStatus } from "./types.js";

/** Elections add one at a time: a term beyond this is not from them, and would leave no room. */
const termMax = 2 ** 48;
const idBytesMax = 512;
const textBytesMax = 4096;
const fieldsMax = 24;

/**
 * @param bytes one whole frame without its length and checksum; the data of the result are parts of it
 * @throws FrameError
 */
export function decodeFrame(bytes: Buffer): Frame {
  if (bytes.length < 5) throw new FrameError("frame too short");
  const blobsAt = 4 + bytes.readUInt32BE(0);
  if (blobsAt > bytes.length) throw new FrameError("header longer than the frame");
  const reader = new MsgpackReader(bytes.subarray(4, blobsAt));
  const blobs = new BlobReader(bytes, blobsAt);
  const fields = reader.array(fieldsMax);
  const kind = oneOf(kinds, reader);
  if (fields !== fieldCounts[kind] && kind !== "raft") throw new FrameError(`${kind} with ${fields} fields`);
  const frame = decodeFields(kind, fields, reader, blobs);
  reader.end();
  blobs.end();
  return frame;
}

const fieldCounts = { raft: 0, forward: 5, refused: 5, status: 19, ask: 6, told: 5, snapshot: 6 } as const;
const messageFieldCounts = {
  RequestVote: 9,
  RequestVoteResponse: 7,
  AppendEntries: 10,
  AppendEntriesResponse: 9,
  Heartbeat: 7,
  HeartbeatResponse: 6,
  ReadIndex: 6,
  ReadIndexResponse: 7,
  TimeoutNow: 5,
} as const satisfies Record<Message["type"], number>;

/** Cuts the part after the header into pieces whose lengths the header names. */
class BlobReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  next(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new FrameError("data longer than the frame");
    return this.#bytes.subarray(from, this.#at);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new FrameError(`${this.#bytes.length - this.#at} bytes too many`);
  }
}

function oneOf<T>(list: readonly T[], reader: MsgpackReader): T {
  return list[reader.uint(list.length - 1)] as T;
}

function decodeFields(kind: Frame["kind"], fields: number, reader: MsgpackReader, blobs: BlobReader): Frame {
  switch (kind) {
    case "raft":
      return { kind, message: decodeMessage(fields, reader, blobs) };
    case "forward": {
      const head = { origin: reader.string(idBytesMax), epoch: reader.uint(), term: reader.uint(termMax) };
      return { kind, ...head, proposals: decodeProposals(reader, blobs) };
    }
    case "refused": {
      const epoch = reader.uint();
      const term = reader.uint(termMax);
      const reason = oneOf(refusals, reader);
      const seqs = Array.from({ length: reader.array(frameItemsMax) }, () => reader.uint());
      return { kind, epoch, term, seqs, reason };
    }
    case "status":
      return { kind, status: decodeStatus(reader) };
    case "ask":
      return { kind, number: reader.uint(), request: decodeRequest(reader) };
    case "told":
      return { kind, number: reader.uint(), answer: decodeAnswer(reader) };
    case "snapshot": {
      const which = { step: oneOf(snapshotSteps, reader), id: reader.string(idBytesMax) };
      return { kind, ...which, term: reader.uint(termMax), index: reader.uint(), lastTerm: reader.uint(termMax) };
    }
    default:
      return unreachable(kind);
  }
}

function pairs(reader: MsgpackReader): number {
  const numbers = reader.array(2 * frameItemsMax);
  if (numbers % 2 !== 0) throw new FrameError("odd number of lengths");
  return numbers / 2;
}

function decodeProposals(reader: MsgpackReader, blobs: BlobReader): Forward[] {
  const proposals: Forward[] = [];
  for (let left = pairs(reader); left > 0; left--) {
    proposals.push({ seq: reader.uint(), data: blobs.next(reader.uint()) });
  }
  return proposals;
}

/**
 * Terms and lengths of all, then the positions of those that hold configurations. Indexes follow from the first, so there
 * are no holes; terms of a log never fall.
 */
function decodeEntries(
  { prevLogIndex, prevLogTerm }: { readonly prevLogIndex: number; readonly prevLogTerm: number },
  reader: MsgpackReader,
  blobs: BlobReader,
): Entry[] {
  const entries: Entry[] = [];
  let atLeast = prevLogTerm;
  const count = pairs(reader);
  if (!Number.isSafeInteger(prevLogIndex + count)) throw new FrameError("index out of range");
  for (let n = 1; n <= count; n++) {
    const term = reader.uint(termMax);
    if (term < atLeast) throw new FrameError("entries of falling terms");
    atLeast = term;
    entries.push({ index: prevLogIndex + n, term, data: blobs.next(reader.uint()) });
  }
  let last = -1;
  for (let left = reader.array(frameItemsMax); left > 0; left--) {
    const position = reader.uint();
    const entry = entries[position];
    if (position <= last || entry === undefined) throw new FrameError("not the position of a configuration");
    entries[position] = { ...entry, kind: "configuration" };
    last = position;
  }
  return entries;
}

function decodeMessage(fields: number, reader: MsgpackReader, blobs: BlobReader): Message {
  const type = oneOf(messageTypes, reader);
  if (fields !== messageFieldCounts[type]) throw new FrameError(`${type} with ${fields} fields`);
  const envelope = { from: reader.string(idBytesMax), to: reader.string(idBytesMax), term: reader.uint(termMax) };
  switch (type) {
    case "RequestVote": {
      const kind = { preVote: reader.bool(), force: reader.bool() };
      return { type, ...envelope, ...kind, lastLogIndex: reader.uint(), lastLogTerm: reader.uint(termMax) };
    }
    case "RequestVoteResponse":
      return { type, ...envelope, preVote: reader.bool(), granted: reader.bool() };
    case "AppendEntries": {
      const prev = { prevLogIndex: reader.uint(), prevLogTerm: reader.uint(termMax) };
      const leaderCommit = reader.uint();
      return { type, ...envelope, ...prev, leaderCommit, entries: decodeEntries(prev, reader, blobs) };
    }
    case "AppendEntriesResponse": {
      const base = { prevLogIndex: reader.uint(), success: reader.bool(), matchIndex: reader.uint() };
      const hint = decodeHint(reader);
      return { type, ...envelope, ...base, ...(hint && { hint }) };
    }
    case "Heartbeat":
      return { type, ...envelope, leaderCommit: reader.uint(), context: reader.uint() };
    case "HeartbeatResponse":
    case "ReadIndex":
      return { type, ...envelope, context: reader.uint() };
    case "ReadIndexResponse":
      return { type, ...envelope, context: reader.uint(), index: reader.uint() };
    case "TimeoutNow":
      return { type, ...envelope };
    default:
      return unreachable(type);
  }
}

function decodeHint(reader: MsgpackReader): ConflictHint | undefined {
  if (reader.nil()) return undefined;
  if (reader.array(2) !== 2) throw new FrameError("a hint is a pair");
  return { index: reader.uint(), term: reader.uint(termMax) };
}

function decodeStatus(reader: MsgpackReader): NodeStatus {
  const who = { id: reader.string(idBytesMax), api: reader.string(textBytesMax), role: oneOf(roles, reader) };
  const term = reader.uint(termMax);
  const leader = reader.nil() ? null : reader.string(idBytesMax);
  const log = { lastIndex: reader.uint(), commitIndex: reader.uint(), appliedIndex: reader.uint() };
  const flushedIndex = reader.uint();
  const hashIndex = reader.nil() ? undefined : reader.uint();
  const hash = reader.nil() ? undefined : reader.string(textBytesMax);
  if ((hashIndex === undefined) !== (hash === undefined)) throw new FrameError("half a state hash");
  const stateHash = hashIndex !== undefined && hash !== undefined && { stateHash: { index: hashIndex, hash } };
  const rest = { dbBytes: reader.float(), atMs: reader.float(), version: reader.string(textBytesMax) };
  const instance = decodeInstance(reader);
  return {
    ...who,
    term,
    leader,
    ...log,
    flushedIndex,
    ...stateHash,
    ...rest,
    instance,
    instances: decodeInstances(reader),
    ...(reader.nil() ? {} : { diskFreeBytes: reader.float() }),
    alarms: decodeAlarms(reader),
  };
}

function decodeAlarms(reader: MsgpackReader): Alarm[] {
  const fields = reader.array(3 * alarmKinds.length);
  if (fields % 3 !== 0) throw new FrameError("half an alarm");
  return Array.from({ length: fields / 3 }, () => {
    const kind = oneOf(alarmKinds, reader);
    return { kind, sinceMs: reader.float(), about: reader.string(textBytesMax) };
  });
}

function decodeInstances(reader: MsgpackReader): [string, string][] {
  const strings = reader.array(2 * membersMax);
  if (strings % 2 !== 0) throw new FrameError("an instance without its node");
  return Array.from({ length: strings / 2 }, () => [reader.string(idBytesMax), decodeInstance(reader)]);
}

function decodeInstance(reader: MsgpackReader): string {
  const instance = reader.string(textBytesMax);
  if (!instancePattern.test(instance)) throw new FrameError("not an instance");
  return instance;
}

function decodeRequest(reader: MsgpackReader): MembershipRequest {
  const kind = oneOf(requestKinds, reader);
  const [id, peer, api] = [reader.string(idBytesMax), reader.string(textBytesMax), reader.string(textBytesMax)];
  return kind === "add" ? { kind, id, peer, api } : { kind, id };
}

function decodeAnswer(reader: MsgpackReader): MembershipAnswer {
  if (reader.bool()) return { ok: true, index: reader.uint(), changed: reader.bool() };
  return { ok: false, code: oneOf(answerCodes, reader), message: reader.string(textBytesMax) };
}
