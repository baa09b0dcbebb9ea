/**
 * A cluster under a seeded storm: messages are lost, doubled and reordered, links are cut, nodes crash and forget what
 * was not written. Everything follows from the seed. Then the storm ends and the cluster has to agree.
 */

import type { Message, NodeId } from "../../raft/types.js";
import { Invariants } from "./invariants.js";
import { brief } from "./messages.js";
import { TestNode, randomOf } from "./node.js";

interface Rates {
  readonly drop: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly crash: number;
  readonly partition: number;
}

const queueMax = 80;

export class Simulation {
  readonly nodes: TestNode[] = [];
  readonly #invariants: Invariants;
  readonly #random: () => number;
  readonly #rates: Rates;
  readonly #down = new Set<NodeId>();
  /** State of each node's applied records on disk: where it resumes after a crash. */
  readonly #flushed = new Map<NodeId, number>();
  /** Committed anywhere when the read was asked, by `node:context`. */
  readonly #asked = new Map<string, number>();
  readonly #contexts = new Map<NodeId, number>();
  #queue: Message[] = [];
  #cutOff = new Set<NodeId>();
  #proposals = 0;
  #hash = 0;
  answeredReads = 0;
  readonly leaders = new Set<string>();

  constructor(seed: number) {
    const random = randomOf(seed);
    this.#random = random;
    const one = (share: number, most: number): number => (random() < share ? random() * most : 0);
    this.#rates = {
      drop: one(0.6, 0.3),
      duplicate: one(0.6, 0.3),
      reorder: one(0.6, 1),
      crash: one(0.7, 0.01),
      partition: one(0.6, 0.01),
    };
    const voters = Array.from({ length: 3 + Math.floor(random() * 3) }, (_, at) => `n${at + 1}`);
    const shared = {
      voters,
      random,
      preVote: random() < 0.7,
      checkQuorum: random() < 0.7,
      heartbeatTicks: 2 + Math.floor(random() * 3),
      inflightMax: 1 + Math.floor(random() * 4),
      appendBytesMax: 4 + Math.floor(random() * 60),
      uncommittedBytesMax: 200,
    };
    for (const id of voters) this.nodes.push(new TestNode({ ...shared, id }));
    this.#invariants = new Invariants(this.nodes);
  }

  get committed(): number {
    return this.#invariants.committed.length - 1;
  }

  /** Equal for equal runs. */
  get trace(): number {
    return this.#hash;
  }

  storm(steps: number): void {
    for (let at = 0; at < steps; at += 1) {
      this.#step();
      this.#disturb();
    }
  }

  /** After the storm: one leader, equal logs, and a new proposal applied everywhere. */
  calm(): void {
    for (const id of [...this.#down]) this.#restart(this.#node(id));
    this.#cutOff.clear();
    let proposed = { term: 0, index: Infinity };
    for (let round = 0; round < 400; round += 1) {
      for (const node of this.nodes) {
        node.raft.tick();
        this.#after(node);
      }
      this.#flow();
      const leader = this.#soleLeader();
      if (leader === undefined) continue;
      if (proposed.term !== leader.raft.term) {
        const outcome = leader.raft.propose([this.#data()]);
        this.#after(leader);
        if (outcome.ok) proposed = { term: outcome.term, index: outcome.firstIndex };
      }
      const done = this.nodes.every((node) => node.appliedIndex >= proposed.index);
      if (done && this.nodes.every((node) => node.raft.commitIndex === leader.raft.commitIndex)) return;
    }
    const roles = this.nodes.map((node) => JSON.stringify(node.raft.status()));
    throw new Error(`no agreement after the storm:\n${roles.join("\n")}`);
  }

  #step(): void {
    const node = this.#anyNode();
    const dice = this.#random();
    if (dice < 0.15) {
      this.#live(node, () => node.raft.tick());
    } else if (dice < 0.5) {
      for (let more = this.#random() * 4; more > 0; more -= 1) this.#deliver();
    } else if (dice < 0.71) {
      this.#live(node, () => this.#take(node));
    } else if (dice < 0.93) {
      this.#live(node, () => this.#persist(node));
    } else if (dice < 0.97) {
      this.#live(node, () => node.raft.propose([this.#data(), this.#data()], node.raft.term));
    } else {
      this.#live(node, () => this.#read(node));
    }
  }

  #disturb(): void {
    const dice = this.#random();
    const node = this.#anyNode();
    if (this.#down.has(node.id)) {
      if (dice < 0.02) this.#restart(node);
    } else if (dice < this.#rates.crash) {
      // The write under way may or may not have reached the disk.
      if (node.writing !== undefined && this.#random() < 0.5) {
        this.#invariants.writes(node, node.writing.entries);
        node.write();
      }
      this.#down.add(node.id);
    }
    if (this.#random() < 0.005) this.#cutOff.clear();
    if (this.#random() < this.#rates.partition) {
      const leaders = this.#random() < 0.5;
      const away = this.nodes.filter(({ raft }) => (leaders ? raft.role === "leader" : this.#random() < 0.4));
      this.#cutOff = new Set(away.map((one) => one.id));
    }
    if (this.#random() < 0.01) this.#compact(this.#anyNode());
  }

  #live(node: TestNode, act: () => void): void {
    if (this.#down.has(node.id)) return;
    act();
    this.#after(node);
  }

  #after(node: TestNode): void {
    this.#invariants.stepped(node);
    if (node.raft.role === "leader") this.leaders.add(`${node.id} t${node.raft.term}`);
  }

  #take(node: TestNode): void {
    if (!node.raft.hasReady()) return;
    const ready = node.take();
    this.#invariants.taken(node, ready);
    this.#send(node, ready.messages);
    for (const { context, index } of ready.reads) {
      if (index === 0) continue;
      this.answeredReads += 1;
      const least = this.#asked.get(`${node.id}:${context}`) ?? Infinity;
      if (index < least) throw new Error(`a read at ${index} misses ${least}, committed before it was asked`);
    }
  }

  #persist(node: TestNode): void {
    if (node.writing === undefined) return;
    this.#invariants.writes(node, node.writing.entries);
    this.#send(node, node.persist());
  }

  #read(node: TestNode): void {
    const context = (this.#contexts.get(node.id) ?? 0) + 1;
    this.#contexts.set(node.id, context);
    this.#asked.set(`${node.id}:${context}`, this.committed);
    node.raft.readIndex(context);
  }

  #compact(node: TestNode): void {
    const flushed = this.#flushed.get(node.id) ?? 0;
    this.#flushed.set(node.id, Math.max(flushed, Math.floor(this.#random() * (node.appliedIndex + 1))));
    if (!this.#down.has(node.id)) node.disk.compact(Math.min(this.#flushed.get(node.id) ?? 0, this.#everywhere()));
  }

  /** On every disk up to here, for good. */
  #everywhere(): number {
    return Math.min(...this.nodes.map(({ raft, disk }) => Math.min(raft.commitIndex, disk.lastIndex())));
  }

  #restart(node: TestNode): void {
    this.#down.delete(node.id);
    node.restart({ appliedIndex: this.#flushed.get(node.id) ?? 0 });
    this.#invariants.started(node);
  }

  #send(node: TestNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.#invariants.left(node, message);
      this.#note(message);
      this.#queue.push(message);
    }
  }

  #deliver(): void {
    while (this.#queue.length > queueMax) this.#queue.splice(Math.floor(this.#random() * this.#queue.length), 1);
    const at = this.#random() < this.#rates.reorder ? Math.floor(this.#random() * this.#queue.length) : 0;
    const message = this.#queue[at];
    if (message === undefined) return;
    if (this.#random() >= this.#rates.duplicate) this.#queue.splice(at, 1);
    if (this.#random() < this.#rates.drop) return;
    if (this.#cutOff.has(message.from) !== this.#cutOff.has(message.to)) return;
    const node = this.#node(message.to);
    this.#live(node, () => node.raft.step(message));
  }

  /** Everything moves until it is quiet. */
  #flow(): void {
    for (let quiet = false; !quiet;) {
      quiet = true;
      for (const node of this.nodes) {
        while (node.writing !== undefined || node.raft.hasReady()) {
          if (node.writing === undefined) this.#take(node);
          this.#persist(node);
          this.#after(node);
        }
      }
      const queue = this.#queue;
      this.#queue = [];
      for (const message of queue) {
        quiet = false;
        this.#node(message.to).raft.step(message);
        this.#after(this.#node(message.to));
      }
    }
  }

  #soleLeader(): TestNode | undefined {
    const leaders = this.nodes.filter((node) => node.raft.role === "leader");
    const sole = leaders.length === 1 ? leaders[0] : undefined;
    return this.nodes.every((node) => node.raft.leader === sole?.id) ? sole : undefined;
  }

  #data(): Uint8Array {
    this.#proposals += 1;
    return new TextEncoder().encode(String(this.#proposals));
  }

  #anyNode(): TestNode {
    return this.nodes[Math.floor(this.#random() * this.nodes.length)] as TestNode;
  }

  #node(id: NodeId): TestNode {
    return this.nodes.find((node) => node.id === id) as TestNode;
  }

  #note(message: Message): void {
    for (const char of brief(message)) this.#hash = (Math.imul(this.#hash, 31) + char.charCodeAt(0)) | 0;
  }
}
