/**
 * One member of the cluster, assembled: the only thing `api/` sees.
 *
 * Joins the ends of the parts: a committed entry answers its proposer, wakes what waited for its effects, and feeds the
 * watchers. Opening and closing: start.ts.
 */
import { keys } from "../src/select/keys.js";
import type { Command } from "../src/select/command.js";
import type { Ref, Status } from "../src/select/types.js";
import type { Configuration, NodeId, Term } from "../raft/types.js";
import { CatchUp } from "./catch-up.js";
import type { AppliedEntry } from "./driver.js";
import { spreadEffect } from "./effects.js";
import { strangerText } from "./instances.js";
import type { MembershipRequest } from "./membership.js";
import type { Parts } from "./parts.js";
import type { Ban } from "./peer-handshake.js";
import type { Leadership } from "./proposals.js";
import type { OwnStatus } from "./status.js";
import { isReached, listChans, listStates, readChan, readingOf, readState } from "./queries.js";
import type { Committed, Event, Forward, Frame, Freshness, Node, NodeStatus } from "./types.js";
import type { Until, Waitable, Waited } from "./types.js";

/** What is heard of a node that is no member here. */
const guestKinds: ReadonlySet<Frame["kind"]> = new Set(["raft", "snapshot", "told"]);

export class Member implements Node {
  readonly id: NodeId;
  readonly #parts: Parts;
  readonly #catchUp: CatchUp;
  #closing = false;
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.id = parts.config.id;
    this.#catchUp = new CatchUp({ ...parts, self: this.id });
  }

  // ------------------------------------------------------------------------------------------- what api/ calls

  get appliedIndex(): number {
    return this.#parts.store.appliedIndex;
  }

  submit(command: Command): Promise<Committed> {
    return this.#parts.proposals.submit(command, this.leadership());
  }

  submitAndWait(build: (ref: Ref) => Waitable, options: { waitMs: number; signal: AbortSignal }): Promise<Waited> {
    return this.#parts.waits.submit(build, options);
  }

  async fresh(freshness: Freshness): Promise<void> {
    await this.#parts.reads.fresh(freshness, this.leadership());
  }

  async state(id: string, freshness: Freshness): ReturnType<Node["state"]> {
    await this.#parts.reads.fresh(freshness, this.leadership());
    return readingOf(this.appliedIndex, readState(this.#parts.store, id));
  }

  async chan(id: string, freshness: Freshness): ReturnType<Node["chan"]> {
    await this.#parts.reads.fresh(freshness, this.leadership());
    return readingOf(this.appliedIndex, readChan(this.#parts.store, id));
  }

  states(query: {
    prefix: string;
    status?: Status;
    chan?: string;
    cursor?: string;
    limit: number;
  }): ReturnType<Node["states"]> {
    return listStates(this.#parts.store, query);
  }

  chans(query: { prefix: string; cursor?: string; limit: number }): ReturnType<Node["chans"]> {
    return listChans(this.#parts.store, query);
  }

  async watch(id: string, until: Until, options: { waitMs: number; signal: AbortSignal }): Promise<void> {
    const { store, feed } = this.#parts;
    await feed.watch(id, readState(store, id)?.state, (state) => isReached(until, state), options);
  }

  async events(query: Parameters<Node["events"]>[0]): Promise<readonly Event[]> {
    return this.#parts.feed.events(query);
  }

  async cluster(): ReturnType<Node["cluster"]> {
    const { config, board, members, raft } = this.#parts;
    const nodes = await board.all();
    return { id: config.clusterId, nodes, removed: members.removed, changing: raft.status().changing };
  }

  change(request: MembershipRequest): ReturnType<Node["change"]> {
    return this.#parts.membership.request(request);
  }

  backup(): ReturnType<Node["backup"]> {
    return this.#parts.snapshots.backups.open();
  }

  /** Knows a leader, has applied what is committed, and the cluster has its settings. */
  ready(): boolean {
    const configured = this.#parts.store.get(keys.meta) !== undefined;
    return !this.#closing && configured && this.#catchUp.done;
  }

  metrics(): Promise<string> {
    return this.#parts.scrape();
  }

  /** Before the end: lets another one lead, as far as there is one. Bounded. */
  handOver(): Promise<void> {
    return this.#parts.membership.handOver();
  }

  /** Ends every request, then writes what is not yet on disk. */
  close(): Promise<void> {
    this.drain();
    this.#closed ??= this.#parts.stop();
    return this.#closed;
  }

  // ----------------------------------------------------------------------------------------- what start.ts wires

  get parts(): Parts {
    return this.#parts;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Its records are lost: until a snapshot is installed it votes and appends, and serves nothing. */
  get needsSnapshot(): boolean {
    return this.#parts.needsSnapshot;
  }

  /** The loop runs: ask for work. */
  begin(): void {
    if (!this.needsSnapshot) this.#parts.callbacks.ask();
    this.#parts.wake();
  }

  ownStatus(): OwnStatus {
    const { identity, instances, self, raft, store, version } = this.#parts;
    const { role, term, leader, lastIndex, commitIndex } = raft.status();
    const { appliedIndex, flushedIndex } = store;
    return {
      ...{ id: self.id, instance: identity.instance, instances: instances.entries(), api: self.api, version },
      ...{ role, term, leader, lastIndex, commitIndex, appliedIndex, flushedIndex },
    };
  }

  /** No leader listens to this node any more: nothing that it was asked for will come to an end here. */
  abandon(): void {
    this.drain();
    this.#parts.proposals.close();
    this.#parts.reads.close();
  }

  /** Ends what {@link drain} left: no proposal is answered any more. */
  closeParts(): void {
    const { timers, board, membership, proposals, reads } = this.#parts;
    timers.stop();
    board.close();
    membership.close();
    proposals.close();
    reads.close();
  }

  leadership(): Leadership {
    const { raft, leadership } = this.#parts;
    return { leader: raft.leader, term: raft.term, hopeless: this.#closing || leadership.hopeless };
  }

  beforeTurn(): void {
    this.#parts.members.follow();
    this.#parts.membership.observe();
    this.#parts.leadership.observe();
    const leadership = this.leadership();
    this.#parts.proposals.pump(leadership);
    this.#parts.reads.pump(leadership);
  }

  tick(): void {
    this.#parts.raft.tick();
    this.#parts.intake.release();
    this.#parts.membership.observe();
    this.#parts.leadership.observe();
    const leadership = this.leadership();
    this.#parts.proposals.sweep(leadership);
    this.#parts.reads.sweep(leadership);
    this.#parts.duties.tick();
    this.#parts.snapshots.tick();
    this.#catchUp.observe();
    // An idle node has many ticks and nothing to do in them.
    if (this.#parts.raft.hasReady() || this.#parts.proposals.count > 0) this.#parts.wake();
  }

  /** Hands a batch of this node's proposals to the leader, itself or another. */
  sendProposals(leader: NodeId, term: Term, proposals: readonly Forward[]): void {
    const { config, epoch, peers } = this.#parts;
    if (leader !== config.id) return peers.send(leader, { kind: "forward", origin: config.id, epoch, term, proposals });
    this.#parts.intake.accept(config.id, epoch, term, proposals);
  }

  onFrame(from: NodeId, frame: Frame): void {
    const { raft, leadership, intake, proposals, members, membership, snapshots, wake } = this.#parts;
    // A guest (peers.ts) takes part in consensus and answers; what it wants done or says of others is for members.
    if (!guestKinds.has(frame.kind) && members.find(from) === undefined) return;
    switch (frame.kind) {
      case "raft":
        raft.step(frame.message);
        leadership.onMessage(frame.message);
        return wake();
      case "forward":
        intake.accept(from, frame.epoch, frame.term, frame.proposals);
        return wake();
      case "refused":
        return proposals.refused(frame);
      case "status":
        return this.#onStatus(from, frame.status);
      case "snapshot":
        return snapshots.onNotice(from, frame);
      case "ask":
        return membership.onAsk(from, frame.number, frame.request);
      case "told":
        return membership.onTold(from, frame.number, frame.answer);
    }
  }

  onLink(to: NodeId): void {
    this.#parts.raft.unreachable(to);
    this.#parts.proposals.resend(to);
    this.#parts.intake.retell(to);
    this.#parts.snapshots.onLink(to);
  }

  onStopped(member: NodeId): void {
    this.#parts.raft.stopped(member);
    this.#parts.wake();
  }

  /** Nothing that this node says is heard any more: it ends, and says what to do. */
  onBanned(by: NodeId, ban: Ban): void {
    if (ban === "removed") this.#parts.onRemoved();
    else this.#parts.onFatal(new Error(strangerText(this.id, by)));
  }

  onApplied({ index, nowMs, origin, command, applied }: AppliedEntry): void {
    const { config, epoch, proposals, metrics } = this.#parts;
    metrics.entries.inc();
    for (const effect of applied.effects) spreadEffect(this.#parts, effect, { index, nowMs });
    if (command.kind === "forget" && command.node === config.id && command.epoch > epoch) {
      this.#parts.waits.onForgotten(index);
      this.#parts.callbacks.onForgotten(index);
    }
    if (origin.node === config.id && origin.epoch === epoch)
      proposals.applied(origin.seq, { index, outcome: applied.outcome });
  }

  onConfiguration(configuration: Configuration, at: { readonly index: number; readonly term: number }): void {
    this.#parts.members.onApplied(configuration);
    this.#parts.membership.onConfiguration(at);
  }

  onTerm(term: Term): void {
    this.#parts.proposals.onTerm(term);
    this.#parts.duties.onTerm(term);
  }

  onProgress(appliedIndex: number): void {
    this.#parts.reads.onApplied(appliedIndex);
    this.#parts.feed.onProgress();
  }

  /** Requests that wait are answered, new ones refused; what is parked is withdrawn as far as the cluster allows. */
  drain(): void {
    this.#closing = true;
    this.#parts.callbacks.stop();
    this.#parts.waits.close();
    this.#parts.feed.close();
    this.#parts.snapshots.backups.close();
  }

  /** What the others have met is what this one has met: so a node that joins learns it from those who let it in. */
  #onStatus(from: NodeId, status: NodeStatus): void {
    const { board, identity, instances, members } = this.#parts;
    board.onStatus(from, status);
    for (const [id, instance] of status.instances) {
      if (id === this.id && instance !== identity.instance) this.onBanned(from, "instance");
      if (id !== this.id && members.find(id) !== undefined) instances.meet(id, instance);
    }
  }
}
