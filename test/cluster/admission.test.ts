import { expect, it } from "vitest";
import { admits, isHousekeeping, type Restriction } from "../../cluster/admission.js";
import type { Command } from "../../src/select/command.js";
import { settings } from "./engine.js";

const ref = { node: "n1", epoch: 1, seq: 1 };
const put = { kind: "put", id: "a", digest: "d", selects: [] } as const;
const patch = { kind: "patch", id: "a", digest: "d" } as const;
const select = { kind: "select", route: "r", choice: "random" } as const;
const send = { op: "send", chan: "c" } as const;
const recv = { op: "recv", chan: "c" } as const;

/** What each restriction still admits. */
const rows: readonly (readonly [what: string, command: Command, admitted: readonly Restriction[]])[] = [
  ["a create", put, []],
  ["a create by a put-back", { ...put, lock: "l", spawn: [{ id: "b", selects: [] }] }, []],
  ["a put-back", { ...put, lock: "l" }, ["growth"]],
  ["a PATCH", { ...patch, lock: "l" }, ["growth"]],
  ["a PATCH without a lock", patch, []],
  ["a send", { ...select, cases: [send] }, []],
  ["a select that may send", { ...select, cases: [recv, send] }, []],
  ["a receive", { ...select, cases: [recv] }, ["growth"]],
  ["a new channel", { kind: "make", chan: "c", buffer: 1 }, []],
  ["a close", { kind: "close", chan: "c" }, ["growth"]],
  ["a poll", { kind: "demand", for: "poll", prefix: "", max: 1, leaseMs: 1, park: true, ref }, ["growth"]],
  ["a heartbeat", { kind: "lock", id: "a", lock: "l", forMs: 1 }, ["growth"]],
  ["a resume", { kind: "resume", id: "a" }, ["growth"]],
  ["a delete", { kind: "delete", id: "a", force: true }, ["growth", "most"]],
  ["the removal of a channel", { kind: "drop", chan: "c" }, ["growth", "most"]],
  ["a lease given back", { kind: "unlock", id: "a", lock: "l", delayMs: 0 }, ["growth", "most"]],
  ["a pause", { kind: "pause", id: "a", reason: "r" }, ["growth", "most"]],
  [
    "a failed callback",
    { kind: "callbackFailed", id: "a", lock: "l", error: "e", delayMs: 0, pause: false },
    ["growth", "most"],
  ],
  ["the settings", { kind: "configure", seed: new Uint8Array(16), settings }, ["growth", "most", "all"]],
  ["the end of a wait", { kind: "withdraw", refs: [ref] }, ["growth", "most", "all"]],
  ["the end of a node", { kind: "forget", node: "n1", epoch: 1 }, ["growth", "most", "all"]],
  ["deadlines", { kind: "expire", keys: [] }, ["growth", "most", "all"]],
];

it.each(rows)("%s", (_what, command, admitted) => {
  const all: readonly Restriction[] = ["growth", "most", "all"];
  expect(all.filter((restriction) => admits(command, restriction))).toEqual(admitted);
  expect(isHousekeeping(command)).toBe(admits(command, "all"));
});
