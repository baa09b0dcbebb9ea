/**
 * A cluster under a seeded storm: messages are lost, doubled and reordered, links are cut, nodes crash and forget what was
 * not written, members come and go, leadership is handed over, logs are cut and snapshots installed. Everything follows
 * from the seed. Then the storm ends and the cluster has to agree.
 */

import type { NodeId } from "../../raft/types.js";
import { votersOf } from "../../raft/configuration.js";
import { configurationOf } from "./messages.js";
import { randomOf, type TestNode } from "./node.js";
import { StormCluster } from "./storm-cluster.js";

interface Rates {
  readonly drop: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly crash: number;
  readonly partition: number;
  readonly compact: number;
  readonly change: number;
  readonly transfer: number;
  /** Of losing the applied records at a crash. */
  readonly lose: number;
}

const queueMax = 80;
const membersMax = 6;
const idsMax = 12;

export class Simulation {
  readonly cluster: StormCluster;
  readonly #random: () => number;
  readonly #rates: Rates;
  #cutOff = new Set<NodeId>();
  #proposals = 0;

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
      compact: one(0.7, 0.03),
      change: one(0.7, 0.05),
      transfer: one(0.5, 0.01),
      lose: one(0.4, 0.5),
    };
    const ids = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, at) => `n${at + 1}`);
    const learners = ids.length > 2 && random() < 0.5 ? 2 : 0;
    this.cluster = new StormCluster(ids, {
      random,
      configuration: configurationOf(ids.slice(learners), ids.slice(0, learners)),
      preVote: random() < 0.7,
      checkQuorum: random() < 0.7,
      heartbeatTicks: 2 + Math.floor(random() * 3),
      inflightMax: 1 + Math.floor(random() * 4),
      appendBytesMax: 4 + Math.floor(random() * 60),
      uncommittedBytesMax: 200,
    });
  }

  storm(steps: number): void {
    for (let at = 0; at < steps; at += 1) {
      this.#step();
      this.#disturb();
    }
  }

  /** After the storm: one leader, equal logs, and a new proposal applied by every member. */
  calm(): void {
    const { cluster } = this;
    const { nodes, transfers } = cluster;
    for (const node of cluster.down) cluster.restart(node);
    let proposed = { term: 0, index: Infinity };
    for (let round = 0; round < 400; round += 1) {
      for (const node of nodes) cluster.live(node, () => node.raft.tick());
      cluster.flow();
      for (const one of transfers.all) cluster.arrive(one, { whole: true, again: false });
      const leader = this.#latestLeader();
      if (leader === undefined || leader.needsSnapshot) continue;
      for (const node of nodes) if (node.needsSnapshot) cluster.sendSnapshot(leader, node.id);
      if (proposed.term !== leader.raft.term) {
        const outcome = leader.raft.propose([this.#data()]);
        if (outcome.ok) proposed = { term: outcome.term, index: outcome.firstIndex };
      }
      const { commitIndex } = leader.raft;
      const done = leader.raft.configuration.members.every(({ id }) => {
        const { raft, appliedIndex } = cluster.node(id);
        return appliedIndex >= proposed.index && raft.commitIndex === commitIndex && raft.leader === leader.id;
      });
      if (done) return;
    }
    const roles = nodes.map((node) => JSON.stringify(node.raft.status()));
    throw new Error(`no agreement after the storm:\n${roles.join("\n")}`);
  }

  #step(): void {
    const { cluster } = this;
    const node = this.#anyNode();
    const dice = this.#random();
    if (dice < 0.15) {
      cluster.live(node, () => node.raft.tick());
    } else if (dice < 0.5) {
      for (let more = this.#random() * 4; more > 0; more -= 1) this.#deliver();
    } else if (dice < 0.71) {
      cluster.live(node, () => cluster.take(node));
    } else if (dice < 0.93) {
      cluster.live(node, () => cluster.persist(node));
    } else if (dice < 0.97) {
      cluster.live(node, () => node.raft.propose([this.#data(), this.#data()], node.raft.term));
    } else {
      cluster.live(node, () => cluster.read(node));
    }
  }

  #disturb(): void {
    const { cluster } = this;
    const { crash, partition, compact, change, transfer } = this.#rates;
    const chance = (rate: number): boolean => this.#random() < rate;
    const node = this.#anyNode();
    if (cluster.isDown(node)) {
      if (chance(0.02)) cluster.restart(node);
    } else if (chance(crash)) {
      cluster.crash(node, { written: chance(0.5), lost: chance(this.#rates.lose) && this.#mayLose(node) });
    }
    if (chance(0.005)) this.#cutOff.clear();
    if (chance(partition)) this.#partition();
    if (chance(0.01)) cluster.flush(this.#anyNode());
    if (chance(compact)) cluster.compact(this.#anyNode(), chance(0.5) ? 0 : 5);
    if (chance(0.02)) this.#endTransfer();
    if (chance(change)) this.#leading((leader) => this.#change(leader));
    if (chance(transfer)) {
      this.#leading((leader) => {
        if (leader.raft.transferTo(this.#anyNode().id).ok) cluster.counts.handOvers += 1;
      });
    }
    if (chance(0.02)) this.#leading((leader) => this.#repair(leader));
  }

  /** One at a time, and with others to learn from. */
  #mayLose({ raft }: TestNode): boolean {
    return votersOf(raft.configuration).length > 2 && !this.cluster.nodes.some((one) => one.needsSnapshot);
  }

  #partition(): void {
    const leaders = this.#random() < 0.5;
    const away = this.cluster.nodes.filter(({ raft }) => (leaders ? raft.role === "leader" : this.#random() < 0.4));
    this.#cutOff = new Set(away.map((one) => one.id));
  }

  #leading(act: (leader: TestNode) => void): void {
    const { nodes } = this.cluster;
    const leaders = nodes.filter((node) => node.raft.role === "leader" && !this.cluster.isDown(node));
    const leader = leaders[Math.floor(this.#random() * leaders.length)];
    if (leader !== undefined) this.cluster.live(leader, () => act(leader));
  }

  #change({ raft }: TestNode): void {
    const { nodes, counts } = this.cluster;
    const { members } = raft.configuration;
    const some = members[Math.floor(this.#random() * members.length)]?.id ?? "";
    const dice = this.#random();
    if (dice < 0.4 && members.length < membersMax && nodes.length < idsMax) {
      const id = `n${nodes.length + 1}`;
      const added = raft.changeMembers({ kind: "add", member: { id, peer: "", api: "" } }, raft.term);
      if (added.ok) this.cluster.join(id);
    } else if (dice < 0.7) {
      raft.changeMembers({ kind: "promote", id: members.find(({ voter }) => !voter)?.id ?? some }, raft.term);
    } else if (nodes.some((one) => one.needsSnapshot)) {
      // Whoever has the records may not leave while another one needs them.
    } else if (raft.changeMembers({ kind: "remove", id: some }, raft.term).ok) {
      counts.changes += 1;
    }
  }

  /** A host that lost its applied records asks the leader for them. */
  #repair(leader: TestNode): void {
    const node = this.cluster.nodes.find((one) => one.needsSnapshot && !this.cluster.isDown(one));
    if (node !== undefined) this.cluster.sendSnapshot(leader, node.id);
  }

  #endTransfer(): void {
    const { all } = this.cluster.transfers;
    const one = all[Math.floor(this.#random() * all.length)];
    if (one === undefined || this.#cutOff.has(one.from) !== this.#cutOff.has(one.to)) return;
    const whole = this.#random() < 0.7;
    this.cluster.arrive(one, { whole, again: whole && this.#random() < 0.2 });
  }

  #deliver(): void {
    const { cluster } = this;
    const { queue } = cluster;
    while (queue.length > queueMax) queue.splice(Math.floor(this.#random() * queue.length), 1);
    const at = this.#random() < this.#rates.reorder ? Math.floor(this.#random() * queue.length) : 0;
    const message = queue[at];
    if (message === undefined) return;
    if (this.#random() >= this.#rates.duplicate) queue.splice(at, 1);
    if (this.#random() < this.#rates.drop) return;
    if (this.#cutOff.has(message.from) !== this.#cutOff.has(message.to)) return;
    const node = cluster.node(message.to);
    cluster.live(node, () => node.raft.step(message));
  }

  /** Others may be left over among removed nodes. */
  #latestLeader(): TestNode | undefined {
    const leaders = this.cluster.nodes.filter(({ raft }) => raft.role === "leader");
    return leaders.sort((a, b) => b.raft.term - a.raft.term)[0];
  }

  #data(): Uint8Array {
    this.#proposals += 1;
    return new TextEncoder().encode(String(this.#proposals));
  }

  #anyNode(): TestNode {
    const { nodes } = this.cluster;
    return nodes[Math.floor(this.#random() * nodes.length)] as TestNode;
  }
}
