/**
 * One request and its answer: what every handler is given and what it gives back.
 *
 * Boundary: handlers never touch the response (server-sent events are the exception); they return a {@link Reply} or
 * throw. {@link sendReply} writes it in one piece.
 */
import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { Committed, Freshness, Node } from "../cluster/types.js";
import type { Answer, Outcome } from "../src/select/outcome.js";
import { receiveBody } from "./body.js";
import type { Chunk } from "./json-chunks.js";
import { joinChunks } from "./json-chunks.js";
import type { ApiMetrics } from "./metrics.js";
import { refusalError } from "./problem.js";
import { minIndexOf, preconditionsOf } from "./query.js";
import type { Query } from "./query.js";
import type { Rules } from "./rules.js";
import type { Check } from "./schema.js";
import type { Target } from "./wire-commands.js";
import { pathChan, refuse, stateId } from "./wire-values.js";
import { SlctError } from "../src/errors.js";

export interface Api {
  readonly node: Node;
  readonly rules: Rules;
  readonly metrics: ApiMetrics;
  readonly logger: Logger;
  /** Pause after which a silent event stream gets a comment. */
  readonly heartbeatMs: number;
  /** A backup that nobody reads for so long is ended. */
  readonly backupIdleMs: number;
}

export interface Exchange {
  readonly api: Api;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Of the path, percent-decoded once. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
}

export interface Reply {
  readonly status: number;
  /** A string leaves in one write with its headers. */
  readonly body: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `application/json`. */
  readonly type?: string;
}

/** Undefined: the handler has written the answer itself. */
export type Handler = (exchange: Exchange) => Promise<Reply | undefined>;

// --------------------------------------------------------------------------------------------------------- answers

/** @param index what the answer is at least as fresh as */
export function json(status: number, value: object, index: number, headers: Record<string, string> = {}): Reply {
  return { status, body: JSON.stringify(value), headers: { "Slct-Index": String(index), ...headers } };
}

export function chunks(
  status: number,
  parts: readonly Chunk[],
  index: number,
  headers: Record<string, string> = {},
): Reply {
  return { status, body: joinChunks(parts), headers: { "Slct-Index": String(index), ...headers } };
}

export function etag(version: number): { ETag: string } {
  return { ETag: `"${version}"` };
}

const hardening = ["X-Content-Type-Options", "nosniff", "Cache-Control", "no-store"] as const;

export function sendReply(res: ServerResponse, { status, body, headers, type = "application/json" }: Reply): void {
  if (res.destroyed) return;
  const head: (string | number)[] = ["Content-Type", type, "Content-Length", Buffer.byteLength(body), ...hardening];
  for (const name in headers) head.push(name, headers[name] ?? "");
  res.writeHead(status, head as OutgoingHttpHeader[]);
  res.end(body);
}

// ------------------------------------------------------------------------------------------------------ what is asked

export function targetOf({ api, req, params }: Exchange): Target {
  const id = stateId(params["id"] ?? "", api.rules.limits.idBytesMax);
  return { id, given: preconditionsOf(req), rules: api.rules };
}

export function chanOf({ params }: Exchange): string {
  return pathChan(params["chan"] ?? "");
}

/** The body, or `{}` where all its members may be left out. */
export async function bodyOf<T>(exchange: Exchange, check: Check<T>): Promise<T> {
  const { api, req, res } = exchange;
  const { envelope, bytes } = await receiveBody(req, api.rules.limits);
  if (bytes > api.rules.limits.bodyBytesSoft) {
    res.setHeader("Slct-Warning", "soft-limit");
    api.metrics.softLimit.inc();
  }
  return check(envelope);
}

/** @throws SlctError `bad_json` when there is no body */
export function neededBodyOf<T>(exchange: Exchange, check: Check<T>): Promise<T> {
  return bodyOf(exchange, (envelope) => {
    if (envelope === undefined) throw new SlctError("bad_json", "This request needs a body.");
    return check(envelope);
  });
}

/** Aborts when the client goes away before its answer. */
export function signalOf({ res }: Exchange): AbortSignal {
  const controller = new AbortController();
  if (res.destroyed) controller.abort();
  res.once("close", () => {
    if (!res.writableFinished) controller.abort();
  });
  return controller.signal;
}

// ------------------------------------------------------------------------------------------------------- the cluster

/** What a read asks for. @throws SlctError `bad_request` */
export function freshnessOf({ req, query }: Exchange): Freshness {
  const consistency = query.get("consistency");
  if (consistency !== undefined && consistency !== "stale" && consistency !== "linearizable") {
    refuse("consistency must be stale or linearizable.");
  }
  return { stale: consistency === "stale", minIndex: minIndexOf(req) };
}

/** Before a read of more than one record. @throws SlctError `bad_request`, `timeout`, `no_leader` */
export async function freshen(exchange: Exchange): Promise<void> {
  await exchange.api.node.fresh(freshnessOf(exchange));
}

/** Before a mutation: only if the client asks for it. */
export async function reachMinIndex({ api, req }: Exchange): Promise<void> {
  const minIndex = minIndexOf(req);
  if (minIndex > api.node.appliedIndex) await api.node.fresh({ stale: true, minIndex });
}

export type Accepted = Extract<Outcome, { ok: true }>;

/** @throws SlctError the refusal of the engine */
export function accepted({ outcome }: Committed): Accepted {
  if (!outcome.ok) throw refusalError(outcome);
  return outcome;
}

/** An answer of this kind, or a broken promise between engine and API. */
export function expectAnswer<K extends Answer["kind"]>(answer: Answer, kind: K): Extract<Answer, { kind: K }> {
  if (answer.kind !== kind) throw new SlctError("internal", `expected an answer of kind ${kind}, got ${answer.kind}`);
  return answer as Extract<Answer, { kind: K }>;
}
