/**
 * The accepting end of the peer links: an HTTP server that speaks only the upgrade, then frames.
 *
 * Who dials is checked before anything else is read (peer-handshake.ts); a frame that is damaged, or that its sender may
 * not send, closes the link. A member has one link per lane: a new one replaces the old.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { NodeId } from "../raft/types.js";
import { decodeFrame } from "./frame-decoder.js";
import { FrameParser } from "./frame-parser.js";
import { FrameError } from "./msgpack-reader.js";
import {
  admit,
  admitCaller,
  refusalHeaders,
  welcome,
  type Admission,
  type Ban,
  type CallerAdmission,
  type Doorkeeper,
  type Hello,
} from "./peer-handshake.js";
import type { Lane } from "./peer-handshake.js";
import { serve } from "./peer-pull.js";
import { snapshotPath } from "./snapshot-wire.js";
import type { Frame } from "./types.js";

/** Who dialed us. */
export type Caller = Omit<Hello, "clusterId" | "to">;

export interface AcceptorOptions extends Omit<Doorkeeper, "epochOf"> {
  /** Of this node. */
  readonly instance: string;
  /** Nothing arrived for this long, pings included: the peer is gone. */
  readonly silentMs: number;
  readonly onAccepted: (caller: Caller) => void;
  /** The last link of this node to us is gone. */
  readonly onGone: (from: NodeId) => void;
  readonly onFrame: (from: NodeId, frame: Frame) => void;
  /** The stream that a node asks for; undefined: there is none. */
  readonly onPull: (by: NodeId, path: string) => AsyncIterable<Uint8Array> | undefined;
  readonly onBytes: (bytes: number) => void;
  readonly onRejected: (status: number, reason: string) => void;
  readonly onBadFrame: (from: NodeId, lane: Lane, reason: string) => void;
}

const headersTimeoutMs = 5000;
const checkMs = 1000;
const headerBytesMax = 8192;
const connectionsMax = 256;
const clientErrors: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "too slow"],
  HPE_HEADER_OVERFLOW: [431, "too many headers"],
};
const pong = Buffer.alloc(1);
const notGet: CallerAdmission = { ok: false, status: 405, reason: "streams are asked for with GET" };
const noStream = { status: 404, reason: "there is no such stream", ban: undefined } as const;

interface Accepted extends Caller {
  readonly socket: Socket;
}

