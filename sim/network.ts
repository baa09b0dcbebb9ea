/**
 * The network: two connections (one per lane) from each node to each other, as cluster/peers.ts keeps them.
 *
 * A connection delivers in order and loses only what is under way when it breaks; the sender hears when it is up anew. For
 * Raft messages, which must survive anything, it is worse on demand: they are lost, repeated and overtake each other.
 */
import type { Frame } from "../cluster/types.js";
import { Circle } from "./circle.js";
import type { Message, NodeId } from "../raft/types.js";
import type { NetworkConfig } from "./config.js";
import { copyOf, laneOf, newLink, type Host, type Lane, type Link } from "./link.js";
import type { Loop } from "./loop.js";
import { drawAt, exponential, mix, streamSeed } from "./random.js";
import type { Schedule } from "./schedule.js";
import { pull } from "./stream.js";

const dialMs = { least: 2, mean: 100 };

export class Network {
  readonly #loop: Loop;
  readonly #config: NetworkConfig;
  readonly #schedule: Schedule;
  readonly #hosts: readonly Host[];
  readonly #byId: ReadonlyMap<NodeId, Host>;
  readonly #links: Link[] = [];
  readonly #circle = new Circle();
  /** Cuts that lie over each direction. */
  readonly #cuts: number[];
  readonly #seed: number;
  #isCalm = false;
  #pulled = 0;
  readonly #breaksStream: (by: Host) => boolean;
  readonly #refuses: (from: Host) => boolean;
  /** Called for every Raft message that leaves a node, delivered or not. */
  readonly #onSent: (from: Host, message: Message) => void;
  readonly #onConnected: (from: Host, to: Host) => void;
  readonly #onDelivered: (from: Host, to: Host, frame: Frame) => void;

  constructor(options: {
    readonly loop: Loop;
    readonly config: NetworkConfig;
    readonly seed: number;
    readonly schedule: Schedule;
    readonly hosts: readonly Host[];
    /** A stream that this node pulls breaks off now. */
    readonly breaksStream: (by: Host) => boolean;
    /** An attempt of this node to connect is refused although the other process lives. */
    readonly refuses: (from: Host) => boolean;
    readonly onSent: (from: Host, message: Message) => void;
    readonly onConnected: (from: Host, to: Host) => void;
    readonly onDelivered: (from: Host, to: Host, frame: Frame) => void;
  }) {
    const { hosts } = options;
    this.#loop = options.loop;
    this.#config = options.config;
    this.#schedule = options.schedule;
    this.#seed = streamSeed(options.seed, "network");
    this.#hosts = hosts;
    this.#byId = new Map(hosts.map((host) => [host.id, host]));
    this.#breaksStream = options.breaksStream;
    this.#refuses = options.refuses;
    this.#onSent = options.onSent;
    this.#onConnected = options.onConnected;
    this.#onDelivered = options.onDelivered;
    this.#cuts = hosts.flatMap(() => hosts.map(() => 0));
    for (const from of hosts) {
      for (const to of hosts) {
        for (const lane of ["control", "bulk"] as const) this.#links.push(newLink(this.#links.length, from, to, lane));
      }
    }
  }

