/**
 * A TCP proxy in front of one port of one node, controllable while it runs: the network of a chaos run in user space.
 *
 * A rule belongs to who dials. On a peer port that is said by the head of the connection (`slct-node`), so one address per
 * node serves all links and every node has the same list of members; on an API port it is always the clients.
 */
import { createServer, connect, type Server, type Socket } from "node:net";
import { Pipe, type Impairment, type PipeCounts } from "./pipe.js";
import type { Random } from "./random.js";

/** What is done to the connections of one dialer. */
export interface LinkRule {
  /** Connections are closed, new ones too. */
  readonly refuse?: boolean;
  /** From the dialer to the node. */
  readonly forward?: Impairment;
  /** From the node to the dialer. */
  readonly backward?: Impairment;
  /** Part of the requests that reach the node a second time, over a connection of their own, whose answer nobody reads. */
  readonly replay?: number;
}

export interface ProxyCounts extends PipeCounts {
  connections: number;
  refused: number;
  replayed: number;
}

export interface ProxyOptions {
  readonly host: string;
  readonly port: number;
  readonly target: { readonly host: string; readonly port: number };
  /** Who dials; undefined: read it from the head of the connection. */
  readonly dialer: string | undefined;
  readonly rule: (dialer: string) => LinkRule;
  readonly random: Random;
}

interface Passage {
  readonly dialer: string;
  readonly near: Socket;
  readonly far: Socket;
  readonly pipes: readonly [Pipe, Pipe];
}

const headBytesMax = 8192;
const replayBytesMax = 256 * 1024;
const replayMs = 1000;
const none: Impairment = {};

export class Proxy {
  readonly counts: ProxyCounts = { bytes: 0, corrupted: 0, truncated: 0, connections: 0, refused: 0, replayed: 0 };
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #passages = new Set<Passage>();
  readonly #unnamed = new Set<Socket>();

  /** @throws when the address cannot be had */
  static async open(options: ProxyOptions): Promise<Proxy> {
    const proxy = new Proxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(options.port, options.host, resolve);
    });
    return proxy;
  }

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      near.on("error", () => near.destroy());
      this.counts.connections++;
      if (options.dialer !== undefined) this.#pass(near, options.dialer, Buffer.alloc(0));
      else this.#readHead(near);
    });
  }

  /** Rules have changed. */
  update(): void {
    for (const passage of this.#passages) {
      if (this.#options.rule(passage.dialer).refuse === true) destroy(passage);
      else for (const pipe of passage.pipes) pipe.kick();
    }
  }

  async close(): Promise<void> {
    for (const passage of this.#passages) destroy(passage);
    for (const socket of this.#unnamed) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #readHead(near: Socket): void {
    let head = Buffer.alloc(0);
    this.#unnamed.add(near);
    const onData = (bytes: Buffer) => {
      head = Buffer.concat([head, bytes]);
      const text = head.toString("latin1");
      if (!text.includes("\r\n\r\n") && head.length < headBytesMax) return;
      near.off("data", onData);
      near.pause();
      this.#unnamed.delete(near);
      const name = /^slct-node: *(\S+)/im.exec(text)?.[1] ?? "";
      this.#pass(near, decodeURIComponent(name), head);
    };
    near.on("data", onData);
    near.once("close", () => this.#unnamed.delete(near));
  }

  #pass(near: Socket, dialer: string, head: Buffer): void {
    const { target, rule, random } = this.#options;
    if (rule(dialer).refuse === true) {
      this.counts.refused++;
      return void near.destroy();
    }
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
    far.on("error", () => far.destroy());
    const parts = { random, counts: this.counts };
    const forward = new Pipe(near, far, { ...parts, rule: () => rule(dialer).forward ?? none });
    const backward = new Pipe(far, near, { ...parts, rule: () => rule(dialer).backward ?? none });
    const passage: Passage = { dialer, near, far, pipes: [forward, backward] };
    this.#passages.add(passage);
    this.#repeatAtWill(passage, head);
    if (head.length > 0) forward.push(head);
    const gone = () => {
      if (!near.destroyed || !far.destroyed) return;
      for (const pipe of passage.pipes) pipe.close();
      this.#passages.delete(passage);
    };
    near.once("close", gone);
    far.once("close", gone);
  }

  /** What came since the node last answered is one request, or a piece of a link: it may be sent once more. */
  #repeatAtWill({ dialer, near, far }: Passage, head: Buffer): void {
    let sent: Buffer[] = [];
    let bytes = 0;
    near.on("data", (chunk: Buffer) => {
      if (this.#options.rule(dialer).replay === undefined || bytes > replayBytesMax) return;
      sent.push(Buffer.from(chunk));
      bytes += chunk.length;
    });
    far.on("data", () => {
      const { replay = 0 } = this.#options.rule(dialer);
      if (bytes > 0 && bytes <= replayBytesMax && this.#options.random.chance(replay)) this.#replay([head, ...sent]);
      sent = [];
      bytes = 0;
    });
  }

  #replay(pieces: readonly Buffer[]): void {
    this.counts.replayed++;
    const again = connect(this.#options.target);
    again.on("error", () => again.destroy());
    again.resume();
    again.write(Buffer.concat(pieces));
    setTimeout(() => again.destroy(), replayMs).unref();
  }
}

function destroy({ near, far }: Passage): void {
  near.resetAndDestroy();
  far.resetAndDestroy();
}
