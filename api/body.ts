/**
 * Reads the bytes of a request body, within the limits and without ever inflating anything.
 *
 * Boundary: bytes in, {@link Envelope} out. A request that declares too much is refused before a byte of it is read.
 */
import type { IncomingMessage } from "node:http";
import { SlctError } from "../src/errors.js";
import { parseBody } from "./json.js";
import type { Envelope } from "./json.js";
import type { ApiLimits } from "./rules.js";

export interface Received {
  /** Absent when the request has no body. */
  readonly envelope?: Envelope;
  readonly bytes: number;
}

const empty: Received = { bytes: 0 };

/** @throws SlctError `too_large`, `unsupported_media_type`, and those of {@link parseBody} */
export async function receiveBody(req: IncomingMessage, limits: ApiLimits): Promise<Received> {
  if (!hasBody(req)) return empty;
  const bytes = await collect(req, limits.bodyBytesMax);
  if (bytes.length === 0) return empty;
  checkMediaType(req.headers["content-type"]);
  return { envelope: parseBody(bytes, limits), bytes: bytes.length };
}

/** What can be refused from the headers alone, before a byte of the body is read or asked for. */
export function checkDeclared(req: IncomingMessage, { bodyBytesMax }: Pick<ApiLimits, "bodyBytesMax">): void {
  if (!hasBody(req)) return;
  if (Number(req.headers["content-length"] ?? 0) > bodyBytesMax) throw tooLarge(bodyBytesMax);
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new SlctError("unsupported_media_type", "A body may not be compressed.");
  }
  const type = req.headers["content-type"];
  if (type !== undefined) checkMediaType(type);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function checkMediaType(header: string | undefined): void {
  if (header === "application/json") return;
  const [type, ...parameters] = (header ?? "").split(";").map((part) => part.trim().toLowerCase());
  if (type !== "application/json") {
    throw new SlctError("unsupported_media_type", "A body must be sent as Content-Type: application/json.");
  }
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  if (charset !== undefined && !/^"?utf-?8"?$/.test(charset)) {
    throw new SlctError("unsupported_media_type", "JSON is UTF-8, no other charset.");
  }
}

function collect(req: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= bytesMax) return;
      req.off("data", onData);
      req.pause();
      reject(tooLarge(bytesMax));
    };
    req.on("data", onData);
    req.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length)));
    req.once("error", () => reject(new SlctError("bad_request", "The body ended before its end.")));
  });
}

function tooLarge(bytesMax: number): SlctError {
  return new SlctError("too_large", `The body is larger than ${bytesMax} bytes.`);
}
