/**
 * Streams between members: one asks with a GET on the other's peer port, on a connection of its own, so that it neither
 * waits for the lanes nor holds them up. Whoever reads slowly is sent slowly.
 *
 * Source: reliability 43; S2, S11 (nothing is inflated).
 */
import { request, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { splitHostPort } from "./peer-link.js";

/** Until the other side answers, and between two pieces, in both directions. */
const idleMs = 10_000;

/** `gone`: the other side knows no such stream (any more); asking again is of no use. */
export class PullError extends Error {
  override readonly name = "PullError";
  readonly gone: boolean;

  constructor(message: string, gone: boolean) {
    super(message);
    this.gone = gone;
  }
}

export interface Pull {
  /** `host:port` */
  readonly address: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** @throws PullError when it is refused; any error of the connection, also when it ends too early */
export async function* pull(options: Pull): AsyncGenerator<Uint8Array> {
  const response = await ask(options);
  if (response.statusCode !== 200) {
    response.destroy();
    throw new PullError(`refused with ${response.statusCode}`, response.statusCode === 404);
  }
  for await (const piece of response) yield piece as Buffer;
}

function ask({ address, path, headers, signal }: Pull): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...splitHostPort(address), method: "GET", path, headers, agent: false, signal });
    asked.setTimeout(idleMs, () => asked.destroy(new PullError("nothing came for too long", false)));
    asked.once("error", reject);
    asked.once("response", (response) => {
      // Errors from now on are those of the response.
      asked.on("error", (error) => response.destroy(error));
      resolve(response);
    });
    asked.end();
  });
}

/** Resolves when the stream has left or has broken off; then the other side sees its connection end. */
export async function serve(response: ServerResponse, source: AsyncIterable<Uint8Array>): Promise<void> {
  response.writeHead(200, { connection: "close", "content-type": "application/octet-stream" });
  response.setTimeout(idleMs, () => response.destroy());
  await pipeline(Readable.from(source, { objectMode: false }), response).catch(() => undefined);
}