  /** From a live process of `from`. */
  send(from: Host, toId: NodeId, frame: Frame): void {
    if (frame.kind === "raft") this.#onSent(from, frame.message);
    const to = this.#byId.get(toId);
    if (to === undefined || to === from) return;
    const link = this.#link(from, to, laneOf(frame));
    if (!link.up) return;
    const copy = copyOf(frame);
    link.sent += 1;
    const { sent } = link;
    const seed = mix(this.#seed, link.number);
    if (frame.kind === "raft" && !this.#isCalm) {
      const isFull = link.underWay >= this.#config.capacity;
      if (this.#schedule.drops(link.number, sent, () => isFull || drawAt(seed, 4 * sent) < this.#config.loss)) return;
      const again = this.#schedule.replays(link.number, sent, () =>
        drawAt(seed, 4 * sent + 1) < this.#config.replay
          ? exponential(20 * this.#config.latencyMeanMs, drawAt(seed, 4 * sent + 2))
          : undefined,
      );
      if (again !== undefined) this.#carry(link, copy, { delayMs: again, ordered: false });
    }
    const delayMs = this.#latencyMs(drawAt(seed, 4 * sent + 3));
    this.#carry(link, copy, { delayMs, ordered: frame.kind !== "raft" || !this.#config.reorder });
  }

  /** The process of `host` keeps connections to `members` from now on, and no longer lets in `removed`. */
  setMembers(host: Host, members: readonly NodeId[], removed: readonly NodeId[]): void {
    this.#circle.set(host, members, removed);
    for (const link of this.#links) {
      if (link.from === host && this.#circle.wants(host, link.to)) this.#dial(link);
      else if (link.from === host || (link.to === host && removed.includes(link.from.id))) this.#break(link);
    }
  }

  /** The stream at `path` of another node. */
  pull(by: Host, fromId: NodeId, path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const seed = streamSeed(this.#seed, "streams");
    const network = {
      loop: this.#loop,
      latencyMs: () => this.#latencyMs(drawAt(seed, ++this.#pulled)),
      isCut: (a: Host, b: Host) => this.#isBlocked(a, b) || this.#isBlocked(b, a),
      breaks: () => this.#breaksStream(by),
    };
    return pull(network, { by, from: this.#byId.get(fromId) ?? by, path, signal });
  }

  isUp(from: Host, toId: NodeId): boolean {
    const to = this.#byId.get(toId);
    return to !== undefined && this.#link(from, to, "control").up;
  }

  /** The process of `host` begins: it dials the others, and they notice it. */
  started(host: Host): void {
    for (const link of this.#links) if (link.from === host || link.to === host) this.#dial(link);
  }

  /** The process of `host` is gone. `polite`: what it had sent arrives, and the others learn of it at once. */
  stopped(host: Host, polite: boolean): void {
    this.#circle.forget(host);
    for (const link of this.#links) {
      if (link.from === host) {
        link.up = false;
        if (!polite) link.generation += 1;
        this.#circle.gone(link.to, host);
      } else if (link.to === host && link.up) {
        const { generation } = link;
        const noticeMs = polite ? this.#config.latencyMinMs : this.#config.silentMs;
        this.#loop.after(noticeMs, () => link.generation === generation && this.#break(link));
      }
    }
  }

  cut(fromId: NodeId, toId: NodeId): void {
    this.#shift(fromId, toId, 1);
    // Without answers the connections of the other direction are given up as well.
    for (const link of this.#between(fromId, toId)) {
      const { generation } = link;
      this.#loop.after(this.#config.silentMs, () => {
        if (link.generation === generation && link.up && this.#isCut(link)) this.#break(link);
      });
    }
  }

  heal(fromId: NodeId, toId: NodeId): void {
    this.#shift(fromId, toId, -1);
    for (const link of this.#between(fromId, toId)) {
      if (this.#isBlocked(link.from, link.to)) continue;
      for (const { frame, generation } of link.held.splice(0)) {
        if (generation === link.generation)
          this.#carry(link, frame, { delayMs: this.#config.latencyMinMs, ordered: true });
      }
      this.#dial(link);
    }
  }

  clog(fromId: NodeId, toId: NodeId, untilMs: number): void {
    for (const link of this.#links) {
      if (link.from.id === fromId && link.to.id === toId) link.cloggedUntilMs = Math.max(link.cloggedUntilMs, untilMs);
    }
  }

  /** Nothing is lost, repeated or held up any more. */
  calm(): void {
    this.#isCalm = true;
    for (const link of this.#links) link.cloggedUntilMs = 0;
  }

  reset(fromId: NodeId, toId: NodeId): void {
    for (const link of this.#links) if (link.from.id === fromId && link.to.id === toId) this.#break(link);
  }

  #carry(link: Link, frame: Frame, { delayMs, ordered }: { delayMs: number; ordered: boolean }): void {
    const { generation } = link;
    let atMs = Math.max(this.#loop.nowMs + delayMs, link.cloggedUntilMs);
    if (ordered) {
      atMs = Math.max(atMs, link.lastAtMs);
      link.lastAtMs = atMs;
    }
    link.underWay += 1;
    this.#loop.after(atMs - this.#loop.nowMs, () => {
      link.underWay -= 1;
      if (generation === link.generation) this.#arrive(link, frame);
    });
  }

  #arrive(link: Link, frame: Frame): void {
    const { from, to, toLife } = link;
    if (this.#isBlocked(from, to)) {
      if (frame.kind !== "raft" || this.#config.holdsCut) link.held.push({ frame, generation: link.generation });
      return;
    }
    if (toLife === undefined || to.life !== toLife) return;
    to.enter(toLife, () => {
      this.#onDelivered(from, to, frame);
      to.handler?.onFrame(from.id, frame);
    });
  }

  #dial(link: Link): void {
    if (link.dialing || link.from === link.to || !this.#circle.wants(link.from, link.to)) return;
    link.dialing = true;
    link.dials += 1;
    const draw = drawAt(mix(this.#seed, link.number + 1_000), link.dials);
    this.#loop.after(dialMs.least + exponential(dialMs.mean, draw), () => {
      link.dialing = false;
      this.#open(link);
    });
  }

  #open(link: Link): void {
    const { from, to } = link;
    if (from.life === undefined || (link.up && link.toLife === to.life)) return;
    // Tried again when it heals.
    if (this.#isCut(link) || !this.#circle.wants(from, to)) return;
    if (to.life === undefined || this.#refuses(from)) {
      from.enter(from.life, () => from.handler?.onStopped(to.id));
      if (to.life !== undefined) this.#dial(link);
      return;
    }
    const ban = this.#circle.bans(to, from);
    if (ban !== undefined) return from.enter(from.life, () => from.handler?.onBanned(to.id, ban));
    if (!this.#circle.recognises(from, to)) return;
    this.#onConnected(from, to);
    link.up = true;
    link.generation += 1;
    link.toLife = to.life;
    link.held = [];
    this.#circle.called(to, from);
    for (const back of this.#links) if (back.from === to && back.to === from && !back.up) this.#dial(back);
    from.enter(from.life, () => from.handler?.onLink(to.id));
  }

  #break(link: Link): void {
    if (!link.up) return;
    link.up = false;
    link.generation += 1;
    link.held = [];
    if (link.lane === "control") this.#circle.gone(link.to, link.from);
    this.#dial(link);
  }

  #latencyMs(draw: number): number {
    return this.#config.latencyMinMs + exponential(this.#config.latencyMeanMs, draw);
  }

  #shift(fromId: NodeId, toId: NodeId, by: number): void {
    const from = this.#byId.get(fromId);
    const to = this.#byId.get(toId);
    if (from === undefined || to === undefined) return;
    const at = from.number * this.#hosts.length + to.number;
    this.#cuts[at] = (this.#cuts[at] ?? 0) + by;
  }

  #isBlocked(from: Host, to: Host): boolean {
    return this.#cuts[from.number * this.#hosts.length + to.number] !== 0;
  }

  #isCut({ from, to }: Link): boolean {
    return this.#isBlocked(from, to) || this.#isBlocked(to, from);
  }

  #between(a: NodeId, b: NodeId): Link[] {
    return this.#links.filter(({ from, to }) => (from.id === a && to.id === b) || (from.id === b && to.id === a));
  }

  #link(from: Host, to: Host, lane: Lane): Link {
    return this.#links[2 * (from.number * this.#hosts.length + to.number) + (lane === "bulk" ? 1 : 0)] as Link;
  }
}
