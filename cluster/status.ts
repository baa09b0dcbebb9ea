/**
 * What each member last said of itself, for `GET /cluster`: exchanged once a second, computed when it is sent.
 */
import type { Member, NodeId } from "../raft/types.js";
import { systemTime, type Cancel, type Time } from "./environment.js";
import type { Health, HealthStatus } from "./health.js";
import type { Frame, Member as Address, MemberStatus, NodeStatus, Store } from "./types.js";

/** What the node says of itself, health and measures aside. */
export type OwnStatus = Omit<NodeStatus, keyof HealthStatus | "dbBytes" | "atMs">;

export interface StatusOptions {
  readonly self: Address;
  /** In force. */
  readonly members: () => readonly Member[];
  readonly store: Pick<Store, "sizeBytes">;
  readonly health: Pick<Health, "status" | "onStatus" | "consistency">;
  readonly own: () => OwnStatus;
  readonly send: (to: NodeId, frame: Frame) => void;
  /** Whether what is sent to it leaves: a node that dies is noticed at once. */
  readonly isUp: (id: NodeId) => boolean;
  /** Wall clock, unix ms. */
  readonly clock: () => number;
  readonly onError: (error: unknown) => void;
  readonly time?: Time;
}

/** Of a member that was never heard of. */
const silent: Omit<MemberStatus, keyof Member> = {
  ...{ instance: "", role: "follower", term: 0, leader: null, version: "", dbBytes: 0, atMs: 0 },
  ...{
    alarms: [],
    lastIndex: 0,
    commitIndex: 0,
    appliedIndex: 0,
    flushedIndex: 0,
    lagMs: 0,
    skewMs: 0,
    reachable: false,
  },
};
const intervalMs = 1000;
/** How often the files of the store are counted. */
const measureMs = 30_000;
/** A member that was silent for this long is shown as unreachable, although its link is up: it may be stopped. */
const silentMs = 2500;

interface Heard {
  readonly status: NodeStatus;
  /** Monotonic. */
  readonly receivedMs: number;
  /** Its clock against this one when it was heard; transit time included. */
  readonly skewMs: number;
}

export class StatusBoard {
  readonly #options: StatusOptions;
  readonly #heard = new Map<NodeId, Heard>();
  #dbBytes = 0;
  #measuredMs = -Infinity;
  #measuring = false;
  #closed = false;
  readonly #time: Time;
  readonly #cancel: Cancel;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
    this.#cancel = this.#time.every(intervalMs, () => this.#exchange());
  }

  onStatus(from: NodeId, status: NodeStatus): void {
    const skewMs = status.atMs - this.#options.clock();
    this.#heard.set(from, { status, receivedMs: this.#time.nowMs(), skewMs });
    this.#options.health.onStatus(from, status, status.atMs);
  }

  /** Largest difference between a peer's clock and this one, ms; transit time included. */
  skewMs(): number {
    return Math.max(0, ...[...this.#heard.values()].map(({ skewMs }) => Math.abs(skewMs)));
  }

  /** The hash of the records is computed here for this node, whatever the load. */
  async all(): Promise<MemberStatus[]> {
    const [stateHash] = await Promise.all([this.#options.health.consistency.hash(), this.#measure()]);
    const nowMs = this.#time.nowMs();
    const { self, members, isUp } = this.#options;
    const all = this.#withSelf(members()).map((member): MemberStatus => {
      const { id, voter, peer } = member;
      if (id === self.id) return { ...this.#own(), stateHash, voter, peer, lagMs: 0, skewMs: 0, reachable: true };
      const heard = this.#heard.get(id);
      if (heard === undefined) return { ...silent, ...member };
      const lagMs = Math.round(nowMs - heard.receivedMs);
      return { ...heard.status, voter, peer, lagMs, skewMs: heard.skewMs, reachable: isUp(id) && lagMs < silentMs };
    });
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** As it said last; undefined: it has said nothing. */
  commitIndexOf(id: NodeId): number | undefined {
    return this.#heard.get(id)?.status.commitIndex;
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

  /** To a member whose link came up: it should know this node's clock before it gets its vote. */
  tell(to: NodeId): void {
    this.#tell([to]);
  }

  /** When another one leads: no client should be shown two leaders for a second. */
  tellAll(): void {
    const { self, members } = this.#options;
    this.#tell(members().flatMap(({ id }) => (id === self.id ? [] : [id])));
  }

  #tell(others: readonly NodeId[]): void {
    if (others.length === 0) return;
    const frame = { kind: "status", status: this.#own() } as const;
    for (const to of others) this.#options.send(to, frame);
  }

  #exchange(): void {
    const { members, onError } = this.#options;
    const ids = members().map(({ id }) => id);
    for (const id of this.#heard.keys()) if (!ids.includes(id)) this.#heard.delete(id);
    this.tellAll();
    const nowMs = this.#time.nowMs();
    if (this.#measuring || nowMs - this.#measuredMs < measureMs) return;
    this.#measuring = true;
    this.#measuredMs = nowMs;
    this.#measure()
      .catch((error: unknown) => {
        // The store may be closed while it is read.
        if (!this.#closed) onError(error);
      })
      .finally(() => (this.#measuring = false));
  }

  async #measure(): Promise<void> {
    this.#dbBytes = await this.#options.store.sizeBytes();
  }

  #own(): NodeStatus {
    const { own, health, clock } = this.#options;
    return { ...own(), ...health.status(), dbBytes: this.#dbBytes, atMs: clock() };
  }
}
