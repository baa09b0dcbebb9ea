/**
 * One member of the cluster, assembled: the only thing `api/` sees.
 *
 * Joins the ends of the parts: a committed entry answers its proposer, wakes what waited for its effects, and feeds the
 * watchers. Opening and closing: start.ts.
 */
import { keys } from "../src/select/keys.js";
import type { Command } from "../src/select/command.js";
import type { Effect } from "../src/select/outcome.js";
import type { Ref, State, Status } from "../src/select/types.js";
import type { NodeId, Term } from "../raft/types.js";
import type { AppliedEntry } from "./driver.js";
import type { GaugeName } from "./metrics.js";
import type { Parts } from "./parts.js";
import type { Leadership } from "./proposals.js";
import { listChans, listStates, readChan, readState } from "./queries.js";
import type { Committed, Event, Forward, Frame, Freshness, Node, NodeStatus, Waitable, Waited } from "./types.js";

export class Member implements Node {
  readonly id: NodeId;
  readonly #parts: Parts;
  #leaderSeen: NodeId | null = null;
  #termSeen: Term = 0;
  /** Monotonic time since which no leader is known; undefined while one is. */
  #leaderlessSince: number | undefined;
  #closing = false;
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#leaderlessSince = parts.time.nowMs();
    this.id = parts.config.id;
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

