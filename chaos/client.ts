/**
 * A client as the protocol wants it: short tries, the next node when one does not answer, the same Request-Id until the
 * outcome is known. Every operation goes into the history of the run.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { End, History } from "./history.js";

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** What a workload works against. */
export interface Target {
  /** Base URLs of the API; they may change during a run. */
  readonly nodes: () => readonly string[];
  readonly history: History;
}

export interface Request {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the service may wait before it answers. */
  readonly waitSeconds?: number;
}

/** Outcome unknown or nothing done: ask again. */
const retriable = new Set([408, 429, 500, 502, 503, 504]);
/** Answers that the log decided: their index is part of the one order. */
const decided = new Set([200, 201, 404, 409, 412, 422]);
const pauseMs = 40;
/** A try ends this long after its wait is over: a stopped node accepts connections and never answers. */
const patienceMs = 2500;
/** After the faults are over everything has to become known within this time. */
const giveUpMs = 240_000;

let clients = 0;

export class ChaosClient {
  readonly #target: Target;
  readonly #name: string;
  #next: number;
  #requests = 0;

  /** `first` spreads the load over the nodes. */
  constructor(target: Target, name: string, first: number) {
    this.#target = target;
    this.#name = `${name}-${++clients}`;
    this.#next = first;
  }

  /** One operation with a definite outcome. @throws Error when it stays unknown for four minutes */
  async call(method: string, path: string, request: Request = {}): Promise<Reply> {
    const ended = this.#begin(method, path);
    const headers = { "request-id": this.#requestId(), ...request.headers };
    const endMs = performance.now() + giveUpMs;
    let last: Reply | Error | undefined;
    while (performance.now() < endMs) {
      last = await this.#try(method, path, { ...request, headers }, ended);
      if (!(last instanceof Error) && !retriable.has(last.status)) return last;
      this.turn();
      await pause(pauseMs);
    }
    throw new Error(`${method} ${path}: outcome unknown for ${giveUpMs} ms; last: ${describe(last)}`);
  }

  /**
   * One try at one node. @returns an Error when nobody knows what came of it
   * @param timeoutMs default: the wait and 2.5 s
   */
  async once(method: string, path: string, request: Request = {}, timeoutMs?: number): Promise<Reply | Error> {
    const headers = { ...(method === "GET" ? {} : { "request-id": this.#requestId() }), ...request.headers };
    const reply = await this.#try(method, path, { ...request, headers }, this.#begin(method, path), timeoutMs);
    if (reply instanceof Error || retriable.has(reply.status)) this.turn();
    return reply;
  }

  /** The next request goes to the `n`th node. */
  turnTo(n: number): void {
    this.#next = n;
  }

  /** The next request goes to the next node. */
  turn(): void {
    this.#next++;
  }

  #requestId(): string {
    return `${this.#name}-${++this.#requests}`;
  }

  #begin(method: string, path: string): (end: End, index?: number) => void {
    const [route = "", query = ""] = path.split("?");
    const name = `${method} ${route.replace(/^(\/\w+)\/(?!poll$)[^/]+/, "$1/{}")}`;
    const stale = query.includes("consistency=stale");
    const ended = this.#target.history.begin(this.#name, name, method !== "GET" || route.endsWith("/poll"));
    return (end, index) => ended(end, stale ? undefined : index);
  }

  async #try(
    method: string,
    path: string,
    { body, headers, waitSeconds = 0 }: Request,
    ended: (end: End, index?: number) => void,
    timeoutMs = waitSeconds * 1000 + patienceMs,
  ): Promise<Reply | Error> {
    const nodes = this.#target.nodes();
    const node = nodes[this.#next % nodes.length] ?? "";
    try {
      const response = await fetch(node + path, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const { status } = response;
      const index = Number(response.headers.get("slct-index"));
      if (decided.has(status)) ended("ok", index);
      else ended(isUntouched(status, text) ? "fail" : retriable.has(status) ? "info" : "ok");
      return { status, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
    } catch (error) {
      ended("info");
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** The service says that nothing was done. */
export function isUntouched(status: number, text: string): boolean {
  return status === 503 && /"code":"(no_leader|overloaded)"/.test(text);
}

function describe(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : JSON.stringify(value);
}
