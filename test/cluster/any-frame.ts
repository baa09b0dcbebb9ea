/**
 * Every frame there can be, for properties.
 */
import fc from "fast-check";
import { alarmKinds } from "../../cluster/alarms.js";
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

export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
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