  state(id: string): ReturnType<Node["state"]> {
    return readState(this.#parts.store, id);
  }

  chan(id: string): ReturnType<Node["chan"]> {
    return readChan(this.#parts.store, id);
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

  async watch(
    id: string,
    done: (state: State | undefined) => boolean,
    options: { waitMs: number; signal: AbortSignal },
  ): Promise<void> {
    await this.#parts.feed.watch(id, this.state(id)?.state, done, options);
  }

  async events(query: Parameters<Node["events"]>[0]): Promise<readonly Event[]> {
    return this.#parts.feed.events(query);
  }

  async cluster(): ReturnType<Node["cluster"]> {
    return { id: this.#parts.config.clusterId, nodes: await this.#parts.board.all() };
  }

  /** Knows a leader, has applied what is committed, and the cluster has its settings. */
  ready(): boolean {
    const { raft, store } = this.#parts;
    const configured = store.get(keys.meta) !== undefined;
    return !this.#closing && raft.leader !== null && store.appliedIndex >= raft.commitIndex && configured;
  }

  metrics(): Promise<string> {
    return this.#parts.scrape();
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

  /** The loop runs: ask for work. */
  begin(): void {
    this.#parts.callbacks.ask();
    this.#parts.wake();
  }

  ownStatus(): Omit<NodeStatus, "stateHash" | "dbBytes" | "atMs"> {
    const { config, raft, store, version } = this.#parts;
    const { role, term, leader, lastIndex, commitIndex } = raft.status();
    const api = config.members.find(({ id }) => id === config.id)?.api ?? "";
    const { appliedIndex, flushedIndex } = store;
    return { id: config.id, api, version, role, term, leader, lastIndex, commitIndex, appliedIndex, flushedIndex };
  }

  /** Ends what {@link drain} left: no proposal is answered any more. */
  closeParts(): void {
    const { timers, board, proposals, reads } = this.#parts;
    timers.stop();
    board.close();
    proposals.close();
    reads.close();
  }

  leadership(): Leadership {
    const { raft, config } = this.#parts;
    const leaderlessMs = this.#leaderlessSince === undefined ? 0 : this.#parts.time.nowMs() - this.#leaderlessSince;
    return { leader: raft.leader, term: raft.term, hopeless: this.#closing || leaderlessMs > config.leaderGraceMs };
  }

  beforeTurn(): void {
    this.#observeLeadership();
    const leadership = this.leadership();
    this.#parts.proposals.pump(leadership);
    this.#parts.reads.pump(leadership);
  }

  tick(): void {
    this.#parts.raft.tick();
    this.#parts.intake.release();
    this.#observeLeadership();
    const leadership = this.leadership();
    this.#parts.proposals.sweep(leadership);
    this.#parts.reads.sweep(leadership);
    this.#parts.duties.tick();
    this.#parts.wake();
  }

  /** Hands a batch of this node's proposals to the leader, itself or another. */
  sendProposals(leader: NodeId, term: Term, proposals: readonly Forward[]): void {
    const { config, epoch, peers } = this.#parts;
    if (leader !== config.id) return peers.send(leader, { kind: "forward", origin: config.id, epoch, term, proposals });
    this.#parts.intake.accept(config.id, epoch, term, proposals);
  }

  onFrame(from: NodeId, frame: Frame): void {
    const { raft, intake, proposals, board, wake } = this.#parts;
    switch (frame.kind) {
      case "raft":
        raft.step(frame.message);
        return wake();
      case "forward":
        intake.accept(from, frame.epoch, frame.term, frame.proposals);
        return wake();
      case "refused":
        return proposals.refused(frame);
      case "status":
        return board.onStatus(from, frame.status);
    }
  }

  onLink(to: NodeId): void {
    this.#parts.proposals.resend(to);
    this.#parts.intake.retell(to);
  }

  /** Nothing that this node says is heard any more: it ends, and says what to do. */
  onBanned(by: NodeId, ban: "removed" | "instance"): void {
    this.#parts.onFatal(new Error(banText(this.id, by, ban)));
  }

  onApplied({ index, nowMs, origin, command, applied }: AppliedEntry): void {
    const { config, epoch, proposals, metrics } = this.#parts;
    metrics.entries.inc();
    for (const effect of applied.effects) this.#onEffect(effect, index, nowMs);
    if (command.kind === "forget" && command.node === config.id && command.epoch > epoch) {
      this.#parts.waits.onForgotten(index);
      this.#parts.callbacks.onForgotten(index);
    }
    if (origin.node === config.id && origin.epoch === epoch)
      proposals.applied(origin.seq, { index, outcome: applied.outcome });
  }

  onTerm(term: Term): void {
    this.#parts.proposals.onTerm(term);
    this.#parts.duties.onTerm(term);
  }

  onProgress(appliedIndex: number): void {
    this.#parts.reads.onApplied(appliedIndex);
    this.#parts.feed.onProgress();
  }

  gauges(): Readonly<Record<GaugeName, number>> {
    const { raft, store, proposals, waits, machine, board, peers } = this.#parts;
    return {
      slct_raft_term: raft.term,
      slct_raft_leader: raft.role === "leader" ? 1 : 0,
      slct_raft_last_index: raft.status().lastIndex,
      slct_raft_commit_index: raft.commitIndex,
      slct_raft_applied_index: store.appliedIndex,
      slct_raft_lag_entries: raft.commitIndex - store.appliedIndex,
      slct_flushed_index: store.flushedIndex,
      slct_proposals_open: proposals.count,
      slct_proposal_bytes_open: proposals.bytes,
      slct_waits_open: waits.count,
      slct_demands: machine.demandCount,
      slct_states_pending: machine.pendingCount,
      slct_clock_skew_seconds: board.skewMs() / 1000,
      slct_peer_queue_bytes: peers.queuedBytes(),
    };
  }

  /** Requests that wait are answered, new ones refused; what is parked is withdrawn as far as the cluster allows. */
  drain(): void {
    this.#closing = true;
    this.#parts.callbacks.stop();
    this.#parts.waits.close();
    this.#parts.feed.close();
  }

  #onEffect(effect: Effect, index: number, nowMs: number): void {
    const { waits, timers, feed, metrics } = this.#parts;
    switch (effect.kind) {
      case "armed":
        return timers.onArmed(effect.dueMs, effect.key);
      case "granted":
        metrics.statesHandedOut.inc(effect.handOuts.length);
        if (this.#forCallbacks(effect)) return;
        return waits.onEffect(effect, index);
      case "answered":
      case "withdrawn":
        return waits.onEffect(effect, index);
      case "state":
        if (effect.type === "state.resolved") metrics.statesResolved.inc();
        if (effect.type === "state.paused") metrics.statesPaused.inc();
        return feed.onEffect(effect, index, nowMs);
      case "chan":
        return feed.onEffect(effect, index, nowMs);
    }
  }

  #forCallbacks({ demand, handOuts }: Extract<Effect, { kind: "granted" }>): boolean {
    const { config, epoch, callbacks } = this.#parts;
    const ref = demand.holders.find((holder) => holder.node === config.id && holder.epoch === epoch);
    return ref !== undefined && callbacks.onGranted(demand, ref, handOuts);
  }

  #observeLeadership(): void {
    const { raft, metrics, logger } = this.#parts;
    if (raft.leader === this.#leaderSeen && raft.term === this.#termSeen) return;
    if (raft.leader !== null && (raft.leader !== this.#leaderSeen || raft.term !== this.#termSeen)) {
      metrics.leaderChanges.inc();
      logger.info({ leader: raft.leader, term: raft.term, self: raft.leader === this.id }, "leader known");
    }
    if (raft.leader === null && this.#leaderSeen !== null)
      logger.info({ term: raft.term, was: this.#leaderSeen }, "leader lost");
    this.#leaderSeen = raft.leader;
    this.#termSeen = raft.term;
    if (raft.leader !== null) this.#leaderlessSince = undefined;
    else this.#leaderlessSince ??= this.#parts.time.nowMs();
  }
}

function banText(id: NodeId, by: NodeId, ban: "removed" | "instance"): string {
  if (ban === "removed")
    return `node ${id} was removed from the cluster (says ${by}); ids are never used again: join with an empty directory under a new id`;
  return (
    `node ${by} knows node ${id} with another data directory: this one was emptied, restored or copied, and has not what ` +
    `${id} acknowledged. Start ${id} on its own directory, or remove it (DELETE /cluster/members/${id}) and join with an ` +
    `empty directory under a new id`
  );
}
