/**
 * Handlers of services and objects for callers that know only HTTP: `POST /mail/welcome`, `POST /account/alice/add`.
 *
 * A request becomes a process under its idempotency key, stored before anything is answered: so it is done once, however
 * often it is repeated, and to its end, whoever dies. Boundary: who may call is for whatever stands in front.
 */
import type { Json } from "../../api/contract.js";
import { createClient, type Client, type ClientOptions } from "../client.js";
import { checked } from "../client/channel.js";
import { systemClock, type Clock } from "../client/clock.js";
import { durationMs, type Duration } from "../client/duration.js";
import { Failure, isSlctError, SlctError } from "../client/errors.js";
import { processId } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import type { Handler } from "./serve.js";

type Ref = ProcessRef<never, unknown>;
type Refs = { readonly [handler: string]: Ref };

/** Which handlers are reached by HTTP, and how long a request waits. */
export interface IngressOptions {
  readonly services?: readonly { readonly name: string; readonly handlers: Refs }[];
  readonly objects?: readonly { readonly name: string; readonly of: (key: string) => Refs }[];
  /** Where the service is, or a client for it. */
  readonly endpoints?: ClientOptions["endpoints"];
  readonly client?: Client;
  /** What all paths begin with, such as `/api`. Default nothing. */
  readonly path?: string;
  /** How long an answer waits for the result, unless the request says so by `?wait=`; default 30 s. */
  readonly wait?: Duration;
  /** The service calls this URL instead of waiting to be polled. */
  readonly callback?: string;
  readonly clock?: Clock;
}

/** One call: what is to run, under which ID. */
interface Called {
  readonly ref: Ref;
  /** Of the process, behind its name. */
  readonly key: string;
  readonly id: string;
  /** Where its result is. */
  readonly location: string;
}

const defaultWait = "30s";
const waitMaxMs = 60_000;
/** As the service's. */
const bodyBytesMax = 4 * 1024 * 1024;
const passing = ["unreachable", "timeout", "no_leader", "overloaded"] as const;

/**
 * Handlers of services and objects over HTTP: `POST /mail/welcome` with an `Idempotency-Key`, `GET` with the key behind for the result.
 * What goes wrong is answered as `application/problem+json`: docs/sdk/http.md.
 * ```ts
 * http.createServer(nodeHandler(ingress({ services: [mail], objects: [account], endpoints }))).listen(3000);
 * ```
 */
export function ingress(options: IngressOptions): Handler {
  const { endpoints, clock = systemClock } = options;
  if (options.client === undefined && endpoints === undefined)
    throw new TypeError("ingress needs endpoints or a client");
  const client = options.client ?? createClient({ endpoints: endpoints as string });

  return async (request) => {
    try {
      const url = new URL(request.url);
      const waitMs = waitOf(request, url, options.wait ?? defaultWait);
      if (request.method === "GET") return await answer(client, find(options, url, undefined), waitMs, request.signal);
      if (request.method !== "POST") throw refused(405, "Only POST and GET are answered here.");
      const called = find(options, url, request.headers.get("idempotency-key") ?? crypto.randomUUID());
      const delay = url.searchParams.get("delay");
      const startAt = delay === null ? undefined : clock.now() + durationMs(delay);
      const input = await inputOf(request, called.ref);
      await client.start(called.ref, input as never, {
        id: called.key,
        ...(startAt !== undefined && { startAt }),
        ...(options.callback !== undefined && { callback: options.callback }),
      });
      return await answer(client, called, startAt === undefined ? waitMs : 0, request.signal);
    } catch (error) {
      return problem(error);
    }
  };
}

