/**
 * What the behaviour suites speak: plain HTTP against a base URL, and names that no other test uses.
 */
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { ChannelOut, ChannelsOut, ClusterOut, EventsOut, Json, LeaseOut } from "../../../api/contract.js";
import type { ResultOut, SpawnedOut, StateOut, StatesOut } from "../../../api/contract.js";

/** The service under test. */
export interface Target {
  /** Any node of it; another one for each request, if it likes. */
  readonly url: string;
  /** As configured there. */
  readonly attemptsMax: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed, whatever its shape: assertions look into it. */
  readonly body: Body;
}

type Members = StateOut & LeaseOut & ResultOut & ChannelOut & StatesOut & ChannelsOut & EventsOut & ClusterOut;

/** Any member of any answer: assertions look into it without narrowing first. */
export interface Body extends Partial<Omit<Members, "Data" | "ID" | "Chan">> {
  readonly ID?: string;
  readonly Data?: Json;
  readonly Chan?: string | number | null;
  readonly Spawned?: readonly SpawnedOut[];
  readonly Result?: ResultOut;
  readonly Deleted?: boolean;
  readonly code?: string;
  readonly reason?: string;
  readonly detail?: string;
  readonly openapi?: string;
}

export interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export class Client {
  readonly #target: () => Target;

  constructor(target: () => Target) {
    this.#target = target;
  }

  get attemptsMax(): number {
    return this.#target().attemptsMax;
  }

  get url(): string {
    return this.#target().url;
  }

  /** Keeps to one node, for what a node says of itself. */
  atOneNode(): Client {
    const target = this.#target();
    return new Client(() => target);
  }

  /** A body that is a string or bytes goes out as it is. */
  async call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      ...(body !== undefined && { body: isRaw(body) ? body : JSON.stringify(body) }),
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...options.headers },
      ...(options.signal && { signal: options.signal }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "") && text !== "";
    return { status: response.status, headers: response.headers, text, body: (isJson ? JSON.parse(text) : {}) as Body };
  }

  get(path: string, options?: CallOptions): Promise<Answer> {
    return this.call("GET", path, undefined, options);
  }

  put(id: string, body: unknown, options?: CallOptions & { readonly query?: string }): Promise<Answer> {
    return this.call("PUT", statePath(id) + (options?.query ?? ""), body, options);
  }

  patch(id: string, body: unknown, options?: CallOptions): Promise<Answer> {
    return this.call("PATCH", statePath(id), body, options);
  }

  post(path: string, body?: unknown, options?: CallOptions): Promise<Answer> {
    return this.call("POST", path, body, options);
  }

  delete(path: string, body?: unknown, options?: CallOptions): Promise<Answer> {
    return this.call("DELETE", path, body, options);
  }

  async state(id: string): Promise<Body> {
    return (await this.get(statePath(id))).body;
  }

  send(chan: string, data: unknown, query = ""): Promise<Answer> {
    return this.post(`${chanPath(chan)}/send${query}`, { Data: data });
  }

  recv(chan: string, query = ""): Promise<Answer> {
    return this.post(`${chanPath(chan)}/recv${query}`);
  }

  /** Takes exactly this state, waiting for it if need be. */
  async take(id: string, query = "&wait=10"): Promise<Body> {
    const { status, body } = await this.get(`/state/poll?prefix=${encodeURIComponent(id)}&max=1${query}`);
    expect(status).toBe(200);
    const [handOut] = body as readonly Body[];
    if (handOut === undefined) throw new Error(`poll found nothing under ${id}`);
    return handOut;
  }

  /** A new state that is handed out at once, its select "1" resolved by its default. */
  async held(id: string, more: object = {}): Promise<Body> {
    const created = await this.put(id, { Selects: [ready("1")], ...more });
    expect(created.status).toBe(201);
    return this.take(id);
  }
}

function isRaw(body: unknown): body is string | Uint8Array<ArrayBuffer> {
  return typeof body === "string" || body instanceof Uint8Array;
}

let aim: (() => Target) | undefined;

/** Says which service the suites speak to. For the test file that imports them, before its first test runs. */
export function aimAt(target: () => Target): void {
  aim = target;
}

/** The client of all suites. */
export const http = new Client(() => {
  if (!aim) throw new Error("aimAt() was not called");
  return aim();
});

export const statePath = (id: string): string => `/state/${encodeURIComponent(id)}`;
export const chanPath = (chan: string): string => `/channel/${encodeURIComponent(chan)}`;

/** A name no other test uses, on any run against the same cluster. */
export function unique(stem: string): string {
  return `${stem}-${randomBytes(6).toString("hex")}`;
}

// -------------------------------------------------------------------------------------------------- select literals

export const recv = (chan: string | null) => ({ Op: 1, Chan: chan });
export const send = (chan: string | null, data: unknown) => ({ Op: 2, Chan: chan, Data: data });
export const select = (id: string, ...cases: object[]) => ({ ID: id, Cases: cases });
/** Resolves at registration. */
export const ready = (id: string) => select(id, { Op: 4 });
/** Never resolves. */
export const parked = (id: string) => select(id);

/** An RFC 9457 document of this code. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body["code"] }).toEqual({ status, code });
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ type: `/problems/${code}`, status });
}
