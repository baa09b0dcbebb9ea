/**
 * What the calls of a client have in common: options, headers, waits that are longer than the service waits.
 */
import { durationMs, type Duration } from "./duration.js";
import type { Answer, Call, Transport } from "./transport.js";

/** Options of every call of a client. */
export interface CallOptions {
  /** Gives up: the call throws its reason. A mutation may have been applied. */
  readonly signal?: AbortSignal;
  /** Over all tries, waits not counted, ms. Default 30 000. */
  readonly timeoutMs?: number;
  /** False: one try. */
  readonly retry?: boolean;
  /** The node that answers must have applied this log index. */
  readonly minIndex?: number;
}

/** Options of calls that change something. */
export interface MutationOptions extends CallOptions {
  /** 1–128 characters. Default: one of its own for every call, kept over its tries. */
  readonly requestId?: string;
}

/** Options of calls that change nothing. Reads are linearizable unless `stale` says otherwise. */
export interface ReadOptions extends CallOptions {
  /** Answered by the node from what it has, without asking the leader. */
  readonly stale?: boolean;
}

/** The longest wait of one request. */
const legMs = 60_000;

/** Names requests: no two clients share a name, no two requests of one a number. */
export class RequestIds {
  readonly #name = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0"));
  #count = 0;

  next(): string {
    return `${this.#name.join("")}-${++this.#count}`;
  }
}

export interface Requester {
  readonly transport: Transport;
  readonly ids: RequestIds;
}

type Common = Pick<Call, "signal" | "timeoutMs" | "retry" | "headers">;

export function common(options: CallOptions, headers: Readonly<Record<string, string | undefined>> = {}): Common {
  const { signal, timeoutMs, retry, minIndex } = options;
  return {
    ...{ signal, timeoutMs, retry },
    headers: { ...headers, "slct-min-index": minIndex === undefined ? undefined : String(minIndex) },
  };
}

export function mutation(
  { ids }: Requester,
  options: MutationOptions,
  headers: Readonly<Record<string, string | undefined>> = {},
): Common {
  return common(options, { ...headers, "request-id": options.requestId ?? ids.next() });
}

export function freshness({ stale }: ReadOptions): { consistency?: string } {
  return stale ? { consistency: "stale" } : {};
}

export function json<T>(answer: Answer): T {
  return JSON.parse(answer.text) as T;
}

/** Seconds for the wire, and what the transport has to allow for; clamped to one leg. */
export function waiting(wait: Duration | undefined): { readonly query: { wait?: number }; readonly waitMs: number } {
  if (wait === undefined) return { query: {}, waitMs: 0 };
  const ms = Math.min(waitMsOf(wait), legMs);
  return { query: { wait: ms / 1000 }, waitMs: ms };
}

/**
 * Asks again and again until `ask` gives something, or `wait` is over: then undefined. `wait` may be Infinity.
 * @param ask is given how long this request may wait and how much of the wait is behind it, both ms
 */
export async function inLegs<T>(
  { transport: { clock } }: Requester,
  wait: Duration,
  ask: (leg: { waitMs: number; elapsedMs: number }) => Promise<T | undefined>,
): Promise<T | undefined> {
  const start = clock.now();
  const end = start + waitMsOf(wait);
  for (;;) {
    const now = clock.now();
    const left = Math.max(0, end - now);
    const answer = await ask({ waitMs: Math.min(left, legMs), elapsedMs: now - start });
    if (answer !== undefined || left <= legMs) return answer;
  }
}

function waitMsOf(wait: Duration): number {
  return wait === Infinity ? Infinity : durationMs(wait);
}
