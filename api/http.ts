/**
 * The HTTP server below the routes: limits of time and size, forms of requests that are refused outright, and errors
 * that are found before there is a request.
 *
 * Node's own defaults wait minutes for headers and drop headers beyond a number silently; every value is set here.
 * Source: RFC 9112; the attack rows H1–H16.
 */
import { IncomingMessage, ServerResponse, createServer } from "node:http";
import type { Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Express } from "express";
import { checkDeclared } from "./body.js";
import { HttpRefusal, problemBody, retryAfterSeconds, toProblem } from "./problem.js";
import type { ApiLimits } from "./rules.js";

export interface HttpOptions {
  /** Headers have to be here whole within this time. */
  readonly headersTimeoutMs: number;
  /** Both timeouts are looked at this often. */
  readonly checkingIntervalMs: number;
  /** An idle connection is closed after this. */
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
  readonly requestsPerSocketMax: number;
  /** How long a client that is still sending may go on after it was refused, so that it gets to read why. */
  readonly lingerMs: number;
}

export const defaultHttpOptions: HttpOptions = {
  headersTimeoutMs: 5_000,
  checkingIntervalMs: 1_000,
  keepAliveTimeoutMs: 5_000,
  connectionsMax: 10_000,
  requestsPerSocketMax: 100_000,
  lingerMs: 1_000,
};

interface Hardening extends HttpOptions {
  readonly limits: ApiLimits;
  readonly index: () => number;
}

export function hardenedServer(app: Express, options: Hardening): Server {
  const { limits, index } = options;
  const server = createServer(
    {
      ...presetClasses(app),
      headersTimeout: Math.min(options.headersTimeoutMs, limits.receiveTimeoutMs),
      requestTimeout: limits.receiveTimeoutMs,
      connectionsCheckingInterval: options.checkingIntervalMs,
      keepAliveTimeout: options.keepAliveTimeoutMs,
      maxHeaderSize: limits.headerBytesMax,
      // Node would refuse it without a document; see checkForm.
      requireHostHeader: false,
      insecureHTTPParser: false,
    },
    (req, res) => admit(req, res, false),
  );
  // One more than allowed: the parser drops what is beyond, and a dropped header must not go unnoticed.
  server.maxHeadersCount = limits.headersMax + 1;
  server.maxConnections = options.connectionsMax;
  server.maxRequestsPerSocket = options.requestsPerSocketMax;
  server.on("checkContinue", (req: IncomingMessage, res: ServerResponse) => admit(req, res, true));
  server.on("checkExpectation", (req: IncomingMessage, res: ServerResponse) => {
    const error = new HttpRefusal(417, "bad_request", "The only expectation that is understood is 100-continue.");
    sendError({ req, res, error, index: index(), close: true });
  });
  server.on("connect", (_req: IncomingMessage, socket: Duplex) => refuseSocket(socket, noTunnel(), index()));
  server.on("upgrade", (_req: IncomingMessage, socket: Duplex) => refuseSocket(socket, noTunnel(), index()));
  server.on("clientError", (error: Error & { code?: string }, socket: Socket) => onClientError(error, socket, index()));

  function admit(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    try {
      checkForm(req, limits.headersMax);
      checkDeclared(req, limits);
    } catch (error) {
      return sendError({ req, res, error, index: index(), close: true, lingerMs: options.lingerMs });
    }
    if (expectsContinue) res.writeContinue();
    // Express types its requests as its own; they are, see presetClasses.
    (app as unknown as (req: IncomingMessage, res: ServerResponse) => void)(req, res);
  }
  return server;
}

/**
 * Express makes every request and response inherit from its own prototypes, one by one, which undoes the engine's
 * optimisations twice per request. Objects that are born with these prototypes make that step do nothing.
 */
function presetClasses(app: Express): Pick<ServerOptions, "IncomingMessage" | "ServerResponse"> {
  function ApiRequest(this: IncomingMessage, socket: Socket): void {
    (IncomingMessage as unknown as (this: IncomingMessage, socket: Socket) => void).call(this, socket);
  }
  function ApiResponse(this: ServerResponse, req: IncomingMessage, options: unknown): void {
    type Construct = (this: ServerResponse, req: IncomingMessage, options: unknown) => void;
    (ServerResponse as unknown as Construct).call(this, req, options);
  }
  ApiRequest.prototype = app.request;
  ApiResponse.prototype = app.response;
  return {
    IncomingMessage: ApiRequest as unknown as typeof IncomingMessage,
    ServerResponse: ApiResponse as unknown as typeof ServerResponse,
  };
}

