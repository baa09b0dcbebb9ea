/**
 * The OpenAPI 3.1 document, put together from the schemas that requests are checked with and the table of routes.
 */
import type { ErrorCode } from "../src/errors.js";
import { routeDocs } from "./openapi-routes.js";
import type { RouteDoc } from "./openapi-routes.js";
import { problems } from "./problem.js";
import { answerSchemas } from "./schema-out.js";
import { bodySchemas } from "./schema.js";
import type { Schema } from "./schema.js";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: true;
  readonly description: string;
  readonly schema: Schema;
}

const seconds = (minimum: number, maximum: number): Schema => ({ type: "number", minimum, maximum });
const text: Schema = { type: "string" };
const index: Schema = { type: "integer", minimum: 0 };

function query(name: string, schema: Schema, description: string): Parameter {
  return { name, in: "query", description, schema };
}

function header(name: string, schema: Schema, description: string): Parameter {
  return { name, in: "header", description, schema };
}

const parameters = {
  id: {
    name: "id",
    in: "path",
    required: true,
    description: "ID of the state: 1–512 bytes of UTF-8 without control characters, percent-encoded; not poll, . or ..",
    schema: text,
  },
  node: {
    name: "node",
    in: "path",
    required: true,
    description: "ID of the node.",
    schema: text,
  },
  chan: {
    name: "chan",
    in: "path",
    required: true,
    description: "Name of the channel: 1–256 bytes of UTF-8 without control characters, percent-encoded.",
    schema: text,
  },
  wait: query("wait", seconds(0, 60), "Seconds to wait; default 0. Out of range is clamped."),
  lease: query("lease", seconds(1, 3600), "Seconds until a state that is handed out is pending again; default 30."),
  max: query("max", { type: "integer", minimum: 1, maximum: 100 }, "States to take at most; default 10."),
  prefix: query("prefix", text, "Only names that begin with this."),
  until: query("until", text, "Wait until the state has this status."),
  after: query("after", index, "Wait until the state has a newer version than this."),
  afterIndex: query("after", index, "Events behind this log index; default all that are kept, for a stream now."),
  status: query("status", text, "Only states of this status."),
  chanFilter: query("chan", text, "Only states that wait on this channel."),
  cursor: query("cursor", text, "From the page before."),
  limit: query("limit", { type: "integer", minimum: 1, maximum: 1000 }, "Items of a page at most."),
  force: query("force", { type: "boolean" }, "Delete without holding the lock."),
  delay: query("delay", seconds(0, 31_536_000), "Seconds until it is pending again; default 0."),
  consistency: query("consistency", { enum: ["linearizable", "stale"] }, "stale reads what this node has."),
  RequestId: header(
    "Request-Id",
    { type: "string", minLength: 1, maxLength: 128 },
    "A repetition gets the first answer.",
  ),
  IfMatch: header("If-Match", text, 'The version that is expected, in quotes: "12".'),
  SlctLock: header("Slct-Lock", text, "The lock, if it is not in the body."),
  SlctMinIndex: header("Slct-Min-Index", index, "Wait until this node has applied this index."),
  LastEventId: header("Last-Event-ID", index, "Resumes a stream."),
} satisfies Record<string, Parameter>;

/** What any route may answer. */
const everywhere: readonly ErrorCode[] = ["bad_request", "too_large", "overloaded", "no_leader", "timeout", "internal"];

export function openapiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [route, doc] of Object.entries(routeDocs)) {
    const [method = "", path = ""] = route.split(" ");
    (paths[path] ??= {})[method.toLowerCase()] = operation(method, path, doc);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "slct",
      version: "1",
      description: "Go's select as a replicated service. Any node answers any request.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: { schemas: { ...bodySchemas, ...answerSchemas }, parameters },
  };
}

function operation(method: string, path: string, doc: RouteDoc): object {
  const given = (doc.parameters ?? []).map((name) => ({ $ref: `#/components/parameters/${name}` }));
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[{}]/g, "").replace(/[/.](\w)/g, (_, c: string) => c.toUpperCase())}`,
    summary: doc.summary,
    ...(given.length > 0 && { parameters: given }),
    ...(doc.body !== undefined && {
      requestBody: { required: doc.bodyRequired === true, content: content("application/json", doc.body) },
    }),
    responses: { ...answers(doc), ...errorAnswers([...(doc.errors ?? []), ...pathErrors(path), ...everywhere]) },
  };
}

function pathErrors(path: string): ErrorCode[] {
  return path.includes("{") ? ["bad_id"] : [];
}

/** Of answers that are not JSON. */
const mediaTypes: Readonly<Record<string, string>> = {
  MetricsText: "text/plain",
  Archive: "application/octet-stream",
};

function answers(doc: RouteDoc): Record<string, object> {
  return Object.fromEntries(
    Object.entries(doc.answers).map(([status, name]) => [
      status,
      {
        description: name,
        headers: { "Slct-Index": { description: "The answer is at least as fresh as this log index.", schema: index } },
        content: content(mediaTypes[name] ?? "application/json", name),
      },
    ]),
  );
}

/** One entry per status, naming the codes that share it. */
function errorAnswers(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of codes) {
    const { status } = problems[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      status,
      { description: [...some].join(", "), content: content("application/problem+json", "Problem") },
    ]),
  );
}

function content(type: string, schema: string): object {
  return { [type]: { schema: { $ref: `#/components/schemas/${schema}` } } };
}
