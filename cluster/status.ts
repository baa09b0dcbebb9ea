/**
 * What each member last said of itself, for `GET /cluster`: exchanged once a second, computed when it is sent.
 */
import type { NodeId } from "../raft/types.js";
import { systemTime, type Cancel, type Time } from "./environment.js";
import type { Frame, NodeStatus, Store } from "./types.js";

export type MemberStatus = NodeStatus & {
  readonly lagMs: number;
  readonly skewMs: number;
  readonly reachable: boolean;
};

export interface StatusOptions {
  readonly others: readonly NodeId[];
  readonly store: Pick<Store, "stateHash" | "appliedIndex" | "sizeBytes">;
  readonly own: () => Omit<NodeStatus, "stateHash" | "dbBytes" | "atMs">;
  readonly send: (to: NodeId, frame: Frame) => void;
  readonly clock: () => number;
  readonly onError: (error: unknown) => void;
  readonly time?: Time;
}

const intervalMs = 1000;
/** A member that was silent for this long is shown as unreachable. */
const silentMs = 3500;

export class StatusBoard {
  readonly #options: StatusOptions;
  readonly #heard = new Map<NodeId, { status: NodeStatus; receivedMs: number }>();
  #stateHash: NodeStatus["stateHash"];
  #seenIndex = -1;
  #dbBytes = 0;
  #measuring = false;
  #closed = false;
  readonly #cancel: Cancel;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#cancel = (options.time ?? systemTime).every(intervalMs, () => this.#exchange());
  }

  onStatus(from: NodeId, status: NodeStatus): void {
    this.#heard.set(from, { status, receivedMs: this.#options.clock() });
  }

  /** Largest difference between a peer's clock and this one, ms; transit time included. */
  skewMs(): number {
    return Math.max(
      0,
      ...[...this.#heard.values()].map(({ status, receivedMs }) => Math.abs(status.atMs - receivedMs)),
    );
  }

  /** The hash of the records is computed here for this node, whatever the load. */
  async all(): Promise<MemberStatus[]> {
    await this.#measure();
    const nowMs = this.#options.clock();
    const own = { ...this.#own(), lagMs: 0, skewMs: 0, reachable: true };
    const others = this.#options.others.flatMap((id) => {
      const heard = this.#heard.get(id);
      if (heard === undefined) return [];
      const lagMs = nowMs - heard.receivedMs;
      return [{ ...heard.status, lagMs, skewMs: heard.status.atMs - heard.receivedMs, reachable: lagMs < silentMs }];
    });
    return [own, ...others].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #exchange(): void {
    const { store, others, send, onError } = this.#options;
    const status = this.#own();
    for (const id of others) send(id, { kind: "status", status });
    // Under load the index moves all the time and the hash would be work for nothing: it is made when things are quiet.
    const quiet = store.appliedIndex === this.#seenIndex;
    this.#seenIndex = store.appliedIndex;
    if (!quiet || this.#measuring || this.#stateHash?.index === store.appliedIndex) return;
    this.#measuring = true;
    this.#measure()
      .catch((error: unknown) => {
        // The store may be closed while it is read.
        if (!this.#closed) onError(error);
      })
      .finally(() => (this.#measuring = false));
  }

  async #measure(): Promise<void> {
    const { store } = this.#options;
    this.#stateHash = await store.stateHash();
    this.#dbBytes = await store.sizeBytes();
  }

  #own(): NodeStatus {
    const status = { ...this.#options.own(), dbBytes: this.#dbBytes, atMs: this.#options.clock() };
    return this.#stateHash === undefined ? status : { ...status, stateHash: this.#stateHash };
  }
}
