/**
 * Shapes of all answers as JSON Schema, for /openapi.json. contract.ts has the same as types; a test compares real
 * answers with these.
 */
import { errorCodes } from "../src/errors.js";
import type { Schema } from "./schema.js";

const text: Schema = { type: "string" };
const whole: Schema = { type: "integer" };
const ms: Schema = { type: "integer", description: "Unix milliseconds." };
const yes: Schema = { type: "boolean" };
const anyJson: Schema = { description: "Any JSON, exactly as it was put." };
const status: Schema = { type: "string", enum: ["waiting", "pending", "running", "done", "paused"] };
const cursor: Schema = { type: ["string", "null"], description: "Pass it as cursor for the rest; null at the end." };
const chan: Schema = { type: ["string", "number", "null"] };

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const list = (name: string): Schema => ({ type: "array", items: ref(name) });

/** All of `properties` but the `optional` ones are always there. */
function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required };
}

const stateMembers = {
  ID: text,
  Data: anyJson,
  Selects: list("SelectOut"),
  Results: list("Result"),
  Callback: ref("Callback"),
  Vars: { type: "object" },
  Status: status,
  Version: whole,
  CreatedAt: ms,
  UpdatedAt: ms,
  PausedReason: text,
  LastError: text,
  LastDetails: anyJson,
} satisfies Record<string, Schema>;
const stateOptional = ["Data", "Callback", "Vars", "PausedReason", "LastError", "LastDetails"];
const lease = { Lock: text, LockUntil: ms } satisfies Record<string, Schema>;

export const answerSchemas = {
  CaseOut: object({ Op: { enum: [1, 2, 3, 4] }, Chan: chan, Data: anyJson, At: ms, NotBefore: ms }, [
    "Chan",
    "Data",
    "At",
    "NotBefore",
  ]),
  Result: object(
    {
      Select: text,
      Case: whole,
      Op: { enum: [1, 2, 3, 4] },
      Chan: chan,
      Data: { description: "Only of a receive." },
      Ok: yes,
      Closed: yes,
      Error: { const: "closed" },
      At: ms,
      Index: whole,
    },
    ["Chan", "Data", "Closed", "Error"],
  ),
  SelectOut: object(
    { ID: text, Cases: list("CaseOut"), Choice: { enum: ["random", "order"] }, Result: ref("Result") },
    ["Result"],
  ),
  State: object(stateMembers, stateOptional),
  HandOut: object({ ...stateMembers, ...lease, Attempt: whole }, stateOptional),
  HandOuts: list("HandOut"),
  States: object({ States: list("State"), Cursor: cursor }),
  PutAnswer: object(
    {
      ID: text,
      Status: status,
      Version: whole,
      CreatedAt: ms,
      UpdatedAt: ms,
      ...lease,
      Attempt: whole,
      Spawned: list("Spawned"),
    },
    ["Lock", "LockUntil", "Attempt", "Spawned"],
  ),
  Spawned: object({ ID: text, Status: status, Version: whole, Code: { const: "exists" } }, [
    "Status",
    "Version",
    "Code",
  ]),
  StateAnswer: object({ ID: text, Status: status, Version: whole }),
  StateDeleted: object({ ID: text, Deleted: yes }),
  Lease: object(lease),
  LeaseOrHandOut: { anyOf: [ref("HandOut"), ref("Lease")] },
  Channel: object({
    Chan: text,
    Buffer: whole,
    Values: whole,
    Senders: whole,
    Receivers: whole,
    Closed: yes,
    OldestWaiter: { type: ["integer", "null"], description: "Since when it waits, unix milliseconds." },
  }),
  Channels: object({ Channels: list("Channel"), Cursor: cursor }),
  ChannelDeleted: object({ Chan: text, Deleted: yes }),
  Event: object({ Index: whole, At: ms, Type: text, ID: text, Chan: text, Status: status, Version: whole }, [
    "ID",
    "Chan",
    "Status",
    "Version",
  ]),
  Events: object({ Events: list("Event") }),
  Node: object(
    {
      ID: text,
      Address: text,
      Peer: text,
      Role: { type: "string", enum: ["leader", "follower", "candidate", "preCandidate", "learner"] },
      Voter: yes,
      Instance: text,
      Term: whole,
      Leader: { type: ["string", "null"] },
      LastIndex: whole,
      CommitIndex: whole,
      AppliedIndex: whole,
      FlushedIndex: whole,
      LagMs: { type: "number" },
      DBBytes: whole,
      ClockSkewMs: { type: "number" },
      Reachable: yes,
      At: ms,
      Version: text,
      StateHash: object({ Index: whole, Hash: text }),
      DiskFreeBytes: whole,
      Alarms: list("Alarm"),
    },
    ["StateHash", "DiskFreeBytes"],
  ),
  Alarm: object({ Kind: text, Since: ms, About: text }),
  Cluster: object({ ID: text, Nodes: list("Node"), Removed: { type: "array", items: text }, Changing: yes }),
  Member: object({ ID: text, Peer: text, API: text }),
  MemberRemoved: object({ ID: text, Removed: yes }),
  Leader: object({ Leader: text }),
  Alive: object({ Alive: yes }),
  Ready: object({ Ready: yes }),
  MetricsText: text,
  Archive: { type: "string", format: "binary" },
  Document: { type: "object" },
  Problem: object(
    {
      type: { type: "string", format: "uri-reference" },
      title: text,
      status: whole,
      code: { type: "string", enum: errorCodes },
      detail: text,
      instance: text,
    },
    ["detail", "instance"],
  ),
} satisfies Record<string, Schema>;
