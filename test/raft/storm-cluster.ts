/**
 * The machines of a storm: nodes that are up or down, their disks, the messages and snapshots under way. Every step is
 * watched by {@link Invariants}. What happens when is decided elsewhere.
 */

import type { InstallSnapshot, Message, NodeId } from "../../raft/types.js";
import { noConfiguration } from "../../raft/configuration.js";
import { Invariants } from "./invariants.js";
import { brief } from "./messages.js";
import { TestNode, type Applied, type NodeSetup } from "./node.js";
import { SnapshotTransfers } from "./snapshots.js";

export class StormCluster {
  readonly nodes: TestNode[];
  readonly transfers = new SnapshotTransfers();
  readonly counts = { reads: 0, changes: 0, installs: 0, repairs: 0, handOvers: 0 };
  readonly leaders = new Set<string>();
  queue: Message[] = [];
  /** Equal for equal runs. */
  trace = 0;
  readonly #shared: NodeSetup;
  readonly #invariants: Invariants;
  readonly #down = new Set<NodeId>();
  /** Each node's applied records as they are on disk: where it resumes after a crash. */
  readonly #flushed = new Map<NodeId, Required<Applied>>();
  /** Committed anywhere when the read was asked, by `node:context`. */
  readonly #asked = new Map<string, number>();
  readonly #contexts = new Map<NodeId, number>();

  constructor(ids: readonly NodeId[], shared: NodeSetup) {
    this.#shared = shared;
    this.nodes = ids.map((id) => new TestNode({ ...shared, id }));
    this.#invariants = new Invariants(this.nodes);
    for (const node of this.nodes) this.flush(node);
  }

  /** Last index that is committed anywhere. */
  get committed(): number {
    return this.#invariants.committed.length - 1;
  }

  get down(): readonly TestNode[] {
    return this.nodes.filter((node) => this.isDown(node));
  }

  isDown({ id }: TestNode): boolean {
    return this.#down.has(id);
  }

  node(id: NodeId): TestNode {
    return this.nodes.find((node) => node.id === id) as TestNode;
  }

  /** A machine with empty disks that nobody has told anything. */
  join(id: NodeId): void {
    const node = new TestNode({ ...this.#shared, id, configuration: noConfiguration });
    this.nodes.push(node);
    this.flush(node);
    this.#invariants.started(node);
  }

  /** Nothing happens on a node that is down. */
  live(node: TestNode, act: () => void): void {
    if (this.isDown(node)) return;
    act();
    this.#invariants.stepped(node);
    if (node.raft.role === "leader") this.leaders.add(`${node.id} t${node.raft.term}`);
  }

  take(node: TestNode): void {
    if (!node.raft.hasReady()) return;
    const ready = node.take();
    this.#invariants.taken(node, ready);
    this.#send(node, ready.messages);
    for (const to of ready.snapshotsTo) this.sendSnapshot(node, to);
    for (const { context, index } of ready.reads) {
      if (index === 0) continue;
      this.counts.reads += 1;
      const least = this.#asked.get(`${node.id}:${context}`) ?? Infinity;
      if (index < least) throw new Error(`a read at ${index} misses ${least}, committed before it was asked`);
    }
  }

  persist(node: TestNode): void {
    const ready = node.writing;
    if (ready === undefined) return;
    this.#invariants.writes(node, ready.entries);
    this.#send(node, node.persist());
    if (ready.install === undefined) return;
    this.counts.installs += 1;
    this.flush(node);
    this.transfers.stop(node.id);
    this.#invariants.started(node);
  }

  read(node: TestNode): void {
    const context = (this.#contexts.get(node.id) ?? 0) + 1;
    this.#contexts.set(node.id, context);
    this.#asked.set(`${node.id}:${context}`, this.committed);
    node.raft.readIndex(context);
  }

  flush(node: TestNode): void {
    if (this.isDown(node)) return;
    const { appliedIndex, configuration, needsSnapshot } = node;
    this.#flushed.set(node.id, { appliedIndex, configuration, needsSnapshot });
  }

  /** Cuts the log, all but `tail` entries of what is flushed. */
  compact(node: TestNode, tail: number): void {
    if (!this.isDown(node)) node.disk.compact((this.#flushed.get(node.id)?.appliedIndex ?? 0) - tail);
  }

  /**
   * @param written the write under way has reached the disk
   * @param lost the applied records are found damaged afterwards
   */
  crash(node: TestNode, { written, lost }: { readonly written: boolean; readonly lost: boolean }): void {
    if (node.writing !== undefined && written) {
      this.#invariants.writes(node, node.writing.entries);
      node.write();
    }
    this.#down.add(node.id);
    this.transfers.stop(node.id);
    const { configuration } = this.#flushed.get(node.id) as Required<Applied>;
    if (lost) this.#flushed.set(node.id, { appliedIndex: 0, configuration, needsSnapshot: true });
    node.needsSnapshot ||= lost;
  }

  restart(node: TestNode): void {
    this.#down.delete(node.id);
    node.restart(this.#flushed.get(node.id));
    this.#invariants.started(node);
  }

  /** A node that has lost its applied records has nothing to send. */
  sendSnapshot(node: TestNode, to: NodeId): void {
    if (node.needsSnapshot || node.appliedIndex === 0) node.raft.snapshotFailed(to);
    else this.transfers.begin(node, to);
  }

  /**
   * The transfer has ended, and its sender hears of it.
   *
   * @param again what has arrived will be found ready once more
   */
  arrive(one: InstallSnapshot, { whole, again }: { readonly whole: boolean; readonly again: boolean }): void {
    const [node, sender] = [this.node(one.to), this.node(one.from)];
    const { needsSnapshot } = node;
    if (whole) this.live(node, () => node.raft.step(one));
    if (whole && needsSnapshot) this.counts.repairs += 1;
    if (!again) this.transfers.end(one);
    this.live(sender, () => sender.raft.snapshotFailed(one.to));
  }

  /** Everything moves until it is quiet. Nobody talks to those that he has applied the removal of. */
  flow(): void {
    for (let quiet = false; !quiet;) {
      quiet = true;
      for (const node of this.nodes) {
        while (node.writing !== undefined || node.raft.hasReady()) {
          this.live(node, () => {
            if (node.writing === undefined) this.take(node);
            this.persist(node);
          });
        }
      }
      const { queue } = this;
      this.queue = [];
      for (const message of queue) {
        quiet = false;
        const node = this.node(message.to);
        if (!node.configuration.removed.includes(message.from)) this.live(node, () => node.raft.step(message));
      }
    }
  }

  #send(node: TestNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.#invariants.left(node, message);
      for (const char of brief(message)) this.trace = (Math.imul(this.trace, 31) + char.charCodeAt(0)) | 0;
      this.queue.push(message);
    }
  }
}