/** Forms that are legal somewhere in HTTP and only ever used against a server like this one. */
function checkForm(req: IncomingMessage, headersMax: number): void {
  const { rawHeaders, url = "", httpVersion } = req;
  if (rawHeaders.length > headersMax * 2) {
    throw new HttpRefusal(431, "too_large", `The request has more than ${headersMax} headers.`);
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  if (hosts > 1) throw new HttpRefusal(400, "bad_request", "The request has two Host headers.");
  if (hosts === 0 && httpVersion === "1.1")
    throw new HttpRefusal(400, "bad_request", "The request has no Host header.");
  if (!url.startsWith("/")) throw new HttpRefusal(400, "bad_request", "The request target must be a path.");
}

// --------------------------------------------------------------------------------------------------------- errors

interface ErrorAnswer {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly error: unknown;
  readonly index: number;
  /** The connection is not used again. */
  readonly close?: boolean;
  readonly lingerMs?: number;
}

/** Writes the problem document. A client that is still sending its body is let go on for a moment, then cut off. */
export function sendError(answer: ErrorAnswer): void {
  const { req, res, error, index, lingerMs = defaultHttpOptions.lingerMs } = answer;
  if (res.destroyed) return;
  const problem = toProblem(error, req.url?.split("?", 1)[0]);
  const body = problemBody(error, problem);
  const sending = !req.complete && (problem.status === 413 || problem.status === 415);
  res.writeHead(problem.status, {
    "Content-Type": "application/problem+json",
    "Content-Length": body.length,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Slct-Index": String(index),
    ...(problem.status === 503 && { "Retry-After": String(retryAfterSeconds) }),
    ...(error instanceof HttpRefusal && error.headers),
    ...((answer.close === true || sending) && { Connection: "close" }),
  });
  if (!sending) return void res.end(body);
  // Closing with unread bytes resets the connection, and the client would never see the answer.
  res.write(body);
  const timer = setTimeout(end, lingerMs);
  req.once("close", end).once("end", end).resume();
  function end(): void {
    clearTimeout(timer);
    if (!res.writableEnded) res.end();
  }
}

/**
 * What the parser found wrong, as an answer written straight to the socket. Behind a request that is complete and not
 * yet answered it would be read as the answer to that one: then the connection just ends.
 */
function onClientError(error: Error & { code?: string }, socket: Socket, index: number): void {
  // `_httpMessage` is the answer under way, if any: Node's own handler looks at it for the same reason.
  const { _httpMessage: underWay } = socket as Socket & { _httpMessage?: ServerResponse | null };
  const answering = underWay != null && (underWay.headersSent || underWay.req.complete);
  if (error.code === "ECONNRESET" || !socket.writable || answering) return void socket.destroy();
  refuseSocket(socket, parserRefusals[error.code ?? ""] ?? malformed, index);
}

const parserRefusals: Readonly<Record<string, HttpRefusal>> = {
  HPE_HEADER_OVERFLOW: new HttpRefusal(431, "too_large", "The headers are too large."),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new HttpRefusal(413, "too_large", "The chunk extensions are too large."),
  ERR_HTTP_REQUEST_TIMEOUT: new HttpRefusal(408, "bad_request", "The request was not here in time."),
};
const malformed = new HttpRefusal(400, "bad_request", "The request is not valid HTTP/1.1.");

function noTunnel(): HttpRefusal {
  return new HttpRefusal(405, "bad_request", "This server does not tunnel or change protocols.", { Allow: "GET" });
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Payload Too Large",
  431: "Request Header Fields Too Large",
};

function refuseSocket(socket: Duplex, refusal: HttpRefusal, index: number): void {
  const body = JSON.stringify(toProblem(refusal));
  const headers = Object.entries({
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Slct-Index": String(index),
    Connection: "close",
    ...refusal.headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${refusal.status} ${reasons[refusal.status] ?? "Error"}\r\n${headers.join("")}\r\n${body}`, () =>
    socket.destroy(),
  );
}
