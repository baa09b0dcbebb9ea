/**
 * What each member last said of itself, for `GET /cluster`: exchanged once a second, computed when it is sent.
 */
import type { Member, NodeId } from "../raft/types.js";
import { systemTime, type Cancel, type Time } from "./environment.js";
import type { Frame, Member as Address, MemberStatus, NodeStatus, Store } from "./types.js";

export interface StatusOptions {
  readonly self: Address;
  /** In force. */
  readonly members: () => readonly Member[];
  readonly store: Pick<Store, "stateHash" | "appliedIndex" | "sizeBytes">;
  readonly own: () => Omit<NodeStatus, "stateHash" | "dbBytes" | "atMs">;
  readonly send: (to: NodeId, frame: Frame) => void;
  readonly clock: () => number;
  readonly onError: (error: unknown) => void;
  readonly time?: Time;
}

/** Of a member that was never heard of. */
const silent: Omit<MemberStatus, keyof Member> = {
  ...{ instance: "", role: "follower", term: 0, leader: null, version: "", dbBytes: 0, atMs: 0 },
  ...{ lastIndex: 0, commitIndex: 0, appliedIndex: 0, flushedIndex: 0, lagMs: 0, skewMs: 0, reachable: false },
};
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
    const { self, members } = this.#options;
    const all = this.#withSelf(members()).map((member): MemberStatus => {
      const { id, voter, peer } = member;
      if (id === self.id) return { ...this.#own(), voter, peer, lagMs: 0, skewMs: 0, reachable: true };
      const heard = this.#heard.get(id);
      if (heard === undefined) return { ...silent, ...member };
      const lagMs = nowMs - heard.receivedMs;
      const skewMs = heard.status.atMs - heard.receivedMs;
      return { ...heard.status, voter, peer, lagMs, skewMs, reachable: lagMs < silentMs };
    });
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Whether a member has met those instances, as far as they are of members. */
  knowsInstances(id: NodeId, instances: readonly (readonly [NodeId, string])[]): boolean {
    const told = new Map(this.#heard.get(id)?.status.instances);
    return instances.every(([other, instance]) => other === id || told.get(other) === instance);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** A node that nobody has let in yet, or that was removed, shows itself. */
  #withSelf(members: readonly Member[]): readonly Member[] {
    const { self } = this.#options;
    return members.some(({ id }) => id === self.id) ? members : [...members, { ...self, voter: false }];
  }

  #exchange(): void {
    const { self, members, store, send, onError } = this.#options;
    const status = this.#own();
    const others = members().map(({ id }) => id);
    for (const id of this.#heard.keys()) if (!others.includes(id)) this.#heard.delete(id);
    for (const id of others) if (id !== self.id) send(id, { kind: "status", status });
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
