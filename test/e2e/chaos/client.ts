/**
 * A client as the protocol wants it: short tries, the next node when one does not answer, the same Request-Id until the
 * outcome is known.
 */
import { setTimeout as pause } from "node:timers/promises";

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Outcome unknown or nothing done: ask again. 429 does not occur. */
const retriable = new Set([503, 504, 500, 408]);
const pauseMs = 40;
/** A try ends this long after its wait is over: a stopped node accepts connections and never answers. */
const patienceMs = 2500;
/** After the faults are over everything has to become known within this time. */
const giveUpMs = 60_000;

export class ChaosClient {
  readonly #nodes: readonly string[];
  #next: number;
  #requests = 0;
  readonly #name: string;
  tries = 0;

  /** `name` makes Request-Ids unique, `first` spreads the load. */
  constructor(nodes: readonly string[], name: string, first: number) {
    this.#nodes = nodes;
    this.#name = name;
    this.#next = first;
  }

  /** One operation with a definite outcome. @throws Error when it stays unknown for a minute */
  async call(method: string, path: string, body?: unknown, waitSeconds = 0): Promise<Reply> {
    const requestId = `${this.#name}-${++this.#requests}`;
    const end = performance.now() + giveUpMs;
    let last: unknown;
    while (performance.now() < end) {
      last = await this.try(method, path, { body, requestId, timeoutMs: waitSeconds * 1000 + patienceMs });
      const reply = last as Reply | Error;
      if (!(reply instanceof Error) && !retriable.has(reply.status)) return reply;
      this.#next++;
      await pause(pauseMs);
    }
    throw new Error(`${method} ${path}: outcome unknown for ${giveUpMs} ms; last: ${describe(last)}`);
  }

  /** One try at one node. */
  async try(
    method: string,
    path: string,
    options: { body?: unknown; requestId?: string; timeoutMs: number },
  ): Promise<Reply | Error> {
    const node = this.#nodes[this.#next % this.#nodes.length] ?? "";
    this.tries++;
    try {
      const response = await fetch(node + path, {
        method,
        signal: AbortSignal.timeout(options.timeoutMs),
        headers: {
          ...(options.body === undefined ? {} : { "content-type": "application/json" }),
          ...(options.requestId === undefined ? {} : { "request-id": options.requestId }),
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  turn(): void {
    this.#next++;
  }
}

function describe(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : JSON.stringify(value);
}
