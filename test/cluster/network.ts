/**
 * Links between members in one process: in order, over the wire format, to be cut and healed.
 */
import type { OpenLinks } from "../../cluster/start.js";
import type { Frame, PeersHandler } from "../../cluster/types.js";
import { PullError } from "../../cluster/peer-pull.js";
import { overWire } from "./mesh.js";

export class Network {
  readonly #handlers = new Map<string, PeersHandler>();
  readonly #isolated = new Set<string>();

  readonly open: OpenLinks = ({ self, handler }) => {
    this.#handlers.set(self.id, handler);
    setImmediate(() => this.#join(self.id));
    return Promise.resolve({
      send: (to, frame) => this.#send(self.id, to, frame),
      queuedBytes: () => 0,
      setMembers: () => undefined,
      pull: (from, path, signal) => this.#pull(self.id, from, path, signal),
      close: () => {
        this.#handlers.delete(self.id);
        return Promise.resolve();
      },
    });
  };

  /** Nothing leaves the node any more or reaches it, what is under way included. */
  isolate(id: string): void {
    this.#isolated.add(id);
  }

  heal(): void {
    const back = [...this.#isolated];
    this.#isolated.clear();
    for (const id of back) this.#join(id);
  }

  #join(id: string): void {
    if (this.#isolated.has(id)) return;
    for (const [other, handler] of this.#handlers) {
      if (other === id || this.#isolated.has(other)) continue;
      handler.onLink(id);
      this.#handlers.get(id)?.onLink(other);
    }
  }

  async *#pull(by: string, from: string, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const source = this.#handlers.get(from)?.onPull(by, path);
    if (source === undefined) throw new PullError("there is no such stream", true);
    for await (const piece of source) {
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      if (this.#isolated.has(by) || this.#isolated.has(from)) throw new Error("the connection is gone");
      yield Buffer.from(piece);
    }
  }

  #send(from: string, to: string, frame: Frame): void {
    const copy = overWire(frame);
    setImmediate(() => {
      if (!this.#isolated.has(from) && !this.#isolated.has(to)) this.#handlers.get(to)?.onFrame(from, copy);
    });
  }
}
