/**
 * Requests to a cluster: any endpoint that answers, the same Request-Id at every try, one deadline over all of them.
 *
 * A refusal that says "nothing happened" (503) and an answer that never came are tried again, first at every other
 * endpoint, then after a pause. Boundary: fetch and web standards only; paths and bodies are client.ts's.
 */
import type { ProblemOut } from "../../api/contract.js";
import { sleep, systemClock, type Clock } from "./clock.js";
import { SlctError } from "./errors.js";

/** As the global `fetch`, as far as a client needs it. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** When a client tries again, and when it gives up with `unreachable`. */
export interface RetryOptions {
  /** From the first try to the last, waits not counted, ms. Default 30 000. */
  readonly timeoutMs?: number;
  /** One try, waits not counted, ms. Default 15 000. */
  readonly attemptTimeoutMs?: number;
  /** First pause once every endpoint was tried, ms; doubles up to `pauseMaxMs`, with jitter. Default 50 and 2 000. */
  readonly pauseMs?: number;
  readonly pauseMaxMs?: number;
}

/** Where the service is, and how it is asked. */
export interface TransportOptions {
  /** Base URLs of nodes; any of them answers everything. */
  readonly endpoints: string | readonly string[];
  /** Default the global one. */
  readonly fetch?: Fetch;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly retry?: RetryOptions;
  /** `session`: what this client reads is never older than what it has seen. Default `linearizable`, the service's own. */
  readonly freshness?: "linearizable" | "session";
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export interface Call {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** From the root, percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: object | undefined;
  /** How long the service may hold the request by itself, ms. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** False: one try. */
  readonly retry?: boolean | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const defaults = { timeoutMs: 30_000, attemptTimeoutMs: 15_000, pauseMs: 50, pauseMaxMs: 2_000 } as const;
/** A Retry-After beyond this is not waited for. */
const retryAfterMaxMs = 30_000;
const retried: ReadonlySet<number> = new Set([502, 503, 504]);

export class Transport {
  readonly clock: Clock;
  readonly #endpoints: readonly string[];
  readonly #fetch: Fetch;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #retry: Required<RetryOptions>;
  readonly #session: boolean;
  readonly #random: () => number;
  #current: number;
  #index = 0;

  constructor(options: TransportOptions) {
    const { endpoints, clock = systemClock, random = Math.random } = options;
    this.#endpoints = (typeof endpoints === "string" ? [endpoints] : endpoints).map((url) => url.replace(/\/+$/, ""));
    if (this.#endpoints.length === 0) throw new SlctError("bad_request", "A client needs an endpoint.");
    this.clock = clock;
    this.#random = random;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#headers = options.headers ?? {};
    this.#retry = { ...defaults, ...options.retry };
    this.#session = options.freshness === "session";
    // Clients that start together spread over the nodes.
    this.#current = Math.floor(random() * this.#endpoints.length);
  }

  /** Largest log index that an answer carried. */
  get index(): number {
    return this.#index;
  }

  /** @throws SlctError; the reason of `call.signal` when it aborts */
  send(call: Call): Promise<Answer> {
    return this.#persist(call, async (response) => {
      const text = await response.text();
      if (!response.ok) throw refusal(response, text);
      return { status: response.status, headers: response.headers, text };
    });
  }

  /** The response itself, for answers that are read as they come. Its body ends when `call.signal` aborts. */
  open(call: Call): Promise<Response> {
    return this.#persist(call, async (response) => {
      if (!response.ok) throw refusal(response, await response.text());
      return response;
    });
  }

  async #persist<T>(call: Call, read: (response: Response) => Promise<T>): Promise<T> {
    const { clock } = this;
    const end = clock.now() + (call.waitMs ?? 0) + (call.timeoutMs ?? this.#retry.timeoutMs);
    let pauseMs = this.#retry.pauseMs;
    for (let tries = 1; ; tries++) {
      call.signal?.throwIfAborted();
      const endpoint = this.#endpoints[this.#current] as string;
      const outcome = await this.#attempt(endpoint, call, read);
      if (!(outcome instanceof Retryable)) return outcome;
      call.signal?.throwIfAborted();
      if (call.retry === false) throw outcome.error;
      this.#current = (this.#current + 1) % this.#endpoints.length;
      if (tries % this.#endpoints.length !== 0) continue;
      const pause = Math.max(pauseMs * (0.5 + this.#random() / 2), outcome.retryAfterMs);
      if (clock.now() + pause >= end) throw outcome.error;
      await sleep(clock, pause, call.signal);
      pauseMs = Math.min(pauseMs * 2, this.#retry.pauseMaxMs);
    }
  }

  async #attempt<T>(endpoint: string, call: Call, read: (response: Response) => Promise<T>): Promise<T | Retryable> {
    const { attemptTimeoutMs } = this.#retry;
    const controller = new AbortController();
    const abort = () => controller.abort(call.signal?.reason);
    let late = false;
    const cancel =
      attemptTimeoutMs === Infinity
        ? undefined
        : this.clock.after(attemptTimeoutMs + (call.waitMs ?? 0), () => {
            late = true;
            controller.abort();
          });
    call.signal?.addEventListener("abort", abort, { once: true });
    let kept = false;
    try {
      const response = await this.#fetch(
        `${endpoint}${call.path}${queryText(call.query)}`,
        this.#init(call, controller),
      );
      this.#see(response);
      const answer = await read(response);
      kept = answer === response;
      return answer;
    } catch (error) {
      if (error instanceof SlctError) {
        if (error.status === undefined || !retried.has(error.status)) throw error;
        return new Retryable(error, Number(error.details["retryAfterMs"] ?? 0));
      }
      if (call.signal?.aborted) throw call.signal.reason;
      return new Retryable(noAnswer(endpoint, error, late), 0);
    } finally {
      cancel?.();
      // An answer that is still being read ends with its caller's signal.
      if (!kept) call.signal?.removeEventListener("abort", abort);
    }
  }

  #init(call: Call, controller: AbortController): RequestInit {
    const headers: Record<string, string> = { ...this.#headers };
    for (const [name, value] of Object.entries(call.headers ?? {})) if (value !== undefined) headers[name] = value;
    if (this.#session && this.#index > 0) headers["slct-min-index"] ??= String(this.#index);
    if (call.body === undefined) return { method: call.method, headers, signal: controller.signal };
    headers["content-type"] = "application/json";
    return { method: call.method, headers, body: JSON.stringify(call.body), signal: controller.signal };
  }

  #see(response: Response): void {
    const index = Number(response.headers.get("slct-index"));
    if (index > this.#index) this.#index = index;
  }
}

/** An error after which the next endpoint, or the same one later, may answer. */
class Retryable {
  readonly error: SlctError;
  readonly retryAfterMs: number;

  constructor(error: SlctError, retryAfterMs: number) {
    this.error = error;
    this.retryAfterMs = Number.isFinite(retryAfterMs) ? Math.min(retryAfterMs, retryAfterMaxMs) : 0;
  }
}

function noAnswer(endpoint: string, cause: unknown, late: boolean): SlctError {
  if (late) return new SlctError("timeout", `${endpoint} did not answer in time`, { cause });
  return new SlctError("unreachable", `${endpoint} cannot be reached`, { cause });
}

function refusal(response: Response, text: string): SlctError {
  const { status } = response;
  const after = Number(response.headers.get("retry-after") ?? 0) * 1000;
  const retryAfter = after > 0 ? { retryAfterMs: after } : {};
  const problem = response.headers.get("content-type")?.includes("problem+json") ? parseProblem(text) : undefined;
  if (problem === undefined) {
    const details = { ...retryAfter, text: text.slice(0, 200) };
    return new SlctError("bad_answer", `an answer of status ${status} that is not the service's`, { status, details });
  }
  return problemError(problem, { status, details: retryAfter });
}

/** Of a problem document: its own members become details. */
export function problemError(
  problem: ProblemOut,
  { status, details }: { readonly status: number; readonly details?: Readonly<Record<string, unknown>> },
): SlctError {
  const { code, title, detail } = problem;
  const members = Object.entries(problem).filter(([member]) => !standardMembers.has(member));
  return new SlctError(code, detail ?? title, { status, details: { ...Object.fromEntries(members), ...details } });
}

const standardMembers: ReadonlySet<string> = new Set(["type", "title", "status", "code", "detail", "instance"]);

function parseProblem(text: string): ProblemOut | undefined {
  try {
    return JSON.parse(text) as ProblemOut;
  } catch {
    return undefined;
  }
}

function queryText(query: Call["query"]): string {
  const parts = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
