/**
 * What each route takes and answers, for people and generators. routes.ts says what runs.
 */
import type { ErrorCode } from "../src/errors.js";
import type { bodySchemas } from "./schema.js";
import type { answerSchemas } from "./schema-out.js";

type ParameterName =
  | "id"
  | "node"
  | "chan"
  | "wait"
  | "lease"
  | "max"
  | "prefix"
  | "until"
  | "after"
  | "afterIndex"
  | "status"
  | "chanFilter"
  | "cursor"
  | "limit"
  | "force"
  | "delay"
  | "consistency"
  | "RequestId"
  | "IfMatch"
  | "SlctLock"
  | "SlctMinIndex"
  | "LastEventId";

export interface RouteDoc {
  readonly summary: string;
  readonly parameters?: readonly ParameterName[];
  readonly body?: keyof typeof bodySchemas;
  readonly bodyRequired?: true;
  /** By status. */
  readonly answers: Readonly<Record<number, keyof typeof answerSchemas>>;
  /** Beside those that every route may give. */
  readonly errors?: readonly ErrorCode[];
}

const mutation = ["RequestId", "SlctMinIndex"] as const;
const stateMutation = ["id", "IfMatch", ...mutation] as const;
const read = ["consistency", "SlctMinIndex"] as const;
const page = ["prefix", "cursor", "limit", ...read] as const;
const body = ["bad_json", "unsafe_number", "too_deep", "too_many", "too_large", "unsupported_media_type"] as const;
const held = ["not_found", "lock_error", "version_mismatch"] as const;
const resolved = ["already_resolved", "exists", "closed"] as const;

