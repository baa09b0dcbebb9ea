/**
 * A TCP relay on a loopback port of its own: the address other nodes know, behind which a node may come and go, hang or
 * be cut off.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Relay {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket | undefined]>();
  #target: number | undefined;
  #hung = false;
  /** Connections taken since the start. */
  taken = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (near) => this.#join(near));
  }

  static async open(): Promise<Relay> {
    const server = createServer({ pauseOnConnect: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Relay(server);
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where connections go from now on; without one they are closed at once. */
  aim(port: number | undefined): void {
    this.#target = port;
  }

  /** Connections, present and to come, stay open and nothing passes: a stopped process. */
  hang(): void {
    this.#hung = true;
    for (const pair of this.#pairs) for (const socket of pair) socket?.pause();
  }

  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket?.destroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  #join(near: Socket): void {
    this.taken++;
    near.on("error", () => near.destroy());
    if (this.#hung || this.#target === undefined) {
      const pair = [near, undefined] as const;
      this.#pairs.add(pair);
      near.on("close", () => this.#pairs.delete(pair));
      if (!this.#hung) near.destroy();
      return;
    }
    const far = connect({ port: this.#target, host: "127.0.0.1", noDelay: true });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    far.on("error", () => far.destroy());
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  }
}
