/**
 * Proposals of this node that are not yet answered: from ingress until this node has applied them.
 *
 * A proposal is sent to the leader under the term in which that leader is known, and a leader of another term refuses it
 * (term fence). So once the first entry of a later term is applied here, a proposal that was not applied before never
 * will be, and can be sent again without doing anything twice. Within a term the leader recognises a repetition by its
 * number (intake.ts), so numbers must reach it in order: nothing is sent under a new term before what was sent under an
 * earlier one is decided.
 */
import { encodeEntry } from "../src/codec.js";
import { SlctError } from "../src/errors.js";
import type { Command } from "../src/select/command.js";
import type { Outcome } from "../src/select/outcome.js";
import type { NodeId, Term } from "../raft/types.js";
import { isHousekeeping } from "./admission.js";
import { systemTime, type Time } from "./environment.js";
import { failpoint } from "./failpoint.js";
import type { Committed, Forward, Refused } from "./types.js";

interface Proposal extends Forward {
  readonly startedMs: number;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (error: SlctError) => void;
  /** It was decided under this term, and is not proposed under another. */
  readonly fence: Term | undefined;
  /** Term under which it was sent; 0: nothing can have happened. */
  sentTerm: Term;
  /** Sent under `sentTerm` and not refused: with none left, nothing has happened. */
  copies: number;
  /** To be sent with the next pump. */
  queued: boolean;
}

export interface ProposalsOptions {
  readonly node: NodeId;
  readonly epoch: number;
  readonly proposalsMax: number;
  readonly proposalBytesMax: number;
  readonly timeoutMs: number;
  /** Hands a batch, in order of `seq`, to the leader of `term`. */
  readonly send: (leader: NodeId, term: Term, batch: readonly Forward[]) => void;
  /** A batch waits to be pumped. */
  readonly wake: () => void;
  /** Seconds from submission to answer. */
  readonly observe: (seconds: number) => void;
  readonly time?: Time;
}

export interface Leadership {
  readonly leader: NodeId | null;
  readonly term: Term;
  /** Requests that find no leader are refused at once. */
  readonly hopeless: boolean;
}

/** Data bytes of one batch, unless a single proposal is larger: a frame has a limit. */
const batchBytesMax = 1024 * 1024;
const refusals = {
  overloaded: "the leader has too much to commit",
  disk_low: "the disk of a member is nearly full, so nothing is taken that needs room (GET /cluster shows Alarms)",
  state_mismatch: "replicas differ, so nothing is taken until that is repaired (GET /cluster shows Alarms)",
} as const satisfies Record<Exclude<Refused["reason"], "not_leader">, string>;
const noLeader = () => new SlctError("no_leader", "no leader is reachable; nothing was done");

