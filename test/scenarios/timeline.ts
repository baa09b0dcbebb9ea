/**
 * A cluster in time: every tick passes at all nodes that run, and messages arrive within the tick they were sent in,
 * unless their link is cut or clogged. A write takes a round of its own, so that a node can die in the middle of one.
 * Every step is watched by the invariants of test/raft.
 */
import type { Entry, Message, NodeId, Term } from "../../raft/types.js";
import { Invariants } from "../raft/invariants.js";
import { TestNode, randomOf, type NodeSetup } from "../raft/node.js";

/** Election timeout of all scenarios, in ticks; the longest one is twice that. */
export const T = 10;

/** Of one tick, until nothing moves. */
const roundsMax = 1000;

export interface Reign {
  readonly leader: NodeId;
  readonly term: Term;
  readonly fromTick: number;
}

export class Timeline {
  readonly ids: readonly NodeId[];
  readonly random: () => number;
  /** Every leader there was, in order of election. */
  readonly reigns: Reign[] = [];
  /** What a client was told is done, in that order; unique texts. */
  readonly acknowledged: string[] = [];
  now = 0;
  /** Called for every entry that a node applies, in log order. */
  onApplied: (id: NodeId, entry: Entry) => void = () => undefined;
  readonly #nodes = new Map<NodeId, TestNode>();
  readonly #invariants: Invariants;
  readonly #down = new Set<NodeId>();
  /** Of `from>to`. */
  readonly #cut = new Set<string>();
  readonly #clogged = new Map<string, Message[]>();
  /** Proposed and not yet answered, by node, term and index. */
  readonly #open = new Map<string, () => void>();
  #arriving: Message[] = [];
  #proposed = 0;

  constructor(size: number, { seed = 1, ...setup }: NodeSetup & { readonly seed?: number } = {}) {
    this.random = randomOf(seed);
    this.ids = Array.from({ length: size }, (_, at) => `n${at + 1}`);
    const usual = { voters: this.ids, electionTicks: T, preVote: true, checkQuorum: true, random: this.random };
    for (const id of this.ids) this.#nodes.set(id, new TestNode({ ...usual, ...setup, id }));
    this.#invariants = new Invariants([...this.#nodes.values()]);
  }

  node(id: NodeId): TestNode {
    return this.#nodes.get(id) as TestNode;
  }

  /** Nodes that run and believe that they lead. */
  get leaders(): readonly NodeId[] {
    return this.#running().flatMap(({ id, raft }) => (raft.role === "leader" ? [id] : []));
  }

  /** @throws Error unless `id` is elected at once */
  elect(id: NodeId): void {
    this.node(id).raft.campaign();
    this.settle();
    if (this.node(id).raft.role !== "leader") throw new Error(`${id} was not elected`);
  }

