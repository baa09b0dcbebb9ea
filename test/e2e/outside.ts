/**
 * A service outside, as seen by who looks at it: does what it is asked once for each key, and is not always well.
 *
 * `POST /<what>?key=<key>`. Every seventh request is refused before anything happens; of every eleventh effect the answer is
 * lost: whoever asked has to ask again, with the same key.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const refusedEvery = 7;
const lostEvery = 11;

export class Outside {
  readonly url: string;
  /** What happened, by key. */
  readonly effects = new Map<string, string>();
  /** Requests that arrived. */
  attempts = 0;
  refused = 0;
  lost = 0;
  readonly #server: Server;
  #waiting: { readonly count: number; readonly wake: () => void }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
      this.attempts += 1;
      request.resume();
      if (this.attempts % refusedEvery === 0) {
        this.refused += 1;
        response.writeHead(503).end("not now");
      } else if (
        this.#happens(searchParams.get("key") ?? "", pathname.slice(1)) &&
        this.effects.size % lostEvery === 0
      ) {
        this.lost += 1;
        request.socket.destroy();
      } else response.end("done");
    });
  }

  static async open(): Promise<Outside> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Outside(server);
  }

  /** Resolves when this many effects have happened. */
  reached(count: number): Promise<void> {
    if (this.effects.size >= count) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ count, wake }));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** @returns false when it had happened before */
  #happens(key: string, what: string): boolean {
    if (this.effects.has(key)) return false;
    this.effects.set(key, what);
    const due = this.#waiting.filter(({ count }) => count <= this.effects.size);
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const { wake } of due) wake();
    return true;
  }
}
