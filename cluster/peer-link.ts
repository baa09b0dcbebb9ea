/**
 * The dialing end of one link: one lane to one member, kept open for good.
 *
 * It writes frames and never reads any; all that comes back is a byte for each ping, so that a peer that is gone without
 * a word (power, partition, a stopped process) is noticed although TCP would not for minutes. What is sent while the
 * link is down is dropped; so is what exceeds its queue, and then the link starts over, because only a new link tells
 * the sender that something may be lost.
 */
import { request, type ClientRequest } from "node:http";
import type { Socket } from "node:net";
import type { Member } from "./types.js";
import type { EncodedFrame } from "./frames.js";
import { banOf, helloHeaders, peerPath, welcomedBy, type Ban, type Hello, type Lane } from "./peer-handshake.js";

export interface LinkTiming {
  /** A ping every so often. */
  readonly pingMs: number;
  /** From dialing until the other side has accepted. */
  readonly handshakeMs: number;
  /** Between attempts: exponential with jitter from `first` to `max`. */
  readonly backoffMs: { readonly first: number; readonly max: number };
}

export interface LinkOptions {
  readonly to: Member;
  readonly hello: Hello;
  readonly timing: LinkTiming;
  /** Bytes that wait to be written; one frame is always taken. */
  readonly queueBytesMax: number;
  /** Whether this instance of the node may be spoken with; it has answered. */
  readonly isKnown: (instance: string) => boolean;
  readonly onUp: () => void;
  /** It was up. */
  readonly onDown: (reason: string) => void;
  /** It did not come up. */
  readonly onFailed: (reason: string) => void;
  /** The node does not let us in, for good. */
  readonly onBanned: (ban: Ban) => void;
}

export type Sent = "sent" | "down" | "overflow";

/** Unanswered pings after which the peer is gone: when nothing waits to be written, and when something does. */
const silentPingsMax = 6;
const busyPingsMax = 20;
const ping = Buffer.alloc(4);
const keepAliveDelayMs = 1000;
/** What was sent before {@link Link.close} has this long to leave. */
const closeMs = 200;

export class Link {
  readonly #options: LinkOptions;
  #request: ClientRequest | undefined;
  #socket: Socket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #corked = false;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#dial();
  }

  get lane(): Lane {
    return this.#options.hello.lane;
  }

  get up(): boolean {
    return this.#socket !== undefined && !this.#closed;
  }

  get queuedBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** `expendable`: the sender does not mind if it never arrives. */
  send(frame: EncodedFrame, expendable: boolean): Sent {
    const socket = this.#socket;
    if (socket === undefined || this.#closed) return "down";
    const queued = socket.writableLength;
    if (queued > 0 && queued + frame.bytes > this.#options.queueBytesMax) {
      if (!expendable) this.#drop(socket, "queue is full");
      return "overflow";
    }
    this.#cork(socket);
    for (const piece of frame.pieces) socket.write(piece);
    return "sent";
  }

  /** The peer is known to be there: do not wait for the next attempt. */
  hurry(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#dial();
  }

  /** Resolves when the connection is closed; what was sent before still leaves if the peer takes it at once. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#request?.destroy();
    const socket = this.#socket;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      const patience = setTimeout(() => socket.destroy(), closeMs);
      socket.once("close", () => {
        clearTimeout(patience);
        resolve();
      });
      socket.uncork();
      socket.destroySoon();
    });
  }

  #dial(): void {
    this.#retry = undefined;
    const { to, hello, timing, isKnown, onFailed, onBanned } = this.#options;
    let over = false;
    const fail = (reason: string) => {
      if (over) return;
      over = true;
      clearTimeout(patience);
      dialed.destroy();
      this.#request = undefined;
      if (!this.#closed) onFailed(reason);
      this.#redial();
    };
    const target = { ...splitHostPort(to.peer), method: "GET", path: peerPath, headers: helloHeaders(hello) };
    const dialed = request({ ...target, agent: false });
    const patience = setTimeout(() => fail("no answer"), timing.handshakeMs);
    this.#request = dialed;
    dialed.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    dialed.on("close", () => fail("closed"));
    dialed.on("response", (response) => {
      const ban = banOf(response.headers);
      fail(`refused with ${response.statusCode}`);
      if (ban !== undefined && !this.#closed) onBanned(ban);
    });
    dialed.on("upgrade", (response, socket) => {
      // The socket is out of the request's hands and its errors would be nobody's.
      socket.on("error", () => socket.destroy());
      const instance = welcomedBy(response.headers, to.id);
      if (over || this.#closed || instance === undefined || !isKnown(instance)) {
        socket.destroy();
        return fail(instance === undefined ? "not the node that was dialed" : "its data directory is another one");
      }
      over = true;
      clearTimeout(patience);
      this.#request = undefined;
      this.#open(socket);
    });
    dialed.end();
  }

  #redial(): void {
    if (this.#closed) return;
    const { first, max } = this.#options.timing.backoffMs;
    const delayMs = Math.min(max, first * 2 ** Math.min(this.#failures, 20)) * (0.5 + Math.random() / 2);
    this.#failures++;
    this.#retry = setTimeout(() => this.#dial(), delayMs);
  }

  #open(socket: Socket): void {
    let unanswered = 0;
    const pulse = setInterval(() => {
      if (unanswered >= (socket.writableLength > 0 ? busyPingsMax : silentPingsMax))
        return this.#drop(socket, "silent");
      unanswered++;
      socket.write(ping);
    }, this.#options.timing.pingMs);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveDelayMs);
    socket.setTimeout(0);
    socket.on("data", () => {
      unanswered = 0;
      this.#failures = 0;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      clearInterval(pulse);
      this.#drop(socket, "closed by the peer");
    });
    this.#socket = socket;
    this.#corked = false;
    // The first ping is answered at once: from then on the link counts as good.
    socket.write(ping);
    this.#options.onUp();
  }

  #drop(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    socket.destroy();
    if (this.#closed) return;
    this.#options.onDown(reason);
    this.#redial();
  }

  /** All frames of one turn of the event loop leave in one gathered write. */
  #cork(socket: Socket): void {
    if (this.#corked) return;
    this.#corked = true;
    socket.cork();
    process.nextTick(() => {
      if (this.#socket === socket) this.#corked = false;
      socket.uncork();
    });
  }
}

/** `host:port`, `[v6]:port`. */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}