export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #server: Server;
  /** By member and lane. */
  readonly #accepted = new Map<string, Accepted>();
  readonly #epochs = new Map<NodeId, number>();
  #closed = false;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#server = createServer({
      headersTimeout: headersTimeoutMs,
      requestTimeout: headersTimeoutMs,
      connectionsCheckingInterval: checkMs,
      maxHeaderSize: headerBytesMax,
      keepAliveTimeout: checkMs,
      noDelay: true,
    });
    this.#server.maxConnections = connectionsMax;
    this.#server.on("request", (request, response) => {
      if (request.url?.startsWith(`${snapshotPath}?`) === true) return this.#onPull(request, response);
      const { status, reason, ban } = this.#verdict(request);
      response.writeHead(status, { connection: "close", "content-length": 0, ...refusalHeaders(status, ban) }).end();
      this.#options.onRejected(status, reason);
    });
    this.#server.on("upgrade", (request, stream, head) => this.#onUpgrade(request, stream, head));
    this.#server.on("connect", (_request, stream) => this.#reject(stream, 405, "GET opens a peer link"));
    this.#server.on("checkExpectation", (_request, response) => {
      response.writeHead(417, { connection: "close", "content-length": 0 }).end();
      this.#options.onRejected(417, "a peer link opens without a body");
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
      const [status, reason] = clientErrors[error.code ?? ""] ?? [400, "not HTTP"];
      this.#reject(stream, status, reason);
    });
  }

  /** Resolves with the port; `port: 0` takes a free one. @throws when the address cannot be had */
  listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(address.port, address.host, () => {
        this.#server.off("error", reject);
        const bound = this.#server.address();
        resolve(typeof bound === "object" && bound !== null ? bound.port : address.port);
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { socket } of this.#accepted.values()) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Ends the links of a node: whether it may come back is asked anew. */
  disconnect(from: NodeId): void {
    for (const link of this.#accepted.values()) if (link.from === from) link.socket.destroy();
  }

  #verdict(request: IncomingMessage): { readonly status: number; readonly reason: string; readonly ban?: Ban } {
    const admission = this.#admit(request);
    // Without an upgrade there is nothing to admit; the right headers alone do not make one.
    return admission.ok ? { status: 426, reason: "no upgrade" } : admission;
  }

  #admit(request: IncomingMessage): Admission {
    return admit(request, this.#door());
  }

  #door(): Doorkeeper {
    return { ...this.#options, epochOf: (id) => this.#epochs.get(id) ?? 0 };
  }

  #onUpgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const admission = this.#admit(request);
    if (this.#closed) return void stream.destroy();
    if (!admission.ok) return this.#reject(stream, admission.status, admission.reason, admission.ban);
    const { hello } = admission;
    this.#epochs.set(hello.from, hello.epoch);
    this.#open({ ...hello, socket: stream as Socket }, head);
  }

  #onPull(request: IncomingMessage, response: ServerResponse): void {
    const admission = request.method === "GET" ? admitCaller(request, this.#door()) : notGet;
    const source = admission.ok ? this.#options.onPull(admission.hello.from, request.url ?? "") : undefined;
    if (source !== undefined) return void serve(response, source);
    const { status, reason, ban } = admission.ok ? noStream : admission;
    response.writeHead(status, { connection: "close", "content-length": 0, ...refusalHeaders(status, ban) }).end();
    this.#options.onRejected(status, reason);
  }

  #reject(stream: Duplex, status: number, reason: string, ban?: Ban): void {
    this.#options.onRejected(status, reason);
    stream.on("error", () => stream.destroy());
    if (!stream.writable) return void stream.destroy();
    const hint = Object.entries(refusalHeaders(status, ban)).map(([name, value]) => `${name}: ${value}\r\n`);
    stream.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n${hint.join("")}\r\n`);
    // Whatever else was sent is not read: the connection goes with the answer.
    (stream as Socket).destroySoon();
  }

  #open(link: Accepted, head: Buffer): void {
    const { silentMs, self, instance, onAccepted } = this.#options;
    const { from, lane, socket } = link;
    const key = `${lane} ${from}`;
    this.#accepted.get(key)?.socket.destroy();
    this.#accepted.set(key, link);
    const parser = new FrameParser();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, checkMs);
    socket.setTimeout(silentMs, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      if (this.#accepted.get(key) === link) this.#accepted.delete(key);
      this.#leave(from);
    });
    socket.write(welcome(self, instance));
    onAccepted(link);
    socket.on("data", (chunk: Buffer) => this.#onData(link, parser, chunk));
    if (head.length > 0) this.#onData(link, parser, head);
  }

  /** Epochs are kept as long as a node is connected, and of members for good: there are few. */
  #leave(from: NodeId): void {
    if ([...this.#accepted.values()].some((link) => link.from === from)) return;
    if (!this.#options.isMember(from)) this.#epochs.delete(from);
    if (!this.#closed) this.#options.onGone(from);
  }

  #onData(link: Accepted, parser: FrameParser, chunk: Buffer): void {
    const { from, socket } = link;
    this.#options.onBytes(chunk.length);
    parser.push(chunk);
    // The handler may close the link or the whole server; then the rest of the chunk is not for it any more.
    while (!socket.destroyed) {
      const frame = this.#next(link, parser);
      if (frame === undefined) return;
      if (frame !== "ping") this.#options.onFrame(from, frame);
      else if (socket.writableLength === 0) socket.write(pong);
    }
  }

  #next(link: Accepted, parser: FrameParser): Frame | "ping" | undefined {
    try {
      const bytes = parser.next();
      if (bytes === undefined || bytes === "ping") return bytes;
      const frame = decodeFrame(bytes);
      this.#checkSender(link.from, frame);
      return frame;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      link.socket.destroy();
      this.#options.onBadFrame(link.from, link.lane, error.message);
      return undefined;
    }
  }

  /** A member speaks for itself, and to us. */
  #checkSender(from: NodeId, frame: Frame): void {
    const { self } = this.#options;
    switch (frame.kind) {
      case "raft":
        if (frame.message.from !== from || frame.message.to !== self) throw new FrameError("message of another link");
        return;
      case "forward":
        if (frame.origin !== from) throw new FrameError("forward of another origin");
        if (frame.epoch !== this.#epochs.get(from)) throw new FrameError("forward of another start");
        return;
      case "status":
        if (frame.status.id !== from) throw new FrameError("status of another node");
        return;
      case "refused":
      case "snapshot":
      case "ask":
      case "told":
        return;
    }
  }
}
