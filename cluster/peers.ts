/**
 * This node's links to the other members, both ends: two to each (one per {@link Lane}) for what it sends, and the
 * listener for theirs. Who is a member changes while it runs.
 *
 * A node of this cluster that is not a member here may come in as a guest: the configuration here may be an old one, or
 * none yet. It is answered at the address it gives, as long as it stays connected.
 *
 * A hung or dead peer costs its own links only: each has its own connection, bounded queue and clock. Small things never
 * queue behind entries (reliability G8, G9).
 */
import type { NodeId } from "../raft/types.js";
import { encodeFrame, frameBytesMax, lengthBytes } from "./frames.js";
import type { Instances } from "./instances.js";
import { Acceptor, type Caller } from "./peer-acceptor.js";
import { createEventLog, type PeerEvent, type PeerLogger } from "./peer-events.js";
import { callerHeaders, lanes, type Hello, type Lane } from "./peer-handshake.js";
import { Link, splitHostPort, type LinkTiming } from "./peer-link.js";
import { pull, PullError } from "./peer-pull.js";
import type { Frame, Member, Peers, PeersHandler } from "./types.js";

export interface PeersStats {
  readonly links: readonly {
    readonly node: NodeId;
    readonly lane: Lane;
    readonly up: boolean;
    readonly queuedBytes: number;
  }[];
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly receivedFrames: number;
  readonly receivedBytes: number;
  /** For any reason, the link being down included. */
  readonly droppedFrames: number;
  readonly badFrames: number;
  readonly rejected: number;
}

export interface PeersOptions {
  /** Others dial its `peer` address. */
  readonly self: Member;
  /** Where it listens, if that is another one. */
  readonly listen?: string;
  readonly clusterId: string;
  /** Of this node's data directory. */
  readonly instance: string;
  /** Start of this node: grows with each. */
  readonly epoch: number;
  /** Those of the members, as far as they were met. */
  readonly instances: Instances;
  readonly handler: PeersHandler;
  readonly logger?: PeerLogger;
  readonly onEvent?: (event: PeerEvent) => void;
  readonly timing?: Partial<LinkTiming>;
  readonly queueBytesMax?: Partial<Record<Lane, number>>;
}

export interface OpenPeers extends Peers {
  /** Where it listens. */
  readonly port: number;
  /** Over all links. */
  queuedBytes(): number;
  stats(): PeersStats;
}

const defaultTiming: LinkTiming = { pingMs: 500, handshakeMs: 2000, backoffMs: { first: 50, max: 1000 } };
/** The bulk lane holds what Raft has in flight to a slow follower, or the link would start over again and again. */
const defaultQueueBytesMax: Record<Lane, number> = { control: 4 * 1024 * 1024, bulk: 80 * 1024 * 1024 };
/** Guests at once. */
const guestsMax = 16;
/** In pings: long enough for a peer that is busy, since it only frees what a dead one left here. */
const silentPings = 20;

/**
 * Listens; whom it dials is said by {@link Peers.setMembers}.
 * @throws when the address cannot be had
 */
export async function openPeers(options: PeersOptions): Promise<OpenPeers> {
  const mesh = new Mesh(options);
  await mesh.open();
  return mesh;
}

