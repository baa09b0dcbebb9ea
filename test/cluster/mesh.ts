/**
 * Members without disks, sockets and clocks: real Raft cores, proposals, intakes and reads, joined by a queue of frames
 * that the test delivers, cuts or drops.
 */
import { decodeFrame } from "../../cluster/frame-decoder.js";
import { encodeFrame } from "../../cluster/frames.js";
import { Intake } from "../../cluster/intake.js";
import { Proposals, type Leadership } from "../../cluster/proposals.js";
import { Reads } from "../../cluster/reads.js";
import type { Committed, Forward, Frame } from "../../cluster/types.js";
import { MemoryLog } from "../../raft/memory-log.js";
import { Raft } from "../../raft/raft.js";
import type { Entry, NodeId, Term } from "../../raft/types.js";
import { decodeEntry } from "../../src/codec.js";
import { configurationOf } from "../raft/messages.js";
import type { Command } from "../../src/select/command.js";

export interface Sent {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly frame: Frame;
}

export interface Limits {
  readonly proposalsMax?: number;
  readonly proposalBytesMax?: number;
  readonly uncommittedBytesMax?: number;
  readonly readsMax?: number;
}

export const timeoutMs = 10_000;
const electionTicks = 10;

/** A command that is told by its name. */
export function named(name: string): Command {
  return { kind: "make", chan: name, buffer: 0 };
}

export function nameOf(command: Command): string {
  return command.kind === "make" ? command.chan : command.kind;
}

export class MeshNode {
  readonly id: NodeId;
  readonly mesh: Mesh;
  readonly raft: Raft;
  readonly proposals: Proposals;
  readonly intake: Intake;
  readonly reads: Reads;
  /** Names of what was applied, in order, and `term n` where a term began. */
  readonly applied: string[] = [];
  appliedIndex = 0;
  congested = false;
  /** As after the grace. */
  hopeless = false;
  /** Commits are not applied. */
  stalled = false;
  readonly #disk = new MemoryLog();
  readonly #waiting: Entry[] = [];
  #term: Term = 0;

  constructor(id: NodeId, { mesh, voters, limits }: { mesh: Mesh; voters: readonly NodeId[]; limits: Limits }) {
    this.id = id;
    this.mesh = mesh;
    const sizes = {
      appendBytesMax: 1 << 20,
      inflightMax: 64,
      uncommittedBytesMax: limits.uncommittedBytesMax ?? 1 << 26,
    };
    this.raft = new Raft({
      ...{
        id,
        configuration: configurationOf(voters),
        electionTicks,
        heartbeatTicks: 1,
        random: () => 0,
        log: this.#disk,
        ...sizes,
      },
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      ...{ appliedIndex: 0, preVote: true, checkQuorum: true },
    });
    this.intake = new Intake({
      ...{ raft: this.raft, clock: () => 1000, congested: () => this.congested, limit: () => undefined },
      applied: () => this.appliedIndex,
      refuse: (to, refused) => {
        if (to === id) this.proposals.refused(refused);
        else this.mesh.send({ from: id, to, frame: { kind: "refused", ...refused } });
      },
    });
    this.proposals = new Proposals({
      ...{ node: id, epoch: 1, timeoutMs, wake: () => undefined, observe: () => undefined },
      ...{ proposalsMax: limits.proposalsMax ?? 1000, proposalBytesMax: limits.proposalBytesMax ?? 1 << 26 },
      send: (leader, term, batch) => this.#forward(leader, term, batch),
    });
    this.reads = new Reads({
      ...{ timeoutMs, readsMax: limits.readsMax ?? 1000, wake: () => undefined },
      applied: () => this.appliedIndex,
      ask: (context) => this.raft.readIndex(context),
    });
  }

  get leadership(): Leadership {
    return { leader: this.raft.leader, term: this.raft.term, hopeless: this.hopeless };
  }

  submit(name: string): Promise<Committed> {
    return this.proposals.submit(named(name), this.leadership);
  }

  fresh(minIndex = 0): Promise<void> {
    return this.reads.fresh({ stale: false, minIndex }, this.leadership);
  }

  /** Everything it can do now, what the others send aside. */
  run(): void {
    this.#pump();
    while (this.raft.hasReady()) {
      const ready = this.raft.takeReady();
      this.#disk.append(ready.entries);
      for (const message of [...ready.messages, ...ready.messagesAfterPersist])
        this.mesh.send({ from: this.id, to: message.to, frame: { kind: "raft", message } });
      this.#waiting.push(...ready.committed);
      this.raft.persisted(ready);
      this.reads.onReads(ready.reads);
      this.#apply();
      this.#pump();
    }
    this.#apply();
  }

