/**
 * A cluster in one array: messages wait in a queue, links can be cut, everything else is delivered in order until it is
 * quiet. Every step is watched by {@link Invariants}.
 */

import { noConfiguration } from "../../raft/configuration.js";
import type { MemberChange, MemberChanged, Message, NodeId } from "../../raft/types.js";
import { Invariants } from "./invariants.js";
import { brief } from "./messages.js";
import { TestNode, type NodeSetup } from "./node.js";
import { snapshotOf } from "./snapshots.js";

export class Network {
  readonly nodes = new Map<NodeId, TestNode>();
  readonly invariants: Invariants;
  readonly queue: Message[] = [];
  /** Everything that was delivered since the last look. */
  delivered: Message[] = [];
  /** Followers for which a snapshot was asked, as `from>to`. */
  readonly asked: string[] = [];
  /** A message that it refuses is lost. */
  allow: (message: Message) => boolean = () => true;
  readonly #list: TestNode[];
  readonly #cuts = new Set<string>();

  /** A number of equal nodes `n1…`, or one set-up per node. */
  constructor(size: number | readonly NodeSetup[], shared: NodeSetup = {}) {
    const setups = typeof size === "number" ? Array.from({ length: size }, () => ({})) : size;
    const voters = setups.map((_, at) => `n${at + 1}`);
    setups.forEach((setup, at) => {
      const id = `n${at + 1}`;
      this.nodes.set(id, new TestNode({ ...shared, ...setup, id, voters }));
    });
    this.#list = [...this.nodes.values()];
    this.invariants = new Invariants(this.#list);
  }

  /** A node that nobody has told anything yet. */
  join(id: NodeId, setup: NodeSetup = {}): TestNode {
    const node = new TestNode({ ...setup, id, configuration: noConfiguration });
    this.nodes.set(id, node);
    this.#list.push(node);
    this.invariants.started(node);
    return node;
  }

  /** Changes the members, and everything that follows from it. */
  change(id: NodeId, change: MemberChange): MemberChanged {
    const changed = this.node(id).raft.changeMembers(change);
    this.settle();
    return changed;
  }

  /** A learner that joins, catches up and is made a voter. */
  enlist(leader: NodeId, id: NodeId): TestNode {
    const node = this.join(id);
    this.change(leader, { kind: "add", member: { id, peer: "", api: "" } });
    this.tick(leader, 2);
    const promoted = this.change(leader, { kind: "promote", id });
    if (!promoted.ok) throw new Error(`${id} was not promoted: ${promoted.reason}`);
    return node;
  }

  /** What `from` has applied arrives at `to`, whole. */
  carrySnapshot(from: NodeId, to: NodeId): void {
    this.node(to).raft.step(snapshotOf(this.node(from), to));
    this.settle();
  }

  node(id: NodeId): TestNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** Both directions. */
  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  isolate(...ids: readonly NodeId[]): void {
    for (const id of ids) for (const other of this.nodes.keys()) if (other !== id) this.cut(id, other);
  }

  heal(): void {
    this.#cuts.clear();
    this.allow = () => true;
  }

  /** Runs every node's turns; what leaves joins the queue. */
  pump(): void {
    for (const node of this.nodes.values()) {
      this.invariants.stepped(node);
      while (node.raft.hasReady()) this.#turn(node);
    }
  }

  /** Delivers everything, and what follows from it, until nothing moves. */
  settle(): void {
    this.pump();
    for (let message = this.queue.shift(); message !== undefined; message = this.queue.shift()) {
      this.deliver(message);
    }
  }

  deliver(message: Message): void {
    this.delivered.push(message);
    this.node(message.to).raft.step(message);
    this.pump();
  }

  campaign(id: NodeId): void {
    this.node(id).raft.campaign();
    this.settle();
  }

  propose(id: NodeId, ...data: readonly string[]): void {
    this.node(id).raft.propose(data.map((one) => new TextEncoder().encode(one)));
    this.settle();
  }

  tick(id: NodeId, times = 1): void {
    for (let at = 0; at < times; at += 1) {
      this.node(id).raft.tick();
      this.settle();
    }
  }

  tickAll(times = 1): void {
    for (let at = 0; at < times; at += 1) for (const id of this.nodes.keys()) this.tick(id);
  }

  restart(id: NodeId): void {
    const node = this.node(id);
    node.restart({ appliedIndex: 0 });
    this.invariants.started(node);
  }

  /** `n1 leader t1`, one line per node, for comparison. */
  roles(): string[] {
    return [...this.nodes.values()].map(({ id, raft }) => `${id} ${raft.role} t${raft.term}`);
  }

  /** Terms of the log of every node. */
  logs(): number[][] {
    return [...this.nodes.values()].map((node) => node.terms);
  }

  commits(): number[] {
    return [...this.nodes.values()].map((node) => node.raft.commitIndex);
  }

  leaders(): NodeId[] {
    return [...this.nodes.values()].filter((node) => node.raft.role === "leader").map((node) => node.id);
  }

  /** The messages delivered since the last call, in short. */
  transcript(): string[] {
    const lines = this.delivered.map(brief);
    this.delivered = [];
    return lines;
  }

  #turn(node: TestNode): void {
    const ready = node.take();
    this.invariants.taken(node, ready);
    for (const to of ready.snapshotsTo) this.asked.push(`${node.id}>${to}`);
    this.#send(node, ready.messages);
    this.invariants.writes(node, ready.entries);
    this.#send(node, node.persist());
    if (ready.install !== undefined) this.invariants.started(node);
    this.invariants.stepped(node);
  }

  #send(node: TestNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.invariants.left(node, message);
      if (!this.nodes.has(message.to)) continue;
      if (this.#cuts.has(`${message.from}>${message.to}`) || !this.allow(message)) continue;
      this.queue.push(message);
    }
  }
}
