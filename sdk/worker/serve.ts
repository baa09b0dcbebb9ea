/**
 * Processes by callback: a handler for the requests that the service makes, for any server that knows `Request`.
 *
 * With endpoints it stores through the API, as a worker does, and answers 204. Without, it works where nothing but the
 * answer gets out: the new state is the answer, and steps are stored with it, not before.
 */
import type { StateOut } from "../../api/contract.js";
import { createClient, type Client, type ClientOptions } from "../client.js";
import type { Clock } from "../client/clock.js";
import { durationMs, type Duration } from "../client/duration.js";
import { isSlctError, SlctError } from "../client/errors.js";
import { activate } from "./activation.js";
import { Call } from "./call.js";
import { Lease } from "./lease.js";
import { Runtime, type RuntimeOptions } from "./runtime.js";
import { settle } from "./settle.js";
import { verifier } from "./webhook.js";

/** What is run for the service's calls, and which of them are believed. */
export interface ServeOptions extends RuntimeOptions {
  /** Of the service, `whsec_…`; several while one is replaced. Calls that none of them signed are refused. */
  readonly secrets?: readonly string[];
  /** Takes any call. For a private network, or where something else has checked it. */
  readonly unsigned?: boolean;
  /** Where the service is, or a client for it. */
  readonly endpoints?: ClientOptions["endpoints"];
  readonly client?: Client;
  /** With endpoints: what takes longer is answered 202 and goes on. Below the service's deadline for calls; default 8 s. */
  readonly respondWithin?: Duration;
  /** Told of work that goes on after its answer, as `waitUntil` of edge platforms wants to be. */
  readonly waitUntil?: (work: Promise<void>) => void;
}

/** Takes a request, gives the answer; fits servers that know web standards, others by {@link nodeHandler}. Does not reject. */
export type Handler = (request: Request) => Promise<Response>;

const defaultWithin = "8s";
/** Lease of a call, as the service is configured by default: it is extended while the work goes on. */
const leaseMs = 30_000;
const newsAfterMs = 1000;
/** The service sends no more: 4 MiB, and what JSON adds. */
const bodyLengthMax = 8 * 1024 * 1024;

/**
 * Runs processes when the service calls, instead of polling. With endpoints every put-back is stored through the API; without,
 * the answer is the put-back.
 * @throws SlctError `bad_request` without secrets, unless `unsigned`
 */
export function serve(options: ServeOptions): Handler {
  const { secrets = [], unsigned = false, endpoints, respondWithin = defaultWithin } = options;
  if (secrets.length === 0 && !unsigned) {
    throw new SlctError("bad_request", "serve needs the secrets of the service, or `unsigned: true`");
  }
  const client = options.client ?? (endpoints === undefined ? undefined : createClient({ endpoints }));
  const runtime = new Runtime(options);
  const verify = unsigned ? undefined : verifier(secrets);

  return async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    try {
      const body = await request.text();
      if (body.length > bodyLengthMax) return new Response(null, { status: 413 });
      await verify?.(request.headers, body, runtime.clock.now());
      const state = JSON.parse(body) as StateOut;
      if (client === undefined) return await answer(state, runtime);
      return await store(state, { runtime, client, withinMs: durationMs(respondWithin), waitUntil: options.waitUntil });
    } catch (error) {
      return refusal(error, runtime);
    }
  };
}

/** Everything goes back with the answer. */
async function answer(state: StateOut, runtime: Runtime): Promise<Response> {
  const call = new Call(state);
  await activate(state, call, runtime);
  return Response.json(call.answer());
}

interface Storing {
  readonly runtime: Runtime;
  readonly client: Client;
  readonly withinMs: number;
  readonly waitUntil: ((work: Promise<void>) => void) | undefined;
}

/** Everything goes back by request; the answer only says that somebody cares. */
async function store(state: StateOut, { runtime, client, withinMs, waitUntil }: Storing): Promise<Response> {
  const { clock } = runtime;
  const linger = <T>(_: Lease, putBack: (waitMs: undefined) => Promise<T>) => putBack(undefined);
  const lease = new Lease(state, { client, clock, leaseMs, newsAfterMs, linger });
  const stopBeat = heartbeat(lease, clock);
  const work = activate(state, lease, runtime)
    .catch((error: unknown) => settle(lease, error, { client, warn: runtime.warn }))
    .then(stopBeat);
  const isDone = await within(withinMs, clock, work);
  if (isDone) return new Response(null, { status: 204 });
  waitUntil?.(work);
  return new Response(null, { status: 202 });
}

/** Whether `work` ends in time. */
function within(ms: number, clock: Clock, work: Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(false));
    work.then(() => resolve(true), reject).finally(cancel);
  });
}

function heartbeat(lease: Lease, clock: Clock): () => void {
  let cancel = clock.after(leaseMs / 6, beat);
  function beat(): void {
    void lease.keepAlive();
    cancel = clock.after(leaseMs / 6, beat);
  }
  return () => cancel();
}

/** 410 pauses the process; after anything else the service tries again. */
function refusal(error: unknown, runtime: Runtime): Response {
  if (isSlctError(error, "unauthorized")) return new Response(error.message, { status: 401 });
  if (error instanceof SyntaxError) return new Response("not a state", { status: 400 });
  runtime.warn((error as Error).message);
  if (isSlctError(error, "journal_mismatch", "not_durable")) return new Response(error.message, { status: 410 });
  return new Response((error as Error).message, { status: isSlctError(error, "unknown_process") ? 503 : 500 });
}