  receive(from: NodeId, frame: Frame): void {
    if (frame.kind === "raft") this.raft.step(frame.message);
    if (frame.kind === "refused") this.proposals.refused(frame);
    if (frame.kind === "forward") this.intake.accept(from, frame.epoch, frame.term, frame.proposals);
  }

  #pump(): void {
    this.proposals.pump(this.leadership);
    this.reads.pump(this.leadership);
  }

  #forward(leader: NodeId, term: Term, proposals: readonly Forward[]): void {
    if (leader !== this.id)
      return this.mesh.send({
        from: this.id,
        to: leader,
        frame: { kind: "forward", origin: this.id, epoch: 1, term, proposals },
      });
    this.intake.accept(this.id, 1, term, proposals);
  }

  #apply(): void {
    if (this.stalled) return;
    for (const { index, term, data, kind } of this.#waiting.splice(0)) {
      if (term !== this.#term) {
        this.#term = term;
        this.applied.push(`term ${term}`);
        this.proposals.onTerm(term);
      }
      this.appliedIndex = index;
      if (data.length === 0 || kind !== undefined) continue;
      const { origin, command } = decodeEntry(data);
      this.applied.push(nameOf(command));
      const outcome = { ok: true, answer: { kind: "done" } } as const;
      if (origin.node === this.id) this.proposals.applied(origin.seq, { index, outcome });
    }
    this.reads.onApplied(this.appliedIndex);
  }
}

export function overWire(frame: Frame): Frame {
  return decodeFrame(Buffer.concat(encodeFrame(frame).pieces).subarray(8));
}

export class Mesh {
  readonly nodes: Map<NodeId, MeshNode>;
  /** Everything that was ever sent. */
  readonly sent: Sent[] = [];
  #queue: Sent[] = [];
  readonly #cut = new Set<string>();

  constructor(ids: readonly NodeId[], limits: Limits = {}) {
    this.nodes = new Map(ids.map((id) => [id, new MeshNode(id, { mesh: this, voters: ids, limits })]));
  }

  /** A node that is in no configuration yet. */
  join(id: NodeId): void {
    this.nodes.set(id, new MeshNode(id, { mesh: this, voters: [], limits: {} }));
  }

  node(id: NodeId): MeshNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** What is sent now arrives later, unless the link is cut: then it is lost. As over a wire, nothing is shared. */
  send(sent: Sent): void {
    const copy = { ...sent, frame: overWire(sent.frame) };
    this.sent.push(copy);
    if (!this.#cut.has(`${sent.from} ${sent.to}`)) this.#queue.push(copy);
  }

  /** What is under way is lost too. */
  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from} ${to}`);
    this.#queue = this.#queue.filter((one) => one.from !== from || one.to !== to);
  }

  /** Both directions to everybody. */
  isolate(id: NodeId): void {
    for (const other of this.nodes.keys()) {
      this.cut(id, other);
      this.cut(other, id);
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  /** One round: every node runs, then everything that was sent arrives. @returns whether anything did */
  step(): boolean {
    for (const node of this.nodes.values()) node.run();
    const arriving = this.#queue.splice(0);
    for (const { from, to, frame } of arriving) this.node(to).receive(from, frame);
    return arriving.length > 0;
  }

  settle(): void {
    this.stepUntil(() => false);
  }

  /** Until `holds`, or until nothing moves any more. */
  stepUntil(holds: () => boolean): void {
    for (let round = 0; !holds() && this.step(); round++) if (round > 1000) throw new Error("the mesh does not settle");
  }

  elect(id: NodeId): void {
    this.node(id).raft.campaign();
    this.settle();
    if (this.node(id).raft.role !== "leader") throw new Error(`${id} was not elected`);
  }

  /** Time passes for one node until it has given up its leader; nobody hears of it. */
  loseLeader(id: NodeId): void {
    const node = this.node(id);
    for (let tick = 0; tick < 2 * electionTicks && node.raft.leader !== null; tick++) node.raft.tick();
    const queue = [...this.#queue];
    node.run();
    this.#queue = queue;
  }

  forwards(from: NodeId): { to: NodeId; term: Term; seqs: number[] }[] {
    return this.sent.flatMap((sent) =>
      sent.from === from && sent.frame.kind === "forward"
        ? [{ to: sent.to, term: sent.frame.term, seqs: sent.frame.proposals.map(({ seq }) => seq) }]
        : [],
    );
  }
}