/** By `METHOD path`, the path as in OpenAPI. */
export const routeDocs: Readonly<Record<string, RouteDoc>> = {
  "GET /state/poll": {
    summary: "Take pending states without callback, oldest first; waits for one if there is none.",
    parameters: ["prefix", "wait", "max", "lease", "SlctMinIndex"],
    answers: { 200: "HandOuts" },
  },
  "GET /state/{id}": {
    summary: "Read a state, or wait for a status or a newer version.",
    parameters: ["id", "wait", "until", "after", ...read],
    answers: { 200: "State" },
    errors: ["not_found"],
  },
  "PUT /state/{id}": {
    summary: "Create a state, or with a lock put back one that was handed out.",
    parameters: [...stateMutation, "SlctLock", "wait", "lease"],
    body: "PutBody",
    bodyRequired: true,
    answers: { 200: "PutAnswer", 201: "PutAnswer" },
    errors: [...body, ...held, ...resolved, "result_not_processed", "select_dropped", "callback_blocked"],
  },
  "PATCH /state/{id}": {
    summary: "Put back only what changes.",
    parameters: [...stateMutation, "SlctLock", "wait", "lease"],
    body: "PatchBody",
    bodyRequired: true,
    answers: { 200: "PutAnswer" },
    errors: [...body, ...held, ...resolved, "callback_blocked"],
  },
  "DELETE /state/{id}": {
    summary: "Remove a state; its selects leave every queue.",
    parameters: [...stateMutation, "SlctLock", "force"],
    body: "HolderBody",
    answers: { 200: "StateDeleted" },
    errors: [...body, ...held],
  },
  "POST /state/{id}/lock": {
    summary: "With a lock: extend the lease. Without: take a lease by hand, answered as by poll.",
    parameters: [...stateMutation, "SlctLock"],
    body: "LockBody",
    answers: { 200: "LeaseOrHandOut" },
    errors: [...body, ...held],
  },
  "DELETE /state/{id}/lock": {
    summary: "Give the lease back.",
    parameters: [...stateMutation, "SlctLock", "delay"],
    body: "HolderBody",
    answers: { 200: "StateAnswer" },
    errors: [...body, ...held],
  },
  "GET /state": {
    summary: "List states by prefix, status, or the channel they wait on.",
    parameters: [...page, "status", "chanFilter"],
    answers: { 200: "States" },
  },
  "PUT /state/{id}/pause": {
    summary: "No longer hand the state out; its selects stay queued.",
    parameters: stateMutation,
    body: "PauseBody",
    answers: { 200: "StateAnswer" },
    errors: [...body, "not_found", "version_mismatch"],
  },
  "PUT /state/{id}/resume": {
    summary: "Hand the state out again; attempts start anew.",
    parameters: stateMutation,
    answers: { 200: "StateAnswer" },
    errors: ["not_found", "version_mismatch"],
  },
  "GET /channel": { summary: "List channels.", parameters: page, answers: { 200: "Channels" } },
  "GET /channel/{chan}": {
    summary: "Look at a channel.",
    parameters: ["chan", ...read],
    answers: { 200: "Channel" },
    errors: ["not_found"],
  },
  "PUT /channel/{chan}": {
    summary: "Make a channel with a buffer.",
    parameters: ["chan", ...mutation],
    body: "BufferBody",
    answers: { 200: "Channel", 201: "Channel" },
    errors: [...body, "exists", "closed"],
  },
  "DELETE /channel/{chan}": {
    summary: "Remove an idle channel.",
    parameters: ["chan", ...mutation],
    answers: { 200: "ChannelDeleted" },
    errors: ["not_found", "busy"],
  },
  "POST /channel/{chan}/close": {
    summary: "Close a channel; receivers get Value, those that wait and those that come.",
    parameters: ["chan", ...mutation],
    body: "CloseBody",
    answers: { 200: "Channel" },
    errors: [...body, "closed"],
  },
  "POST /channel/{chan}/send": {
    summary: "Send one value.",
    parameters: ["chan", "wait", ...mutation],
    body: "SendBody",
    answers: { 200: "Result" },
    errors: [...body, "not_ready"],
  },
  "POST /channel/{chan}/recv": {
    summary: "Receive one value.",
    parameters: ["chan", "wait", ...mutation],
    body: "EmptyBody",
    answers: { 200: "Result" },
    errors: [...body, "not_ready"],
  },
  "POST /select": {
    summary: "One select without a state.",
    parameters: ["wait", ...mutation],
    body: "PlainSelectBody",
    bodyRequired: true,
    answers: { 200: "Result" },
    errors: [...body, "not_ready"],
  },
  "GET /events": {
    summary: "The ordered feed of changes; with Accept: text/event-stream as a stream.",
    parameters: ["afterIndex", "prefix", "wait", "limit", "LastEventId", ...read],
    answers: { 200: "Events" },
    errors: ["compacted"],
  },
  "GET /cluster": { summary: "Every node of the cluster.", answers: { 200: "Cluster" } },
  "POST /cluster/members": {
    summary: "Let a node join that was started with --join: a learner first, a voter once it has caught up.",
    body: "MemberBody",
    bodyRequired: true,
    answers: { 200: "Member", 201: "Member" },
    errors: [...body, "bad_id", "exists", "busy", "too_many"],
  },
  "DELETE /cluster/members/{node}": {
    summary: "Remove a node for good; its ID is never used again.",
    parameters: ["node"],
    answers: { 200: "MemberRemoved" },
    errors: ["not_found", "busy", "not_ready", "too_many"],
  },
  "POST /cluster/transfer": {
    summary: "Let another voter lead.",
    body: "TransferBody",
    bodyRequired: true,
    answers: { 200: "Leader" },
    errors: [...body, "bad_id", "not_found", "busy", "not_ready"],
  },
  "GET /cluster/backup": {
    summary: "An archive of all records of this node at one index, for `slct restore`.",
    parameters: [...read],
    answers: { 200: "Archive" },
  },
  "GET /healthz": { summary: "The process is alive.", answers: { 200: "Alive" } },
  "GET /readyz": { summary: "The node knows a leader and is caught up.", answers: { 200: "Ready" } },
  "GET /metrics": { summary: "Metrics for Prometheus.", answers: { 200: "MetricsText" } },
  "GET /openapi.json": { summary: "This document.", answers: { 200: "Document" } },
};
