/**
 * This node's links to the other members, both ends: two to each (one per {@link Lane}) for what it sends, and the
 * listener for theirs.
 *
 * A hung or dead peer costs its own links only: each has its own connection, bounded queue and clock. Small things never
 * queue behind entries (reliability G8, G9).
 */
import { performance } from "node:perf_hooks";
import type { NodeId } from "../raft/types.js";
import { encodeFrame, frameBytesMax, lengthBytes } from "./frames.js";
import { Acceptor } from "./peer-acceptor.js";
import { lanes, type Lane } from "./peer-handshake.js";
import { Link, splitHostPort, type LinkTiming } from "./peer-link.js";
import type { Frame, Member, Peers, PeersHandler } from "./types.js";

export type PeerEvent =
  /** Our link to `node`. */
  | { readonly kind: "up"; readonly node: NodeId; readonly lane: Lane }
  | { readonly kind: "down"; readonly node: NodeId; readonly lane: Lane; readonly reason: string }
  /** An attempt to open one failed, or was answered with something else than 101. */
  | { readonly kind: "failed"; readonly node: NodeId; readonly lane: Lane; readonly reason: string }
  /** The link of `node` to us. */
  | { readonly kind: "accepted"; readonly node: NodeId; readonly lane: Lane }
  /** We did not accept a request on the peer port. */
  | { readonly kind: "rejected"; readonly status: number; readonly reason: string }
  | { readonly kind: "badFrame"; readonly node: NodeId; readonly lane: Lane; readonly reason: string }
  /** Not counted here: what is sent while the link is down. */
  | { readonly kind: "dropped"; readonly node: NodeId; readonly lane: Lane; readonly reason: "overflow" | "too large" };

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
  /** Listens on its `peer` address. */
  readonly self: Member;
  /** All members; this node among them is passed over. */
  readonly members: readonly Member[];
  readonly clusterId: string;
  /** Start of this node: grows with each. */
  readonly epoch: number;
  readonly handler: PeersHandler;
  readonly logger?: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
  };
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
const repeatMs = 10_000;
const eventTexts: Record<PeerEvent["kind"], string> = {
  up: "peer link is up",
  down: "peer link is down",
  failed: "peer link cannot be opened",
  accepted: "peer link accepted",
  rejected: "request on the peer port rejected",
  badFrame: "damaged frame, peer link closed",
  dropped: "frame dropped",
};
/** In pings: long enough for a peer that is busy, since it only frees what a dead one left here. */
const silentPings = 20;

/**
 * Listens, and begins to dial the others.
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
  readonly #links = new Map<NodeId, Readonly<Record<Lane, Link>>>();
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
    this.#acceptor = new Acceptor({
      clusterId: options.clusterId,
      self: options.self.id,
      members: new Set(options.members.map(({ id }) => id)),
      silentMs: silentPings * this.#timing.pingMs,
      onAccepted: (node, lane) => this.#onAccepted(node, lane),
      onFrame: (from, frame) => {
        this.#counts.receivedFrames++;
        options.handler.onFrame(from, frame);
      },
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

  get port(): number {
    return this.#port;
  }

  async open(): Promise<void> {
    const { self, members } = this.#options;
    this.#port = await this.#acceptor.listen(splitHostPort(self.peer));
    for (const to of members) {
      if (to.id !== self.id)
        this.#links.set(to.id, { control: this.#dial(to, "control"), bulk: this.#dial(to, "bulk") });
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
    await Promise.all([...this.#all().map(({ link }) => link.close()), this.#acceptor.close()]);
  }

  #dial(to: Member, lane: Lane): Link {
    const { self, clusterId, epoch, handler, queueBytesMax } = this.#options;
    const node = to.id;
    return new Link({
      to,
      hello: { clusterId, from: self.id, to: node, epoch, lane },
      timing: this.#timing,
      queueBytesMax: queueBytesMax?.[lane] ?? defaultQueueBytesMax[lane],
      onUp: () => {
        this.#emit({ kind: "up", node, lane });
        if (!this.#closed) handler.onLink(node);
      },
      onDown: (reason) => this.#emit({ kind: "down", node, lane, reason }),
      onFailed: (reason) => this.#emit({ kind: "failed", node, lane, reason }),
    });
  }

  #onAccepted(node: NodeId, lane: Lane): void {
    for (const one of lanes) this.#links.get(node)?.[one].hurry();
    this.#emit({ kind: "accepted", node, lane });
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

/** Lines for what an operator should see; what repeats is said once in a while. */
function createEventLog(logger: NonNullable<PeersOptions["logger"]>): (event: PeerEvent) => void {
  const said = new Map<string, number>();
  const saidMax = 1000;
  const isNews = (key: string) => {
    const nowMs = performance.now();
    if (nowMs - (said.get(key) ?? -Infinity) < repeatMs) return false;
    if (said.size >= saidMax) said.clear();
    said.set(key, nowMs);
    return true;
  };
  return (event) => {
    const { kind, ...details } = event;
    if (kind === "up" || kind === "accepted") logger.info(details, eventTexts[kind]);
    else if (isNews(JSON.stringify(event))) logger.warn(details, eventTexts[kind]);
  };
}