class Mesh implements OpenPeers {
  readonly #options: PeersOptions;
  readonly #timing: LinkTiming;
  readonly #acceptor: Acceptor;
  readonly #links = new Map<NodeId, Readonly<Record<Lane, Link>> & { readonly peer: string }>();
  #members: ReadonlySet<NodeId> = new Set();
  #removed: ReadonlySet<NodeId> = new Set();
  /** What each node that is connected to us said of its instance. */
  readonly #callers = new Map<NodeId, string>();
  /** Links that are being closed. */
  readonly #closing = new Set<Promise<void>>();
  readonly #log: ((event: PeerEvent) => void) | undefined;
  #counts = {
    sentFrames: 0,
    sentBytes: 0,
    receivedFrames: 0,
    receivedBytes: 0,
    droppedFrames: 0,
    badFrames: 0,
    rejected: 0,
  };
  #port = 0;
  #closed = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#log = options.logger && createEventLog(options.logger);
    this.#acceptor = this.#createAcceptor();
  }

  get port(): number {
    return this.#port;
  }

  async open(): Promise<void> {
    const { self, listen } = this.#options;
    this.#port = await this.#acceptor.listen(splitHostPort(listen ?? self.peer));
  }

  setMembers(members: readonly Member[], removed: readonly NodeId[]): void {
    const others = members.filter(({ id }) => id !== this.#options.self.id);
    this.#members = new Set(others.map(({ id }) => id));
    this.#removed = new Set(removed);
    this.#options.instances.forget(removed);
    for (const id of removed) this.#acceptor.disconnect(id);
    for (const id of this.#links.keys()) if (!this.#members.has(id) && !this.#callers.has(id)) this.#hangUp(id);
    for (const to of others) {
      const met = this.#callers.get(to.id);
      if (met !== undefined) this.#options.instances.meet(to.id, met);
      this.#dial(to);
    }
  }

  send(to: NodeId, frame: Frame): void {
    const lane = laneOf(frame);
    const link = this.#links.get(to)?.[lane];
    // A member that is down is not worth the encoding.
    if (link === undefined || !link.up) return void this.#counts.droppedFrames++;
    const encoded = encodeFrame(frame);
    const sent = encoded.bytes - lengthBytes > frameBytesMax ? "too large" : link.send(encoded, isExpendable(frame));
    if (sent === "sent") {
      this.#counts.sentFrames++;
      this.#counts.sentBytes += encoded.bytes;
      return;
    }
    this.#counts.droppedFrames++;
    if (sent !== "down") this.#emit({ kind: "dropped", node: to, lane, reason: sent });
  }

  isUp(to: NodeId): boolean {
    return this.#links.get(to)?.control.up === true;
  }

  pull(from: NodeId, path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const address = this.#links.get(from)?.peer;
    if (address === undefined) throw new PullError(`${from} has no address`, false);
    return pull({ address, path, signal, headers: callerHeaders(this.#hello(from)) });
  }

  queuedBytes(): number {
    return this.#all().reduce((sum, { link }) => sum + link.queuedBytes, 0);
  }

  stats(): PeersStats {
    const links = this.#all().map(({ node, lane, link }) => ({
      node,
      lane,
      up: link.up,
      queuedBytes: link.queuedBytes,
    }));
    return { ...this.#counts, links };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const id of [...this.#links.keys()]) this.#hangUp(id);
    await Promise.all([...this.#closing, this.#acceptor.close()]);
  }

  #createAcceptor(): Acceptor {
    const { clusterId, self, instance, instances, handler } = this.#options;
    return new Acceptor({
      ...{ clusterId, instance, self: self.id, silentMs: silentPings * this.#timing.pingMs },
      isMember: (id) => this.#members.has(id),
      isRemoved: (id) => this.#removed.has(id),
      hasRoom: () => [...this.#links.keys()].filter((id) => !this.#members.has(id)).length < guestsMax,
      instanceOf: (id) => instances.get(id),
      onAccepted: (caller) => this.#onAccepted(caller),
      onGone: (from) => {
        this.#callers.delete(from);
        if (!this.#members.has(from)) this.#hangUp(from);
      },
      onFrame: (from, frame) => {
        this.#counts.receivedFrames++;
        handler.onFrame(from, frame);
      },
      onPull: (by, path) => handler.onPull(by, path),
      onBytes: (bytes) => {
        this.#counts.receivedBytes += bytes;
      },
      onRejected: (status, reason) => {
        this.#counts.rejected++;
        this.#emit({ kind: "rejected", status, reason });
      },
      onBadFrame: (node, lane, reason) => {
        this.#counts.badFrames++;
        this.#emit({ kind: "badFrame", node, lane, reason });
      },
    });
  }

  /** Unless there are links to that address already. */
  #dial(to: Member): void {
    const { peer } = to;
    if (this.#links.get(to.id)?.peer === peer) return;
    this.#hangUp(to.id);
    this.#links.set(to.id, { peer, control: this.#link(to, "control"), bulk: this.#link(to, "bulk") });
  }

  #hangUp(id: NodeId): void {
    const both = this.#links.get(id);
    if (both === undefined) return;
    this.#links.delete(id);
    for (const lane of lanes) {
      const closed = both[lane].close().finally(() => this.#closing.delete(closed));
      this.#closing.add(closed);
    }
  }

  #link(to: Member, lane: Lane): Link {
    const { handler, queueBytesMax } = this.#options;
    const node = to.id;
    return new Link({
      to,
      hello: { ...this.#hello(node), lane },
      timing: this.#timing,
      queueBytesMax: queueBytesMax?.[lane] ?? defaultQueueBytesMax[lane],
      isKnown: (found) => this.#isKnown(node, found),
      onUp: () => {
        this.#emit({ kind: "up", node, lane });
        if (!this.#closed) handler.onLink(node);
      },
      onDown: (reason) => this.#emit({ kind: "down", node, lane, reason }),
      onFailed: (reason) => {
        this.#emit({ kind: "failed", node, lane, reason });
        // The one answer that only the system of the other machine gives, and only without a listener.
        if (reason === "ECONNREFUSED" && !this.#closed) handler.onStopped(node);
      },
      onBanned: (ban) => handler.onBanned(node, ban),
    });
  }

  #hello(to: NodeId): Omit<Hello, "lane"> {
    const { self, clusterId, instance, epoch } = this.#options;
    return { clusterId, from: self.id, to, instance, epoch, peer: self.peer };
  }

  /** Members are remembered for good. A guest may be anybody who knows the name of the cluster. */
  #isKnown(node: NodeId, instance: string): boolean {
    const { instances } = this.#options;
    return this.#members.has(node)
      ? instances.meet(node, instance)
      : (instances.get(node) ?? this.#callers.get(node) ?? instance) === instance;
  }

  #onAccepted({ from, instance, lane, peer }: Caller): void {
    this.#callers.set(from, instance);
    if (this.#members.has(from)) this.#options.instances.meet(from, instance);
    else this.#dial({ id: from, peer, api: "" });
    for (const one of lanes) this.#links.get(from)?.[one].hurry();
    this.#emit({ kind: "accepted", node: from, lane });
  }

  #all(): { node: NodeId; lane: Lane; link: Link }[] {
    return [...this.#links].flatMap(([node, both]) => lanes.map((lane) => ({ node, lane, link: both[lane] })));
  }

  #emit(event: PeerEvent): void {
    if (this.#closed) return;
    this.#log?.(event);
    this.#options.onEvent?.(event);
  }
}

function laneOf(frame: Frame): Lane {
  if (frame.kind === "forward") return "bulk";
  const carriesEntries =
    frame.kind === "raft" && frame.message.type === "AppendEntries" && frame.message.entries.length > 0;
  return carriesEntries ? "bulk" : "control";
}

/** What is sent again anyway, soon and unasked. */
function isExpendable(frame: Frame): boolean {
  if (frame.kind === "status") return true;
  return frame.kind === "raft" && (frame.message.type === "Heartbeat" || frame.message.type === "HeartbeatResponse");
}