/** @param posted undefined: the key is in the path, behind the handler */
function find(
  { services = [], objects = [], path = "" }: IngressOptions,
  url: URL,
  posted: string | undefined,
): Called {
  const parts = url.pathname.startsWith(`${path}/`) ? url.pathname.slice(path.length + 1).split("/") : [];
  const [name = "", ...behind] = parts.map(decoded);
  const object = objects.find((one) => one.name === name);
  const [own, handler = "", given, ...more] = object === undefined ? [undefined, ...behind] : behind;
  const refs = object === undefined ? services.find((one) => one.name === name)?.handlers : own && object.of(own);
  const ref = refs && Object.hasOwn(refs, handler) ? refs[handler] : undefined;
  const idempotency = posted ?? given;
  const isWhole = more.length === 0 && (given === undefined) === (posted !== undefined);
  if (ref === undefined || !idempotency || !isWhole) throw refused(404, `Nothing is called ${url.pathname} here.`);
  // Messages to all keys of an object are processes of one name.
  const key = own === undefined ? idempotency : `${own}/${handler}/${idempotency}`;
  const location = `${path}/${[...parts, ...(posted === undefined ? [] : [encodeURIComponent(posted)])].join("/")}`;
  return { ref, key, id: processId(ref.name, key), location };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refused(400, "The path is not well encoded.");
  }
}

/** `?wait=`, `Prefer: wait=`, in seconds or as a duration; `Prefer: respond-async` for not at all. */
function waitOf({ headers }: Request, { searchParams }: URL, fallback: Duration): number {
  const prefer = headers.get("prefer") ?? "";
  if (/\brespond-async\b/.test(prefer)) return 0;
  const asked = searchParams.get("wait") ?? /\bwait=(\d+)/.exec(prefer)?.[1];
  const ms =
    asked === undefined ? durationMs(fallback) : durationMs(/^[\d.]+$/.test(asked) ? Number(asked) * 1000 : asked);
  return Math.min(ms, waitMaxMs);
}

/** @throws SlctError `invalid_value` */
async function inputOf(request: Request, { accepts: schema }: Ref): Promise<Json> {
  const input = await bodyOf(request);
  return schema === undefined ? input : ((await checked(schema, input, { what: "the input" })) as Json);
}

async function bodyOf(request: Request): Promise<Json> {
  const text = await request.text();
  if (new TextEncoder().encode(text).length > bodyBytesMax) throw refused(413, "The body is larger than 4 MiB.");
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw refused(400, "The body is no JSON.");
  }
}

/** The result, or where it will be. */
async function answer(client: Client, { id, location }: Called, wait: number, signal: AbortSignal): Promise<Response> {
  try {
    return Response.json(await client.result(id, { wait, signal }));
  } catch (error) {
    if (!isSlctError(error, "not_ready")) throw error;
    const { Status } = error.details;
    return Response.json({ ID: id, Status, Location: location }, { status: 202, headers: { location } });
  }
}

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function refused(status: number, message: string): Refusal {
  return new Refusal(status, message);
}

/** RFC 9457; `code` and `details` as the handler threw them. */
function problem(error: unknown): Response {
  const [status, code, details] = kindOf(error);
  const title = error instanceof Error && status < 500 ? error.message : "The call could not be answered";
  const headers = { "content-type": "application/problem+json", ...(status === 503 && { "retry-after": "1" }) };
  return new Response(JSON.stringify({ title, status, code, ...(details !== undefined && { details }) }), {
    status,
    headers,
  });
}

function kindOf(error: unknown): readonly [status: number, code: string, details?: Json | undefined] {
  if (error instanceof Refusal) return [error.status, error.status === 404 ? "not_found" : "bad_request"];
  if (error instanceof Failure) return [422, error.code, error.details];
  if (error instanceof RangeError) return [400, "bad_request"];
  if (isSlctError(error, "invalid_value")) return [400, error.code, error.details as { readonly [name: string]: Json }];
  if (isSlctError(error, ...passing)) return [503, error.code];
  if (error instanceof SlctError) return [error.status ?? (error.code === "bad_id" ? 400 : 500), error.code];
  return [500, "internal"];
}