export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #time: Time;
  /** In order of `seq`, which is the order of deadlines. */
  readonly #open = new Map<number, Proposal>();
  /** The queued ones in order of `seq`; those answered meanwhile are skipped. */
  #unsent: Proposal[] = [];
  /** How many of the open ones were sent and are undecided. */
  #undecided = 0;
  /** Where the undecided ones went. */
  #target: { readonly leader: NodeId; readonly term: Term } = { leader: "", term: 0 };
  /** Who led this term does not any more, so nothing is sent under it. */
  #refusedTerm: Term = 0;
  #bytes = 0;
  #seq = 0;
  #closed = false;

  constructor(options: ProposalsOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Number of the last proposal. */
  get seq(): number {
    return this.#seq;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param fence the only term in which it may be proposed, if it was decided under one
   * @throws SlctError `overloaded`, `no_leader`: nothing happened; `timeout`: it may still be applied
   */
  submit(command: Command, leadership: Leadership, fence?: Term): Promise<Committed> {
    const { node, epoch, proposalsMax, proposalBytesMax } = this.#options;
    if (this.#closed) return Promise.reject(new SlctError("no_leader", "this node is shutting down"));
    if (leadership.leader === null && leadership.hopeless) return Promise.reject(noLeader());
    const full = this.#open.size >= proposalsMax || this.#bytes >= proposalBytesMax;
    if (full && !isHousekeeping(command)) {
      return Promise.reject(new SlctError("overloaded", "too many requests wait to be committed; nothing was done"));
    }
    const seq = ++this.#seq;
    const data = encodeEntry({ node, epoch, seq }, command);
    return new Promise((resolve, reject) => {
      const startedMs = this.#time.nowMs();
      const proposal: Proposal = { seq, data, startedMs, resolve, reject, fence, sentTerm: 0, copies: 0, queued: true };
      this.#open.set(seq, proposal);
      this.#unsent.push(proposal);
      this.#bytes += data.length;
      this.#options.wake();
    });
  }

  /** Sends what is queued, if there is somebody to send it to. */
  pump({ leader, term }: Leadership): void {
    if (leader === null || this.#unsent.length === 0 || term <= this.#refusedTerm) return;
    if (term !== this.#target.term && this.#undecided > 0) return;
    this.#target = { leader, term };
    for (const proposal of this.#unsent) if ((proposal.fence ?? term) !== term) this.#drop(proposal);
    const batch = this.#unsent.filter((proposal) => this.#open.has(proposal.seq));
    this.#unsent = [];
    for (const proposal of batch) {
      if (proposal.sentTerm === 0) this.#undecided++;
      proposal.sentTerm = term;
      proposal.copies++;
      proposal.queued = false;
    }
    failpoint("proposals.before-send");
    for (const part of split(batch)) this.#options.send(leader, term, part);
    failpoint("proposals.after-send");
  }

  /** The entry of one of our proposals was applied here. */
  applied(seq: number, committed: { readonly index: number; readonly outcome: Outcome }): void {
    const proposal = this.#open.get(seq);
    if (proposal === undefined) return;
    this.#close(proposal);
    this.#options.observe((this.#time.nowMs() - proposal.startedMs) / 1000);
    failpoint("proposals.before-ack");
    proposal.resolve(committed);
    failpoint("proposals.after-ack");
  }

  /** With `not_leader`, another copy that was sent may have been taken before; any other reason speaks for all copies. */
  refused({ epoch, term, seqs, reason }: Refused): void {
    if (epoch !== this.#options.epoch) return;
    for (const seq of seqs) {
      const proposal = this.#open.get(seq);
      if (proposal?.sentTerm !== term) continue;
      if (reason !== "not_leader")
        this.#fail(proposal, new SlctError("overloaded", `${refusals[reason]}; nothing was done`));
      else if (--proposal.copies === 0) this.#unsend(proposal);
    }
    if (reason !== "not_leader") return;
    this.#refusedTerm = Math.max(this.#refusedTerm, term);
    this.#collectQueued();
  }

  /** The first entry of `term` was applied: what was sent under an earlier one and is still open never happened. */
  onTerm(term: Term): void {
    if (this.#undecided === 0 || this.#target.term >= term) return;
    for (const proposal of this.#open.values()) if (proposal.sentTerm > 0) this.#unsend(proposal);
    this.#collectQueued();
  }

  /** The link to `to` is up anew: what was sent there before may be lost. The leader drops repetitions. */
  resend(to: NodeId): void {
    if (this.#undecided === 0 || this.#target.leader !== to) return;
    for (const proposal of this.#open.values()) proposal.queued = true;
    this.#collectQueued();
  }

  /** Ends what ran out of time, and what cannot even be sent. */
  sweep(leadership: Leadership): void {
    const lateMs = this.#time.nowMs() - this.#options.timeoutMs;
    for (const proposal of this.#open.values()) {
      if (proposal.startedMs > lateMs) break;
      this.#end(proposal, this.#whyUnknown(leadership));
    }
    if (leadership.leader === null && leadership.hopeless) {
      for (const proposal of this.#unsent)
        if (proposal.sentTerm === 0 && this.#open.has(proposal.seq)) this.#fail(proposal, noLeader());
    }
    this.#unsent = this.#unsent.filter((proposal) => this.#open.has(proposal.seq));
  }

  close(): void {
    this.#closed = true;
    for (const proposal of [...this.#open.values()]) this.#end(proposal, "the node stops");
    this.#unsent = [];
  }

  /** `why`: nobody knows what became of it, if it was sent. */
  #end(proposal: Proposal, why: string): void {
    const unknown = () =>
      new SlctError("timeout", `${why}; it may still be applied: repeat it with the same Request-Id or lock`);
    this.#fail(proposal, proposal.sentTerm === 0 ? noLeader() : unknown());
  }

  #whyUnknown({ leader, term }: Leadership): string {
    const sent = this.#target;
    if (leader === sent.leader && term === sent.term) return `${leader}, which leads, has not committed it in time`;
    return `${sent.leader}, which led term ${sent.term}, has it, and no entry of a later term came in time to decide`;
  }

  #drop(proposal: Proposal): void {
    const over = `term ${proposal.fence} is over, and with it what was decided under it; nothing was done`;
    this.#fail(proposal, new SlctError("no_leader", over));
  }

  #fail(proposal: Proposal, error: SlctError): void {
    this.#close(proposal);
    proposal.reject(error);
  }

  #close(proposal: Proposal): void {
    this.#open.delete(proposal.seq);
    this.#bytes -= proposal.data.length;
    if (proposal.sentTerm > 0) this.#undecided--;
  }

  #unsend(proposal: Proposal): void {
    if (proposal.fence !== undefined) return this.#drop(proposal);
    proposal.sentTerm = 0;
    proposal.copies = 0;
    proposal.queued = true;
    this.#undecided--;
  }

  #collectQueued(): void {
    this.#unsent = [...this.#open.values()].filter((proposal) => proposal.queued);
    if (this.#unsent.length > 0) this.#options.wake();
  }
}

function* split(batch: readonly Proposal[]): Generator<readonly Proposal[]> {
  let part: Proposal[] = [];
  let bytes = 0;
  for (const proposal of batch) {
    if (part.length > 0 && bytes + proposal.data.length > batchBytesMax) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(proposal);
    bytes += proposal.data.length;
  }
  if (part.length > 0) yield part;
}