  /** @param each after every tick */
  run(ticks: number, each: () => void = () => undefined): void {
    for (let left = ticks; left > 0; left -= 1) {
      this.now += 1;
      for (const { raft } of this.#running()) raft.tick();
      this.settle();
      each();
    }
  }

  settle(): void {
    for (let rounds = 0; this.round(); rounds += 1)
      if (rounds > roundsMax) throw new Error("the cluster does not settle");
  }

  /** Everybody writes what was begun, begins the next, and hears what was sent before. @returns whether anything moved */
  round(): boolean {
    let moved = false;
    for (const node of this.#running()) {
      if (node.writing === undefined) continue;
      moved = true;
      this.#invariants.writes(node, node.writing.entries);
      this.#send(node, node.persist());
      this.#watch(node);
    }
    for (const node of this.#running()) {
      if (!node.raft.hasReady()) continue;
      moved = true;
      const ready = node.take();
      this.#invariants.taken(node, ready);
      this.#send(node, ready.messages);
      for (const entry of ready.committed) this.#apply(node.id, entry);
    }
    for (const message of this.#arriving.splice(0)) {
      moved = true;
      if (!this.#down.has(message.to)) this.node(message.to).raft.step(message);
      this.#watch(this.node(message.to));
    }
    return moved;
  }

  /** @param done called when the node that took it applies it: what its client is told; not if it dies before */
  submit(id: NodeId, data: Uint8Array, done: () => void): boolean {
    const outcome = this.node(id).raft.propose([data]);
    if (outcome.ok) this.#open.set(`${id} ${outcome.term} ${outcome.firstIndex}`, done);
    return outcome.ok;
  }

  /** A client asks every node; those that believe they lead take it. @returns how many did */
  propose(): number {
    return this.leaders.filter((id) => {
      this.#proposed += 1;
      const text = String(this.#proposed);
      return this.submit(id, new TextEncoder().encode(text), () => this.acknowledged.push(text));
    }).length;
  }

  /** One way. */
  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Everybody speaks to those beside it in `links`, and to nobody else. */
  link(links: readonly (readonly [NodeId, NodeId])[]): void {
    const open = new Set(links.flatMap(([a, b]) => [`${a}>${b}`, `${b}>${a}`]));
    for (const from of this.ids) {
      for (const to of this.ids) if (from !== to && !open.has(`${from}>${to}`)) this.cut(from, to);
    }
  }

  join(from: NodeId, to: NodeId): void {
    this.#cut.delete(`${from}>${to}`);
  }

  /** What is sent from now on waits on the way. */
  clog(from: NodeId, to: NodeId): void {
    const link = `${from}>${to}`;
    if (!this.#clogged.has(link)) this.#clogged.set(link, []);
  }

  unclog(from: NodeId, to: NodeId): void {
    this.#arriving.push(...(this.#clogged.get(`${from}>${to}`) ?? []));
    this.#clogged.delete(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
    for (const link of [...this.#clogged.keys()]) {
      const [from = "", to = ""] = link.split(">");
      this.unclog(from, to);
    }
  }

  /** With a write under way, that may have reached the disk or not; what was sent is still on its way. */
  kill(...ids: readonly NodeId[]): void {
    for (const id of ids) {
      const node = this.node(id);
      this.#down.add(id);
      for (const key of this.#open.keys()) if (key.startsWith(`${id} `)) this.#open.delete(key);
      if (node.writing === undefined || this.random() < 0.5) continue;
      this.#invariants.writes(node, node.writing.entries);
      node.write();
    }
  }

  start(id: NodeId): void {
    const node = this.node(id);
    node.restart();
    this.#invariants.started(node);
    this.#down.delete(id);
  }

  /** What this node has of all that was committed, without the entries that open terms. */
  committed(id: NodeId): readonly string[] {
    const { disk, raft } = this.node(id);
    const entries = disk.entries(disk.firstIndex(), raft.commitIndex + 1, Infinity);
    return entries.map(({ data }) => new TextDecoder().decode(data)).filter((text) => text !== "");
  }

  /**
   * What has to hold within 4T once nothing is disturbed any more: one leader whom all that run follow, a new value
   * decided, equal logs, and in them all that was ever acknowledged.
   *
   * @throws Error saying what does not hold
   */
  recover(): void {
    this.heal();
    this.run(4 * T);
    const acknowledged = this.acknowledged.length;
    if (this.propose() !== 1) throw new Error(`leaders after 4T of quiet: ${this.leaders.join() || "none"}`);
    this.run(2);
    if (this.acknowledged.length !== acknowledged + 1) throw new Error("a new value was not decided");
    const [leader] = this.leaders;
    const running = this.#running();
    const strays = running.filter(({ raft }) => raft.leader !== leader);
    if (strays.length > 0) throw new Error(`${strays.map(({ id }) => id).join()} do not follow ${leader}`);
    for (const { id } of running) {
      const held = new Set(this.committed(id));
      if ([...held].join() !== this.committed(leader as NodeId).join()) throw new Error(`the log of ${id} differs`);
      const lost = this.acknowledged.filter((text) => !held.has(text));
      if (lost.length > 0) throw new Error(`${id} lost ${lost.join()}`);
    }
  }

  #running(): readonly TestNode[] {
    return [...this.#nodes.values()].filter(({ id }) => !this.#down.has(id));
  }

  #watch(node: TestNode): void {
    this.#invariants.stepped(node);
    const { role, term } = node.raft;
    if (role !== "leader" || this.reigns.some((reign) => reign.term === term)) return;
    this.reigns.push({ leader: node.id, term, fromTick: this.now });
  }

  #send(node: TestNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.#invariants.left(node, message);
      const link = `${message.from}>${message.to}`;
      if (this.#cut.has(link)) continue;
      (this.#clogged.get(link) ?? this.#arriving).push(message);
    }
  }

  #apply(id: NodeId, entry: Entry): void {
    this.onApplied(id, entry);
    const key = `${id} ${entry.term} ${entry.index}`;
    this.#open.get(key)?.();
    this.#open.delete(key);
  }
}
