/**
 * A gRPC connection for load, as lean as the HTTP one: one unary call at a time over HTTP/2 frames made by hand.
 *
 * Just what etcd's server needs: constant header blocks, answers to SETTINGS and PING, flow control. Answer headers are not
 * decoded: a call that failed has no message, and that is an error here.
 * Source: RFC 9113 §4–§6, RFC 7541 §6.2.2, the gRPC-over-HTTP2 protocol.
 */
import { connect, type Socket } from "node:net";

const frameHead = 9;
const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const flag = { ack: 1, endStream: 1, endHeaders: 4 };
const windowMax = 2 ** 31 - 1;
const windowAtFirst = 65_535;
const frameMax = 16_384;

interface Call {
  readonly stream: number;
  readonly parts: Buffer[];
  readonly resolve: (message: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export class GrpcConnection {
  readonly #socket: Socket;
  readonly #headers = new Map<string, Buffer>();
  readonly #authority: string;
  #received: Buffer = Buffer.alloc(0);
  #stream = -1;
  #call: Call | undefined;
  /** A message that waits until the server allows its bytes. */
  #held: Buffer | undefined;
  #sendWindow = windowAtFirst;
  #receivedSinceUpdate = 0;

  private constructor(socket: Socket, authority: string) {
    this.#socket = socket;
    this.#authority = authority;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("connection closed")));
  }

  static async open(url: string): Promise<GrpcConnection> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const connection = new GrpcConnection(socket, host);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(frame(type.settings, 0, 0, setting(4, windowMax)));
    socket.write(frame(type.windowUpdate, 0, 0, uint32(windowMax - windowAtFirst)));
    return connection;
  }

  /** @param path `/package.Service/Method` @param message as Protocol Buffers, less than 16 KB @returns the answer's */
  call(path: string, message: Buffer): Promise<Buffer> {
    const prefixed = Buffer.alloc(5 + message.length);
    if (prefixed.length > frameMax) throw new Error(`a message of ${message.length} bytes needs more than one frame`);
    prefixed.writeUInt32BE(message.length, 1);
    message.copy(prefixed, 5);
    this.#stream += 2;
    return new Promise((resolve, reject) => {
      this.#call = { stream: this.#stream, parts: [], resolve, reject };
      this.#socket.cork();
      this.#socket.write(frame(type.headers, flag.endHeaders, this.#stream, this.#headersOf(path)));
      this.#held = prefixed;
      this.#sendHeld();
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #sendHeld(): void {
    if (this.#held === undefined || this.#held.length > this.#sendWindow) return;
    this.#sendWindow -= this.#held.length;
    this.#socket.write(frame(type.data, flag.endStream, this.#stream, this.#held));
    this.#held = undefined;
  }

  #headersOf(path: string): Buffer {
    const known = this.#headers.get(path);
    if (known !== undefined) return known;
    // Indexed: POST, http. Literal, never indexed by us: path, authority, content-type, te.
    const block = Buffer.concat([
      Buffer.from([0x83, 0x86, 0x04]),
      ...[text(path), Buffer.from([0x01]), text(this.#authority)],
      ...[Buffer.from([0x0f, 0x10]), text("application/grpc")],
      ...[Buffer.from([0x00]), text("te"), text("trailers")],
    ]);
    this.#headers.set(path, block);
    return block;
  }

  #onData(chunk: Buffer): void {
    let rest = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (rest.length >= frameHead) {
      const end = frameHead + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      this.#onFrame(rest[3] ?? 0, rest[4] ?? 0, rest.readUInt32BE(5), rest.subarray(frameHead, end));
      rest = rest.subarray(end);
    }
    this.#received = rest;
  }

  #onFrame(kind: number, flags: number, stream: number, payload: Buffer): void {
    switch (kind) {
      case type.settings:
        if ((flags & flag.ack) === 0) this.#socket.write(frame(type.settings, flag.ack, 0, Buffer.alloc(0)));
        return;
      case type.ping:
        if ((flags & flag.ack) === 0) this.#socket.write(frame(type.ping, flag.ack, 0, payload));
        return;
      case type.windowUpdate:
        if (stream === 0) this.#sendWindow += payload.readUInt32BE(0);
        return this.#sendHeld();
      case type.data:
        this.#onMessage(stream, payload);
        return this.#onEnd(stream, flags);
      case type.headers:
        return this.#onEnd(stream, flags);
      case type.reset:
      case type.goAway:
        return this.#fail(new Error(`HTTP/2 frame ${kind}: ${payload.toString("latin1")}`));
      default:
        return;
    }
  }

  #onMessage(stream: number, payload: Buffer): void {
    if (stream === this.#call?.stream) this.#call.parts.push(Buffer.from(payload));
    this.#receivedSinceUpdate += payload.length;
    if (this.#receivedSinceUpdate < windowMax >> 1) return;
    this.#socket.write(frame(type.windowUpdate, 0, 0, uint32(this.#receivedSinceUpdate)));
    this.#receivedSinceUpdate = 0;
  }

  #onEnd(stream: number, flags: number): void {
    const call = this.#call;
    if ((flags & flag.endStream) === 0 || stream !== call?.stream) return;
    this.#call = undefined;
    const all = call.parts.length === 1 ? (call.parts[0] ?? Buffer.alloc(0)) : Buffer.concat(call.parts);
    if (all.length >= 5 && all.readUInt32BE(1) === all.length - 5) call.resolve(all.subarray(5));
    else call.reject(new Error("the call was answered without a message"));
  }

  #fail(error: Error): void {
    this.#call?.reject(error);
    this.#call = undefined;
  }
}

function frame(kind: number, flags: number, stream: number, payload: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(frameHead + payload.length);
  whole.writeUIntBE(payload.length, 0, 3);
  whole[3] = kind;
  whole[4] = flags;
  whole.writeUInt32BE(stream, 5);
  payload.copy(whole, frameHead);
  return whole;
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

/** A string of a header block, shorter than 127 bytes, not Huffman coded. */
function text(value: string): Buffer {
  return Buffer.from([value.length, ...Buffer.from(value)]);
}
