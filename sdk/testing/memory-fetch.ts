/**
 * `fetch` into an HTTP server of this process, without a port: real requests over pairs of streams.
 *
 * The server parses, limits and answers as it does in production. Source: Node takes any duplex stream for a connection.
 */
import { Agent, request, type IncomingMessage, type Server } from "node:http";
import { Duplex, Readable } from "node:stream";
import type { Fetch } from "../client/transport.js";

export interface MemoryFetch {
  readonly fetch: Fetch;
  /** Requests that have no answer yet, or whose answer is still coming. */
  readonly active: number;
  close(): void;
}

export function memoryFetch(server: Server): MemoryFetch {
  const agent = new MemoryAgent(server);
  let active = 0;

  function send(input: string, init: RequestInit): Promise<Response> {
    const { signal } = init;
    const url = new URL(input);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      active += 1;
      const { method = "GET", headers } = init;
      const outgoing = request({
        agent,
        method,
        path: url.pathname + url.search,
        headers: Object.fromEntries(new Headers(headers)),
      });
      let isOpen = true;
      const end = () => {
        if (isOpen) active -= 1;
        isOpen = false;
        signal?.removeEventListener("abort", abort);
      };
      const abort = () => {
        outgoing.destroy();
        end();
        reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", abort, { once: true });
      outgoing.once("error", (error) => {
        end();
        reject(new TypeError("fetch failed", { cause: error }));
      });
      outgoing.once("response", (incoming) => {
        incoming.once("close", end);
        resolve(responseOf(incoming));
      });
      outgoing.end(init.body as string | undefined);
    });
  }

  return {
    fetch: send,
    get active() {
      return active;
    },
    close: () => agent.destroy(),
  };
}

const bodiless: ReadonlySet<number> = new Set([204, 304]);

function responseOf(incoming: IncomingMessage): Response {
  const { statusCode: status = 500, headers } = incoming;
  const list = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  if (bodiless.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers: list });
  }
  return new Response(Readable.toWeb(incoming) as ReadableStream<Uint8Array>, { status, headers: list });
}

/** Opens its connections inside the process. */
class MemoryAgent extends Agent {
  readonly #server: Server;

  constructor(server: Server) {
    super({ keepAlive: true });
    this.#server = server;
  }

  override createConnection(): Duplex {
    const [near, far] = [new Pipe(), new Pipe()];
    near.other = far;
    far.other = near;
    this.#server.emit("connection", far);
    return near;
  }
}

/** One end of a connection, with the methods of a socket that HTTP calls. */
class Pipe extends Duplex {
  other: Pipe | undefined;
  #resume: (() => void) | undefined;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { other } = this;
    if (other === undefined || other.destroyed) return done();
    if (other.push(chunk)) done();
    else other.#resume = done;
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    this.other = undefined;
    if (other && !other.destroyed) process.nextTick(() => other.destroy());
    done(error);
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
