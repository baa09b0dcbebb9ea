/**
 * Links between members in one process: in order, over the wire format, to be cut and healed. Who may speak with whom is
 * as over the network: a member, or a guest of one.
 */
import type { OpenLinks } from "../../cluster/start.js";
import type { Frame, PeersHandler } from "../../cluster/types.js";
import { PullError } from "../../cluster/peer-pull.js";
import { overWire } from "./mesh.js";

interface End {
  readonly handler: PeersHandler;
  members: ReadonlySet<string>;
  removed: ReadonlySet<string>;
}

export class Network {
  readonly #ends = new Map<string, End>();
  readonly #isolated = new Set<string>();
  /** What becomes of a piece of a stream on its way: it may wait, change, or break the stream. */
  onPiece: (piece: Buffer, by: string) => Promise<Buffer> = (piece) => Promise.resolve(piece);

  readonly open: OpenLinks = ({ self, handler }) => {
    const end: End = { handler, members: new Set(), removed: new Set() };
    this.#ends.set(self.id, end);
    return Promise.resolve({
      send: (to, frame) => this.#send(self.id, to, frame),
      isUp: (to) => this.#ends.has(to) && !this.#isolated.has(to) && !this.#isolated.has(self.id),
      queuedBytes: () => 0,
      setMembers: (members, removed) => {
        const before = end.members;
        end.members = new Set(members.map(({ id }) => id).filter((id) => id !== self.id));
        end.removed = new Set(removed);
        const news = [...end.members].filter((id) => !before.has(id));
        setImmediate(() => {
          for (const id of news) this.#meet(self.id, id);
          for (const id of removed) this.#meet(id, self.id);
        });
      },
      pull: (from, path, signal) => this.#pull(self.id, from, path, signal),
      close: () => {
        this.#ends.delete(self.id);
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
    for (const other of this.#ends.keys()) {
      this.#meet(id, other);
      this.#meet(other, id);
    }
  }

  /** `from` dials `to` if that is a member to it; who is dialed answers. */
  #meet(from: string, to: string): void {
    const [dialing, dialed] = [this.#ends.get(from), this.#ends.get(to)];
    if (!this.#reach(from, to) || dialing?.members.has(to) !== true || dialed === undefined) return;
    if (dialed.removed.has(from)) return dialing.handler.onBanned(to, "removed");
    dialing.handler.onLink(to);
    dialed.handler.onLink(from);
  }

  #reach(from: string, to: string): boolean {
    return from !== to && !this.#isolated.has(from) && !this.#isolated.has(to);
  }

  async *#pull(by: string, from: string, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const source = this.#ends.get(from)?.handler.onPull(by, path);
    if (source === undefined) throw new PullError("there is no such stream", true);
    const { aborted, forget } = abortOf(signal);
    try {
      for await (const piece of source) {
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        if (this.#isolated.has(by) || this.#isolated.has(from)) throw new Error("the connection is gone");
        yield await Promise.race([this.onPiece(Buffer.from(piece), by), aborted]);
      }
    } finally {
      forget();
    }
  }

  #send(from: string, to: string, frame: Frame): void {
    const copy = overWire(frame);
    setImmediate(() => {
      const [sender, receiver] = [this.#ends.get(from), this.#ends.get(to)];
      const isLinked = sender?.members.has(to) === true || receiver?.members.has(from) === true;
      if (!isLinked || receiver?.removed.has(from) !== false || !this.#reach(from, to)) return;
      receiver.handler.onFrame(from, copy);
    });
  }
}

function abortOf(signal: AbortSignal): { readonly aborted: Promise<never>; readonly forget: () => void } {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => (abort = () => reject(new Error("aborted"))));
  aborted.catch(() => undefined);
  signal.addEventListener("abort", abort);
  return { aborted, forget: () => signal.removeEventListener("abort", abort) };
}
