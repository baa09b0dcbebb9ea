/**
 * A receiver of callbacks on a loopback port: raw enough to misbehave in every way.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { onCleanUp } from "./cleanup.js";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export type Answerer = (call: Received, response: ServerResponse, socket: Socket) => void;

export class Receiver {
  readonly #server: Server;
  readonly calls: Received[] = [];
  /** Connections since the start. */
  connections = 0;
  readonly #waiting = new Set<() => void>();

  private constructor(answer: Answerer) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("error", () => response.destroy());
      response.on("error", () => response.destroy());
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const call = { method, path: url, headers, body: Buffer.concat(chunks) };
        this.calls.push(call);
        this.#look();
        answer(call, response, request.socket);
      });
    });
    this.#server.on("connection", () => {
      this.connections++;
      this.#look();
    });
  }

  static async open(answer: Answerer): Promise<Receiver> {
    const receiver = new Receiver(answer);
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Resolves when so many calls have arrived. */
  async until(calls: number): Promise<void> {
    while (this.calls.length < calls) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #look(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A receiver that is closed after the test. */
export async function receive(answer: Answerer): Promise<Receiver> {
  const receiver = await Receiver.open(answer);
  onCleanUp(() => receiver.close());
  return receiver;
}
