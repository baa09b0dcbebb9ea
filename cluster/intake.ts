/**
 * The leader's door: takes proposals of any member, stamps them, and hands them to Raft.
 *
 * What it refuses in a term it refuses for the whole term, and says so again to whoever asks again: one refusal means for
 * sure that nothing was done or will be, whatever else is under way or was lost. While leadership is handed over nothing
 * is refused: what comes is held, and sent again by its origin when the next term has begun. So it is, for a while, when
 * the records do not keep up: a burst is slowed down, and only what lasts is refused. Source: reliability 24 (limits), 27
 * (a proxied command is never executed twice), 29 (term-fenced proposals).
 */
import { decodeEntry, stampEntry } from "../src/codec.js";
import type { Raft } from "../raft/raft.js";
import type { Index, NodeId, Term } from "../raft/types.js";
import { admits, type Restriction } from "./admission.js";
import { failpoint } from "./failpoint.js";
import type { Forward, Refused } from "./types.js";

/** Why the leader takes less than everything just now. */
export interface Limit {
  readonly restriction: Restriction;
  readonly reason: FinalReason;
}

type FinalReason = Exclude<Refused["reason"], "not_leader">;

export interface IntakeOptions {
  readonly raft: Pick<Raft, "role" | "term" | "commitIndex" | "propose">;
  /** Stamps, unix ms: never less than one before. */
  readonly clock: () => number;
  /** Applied here. */
  readonly applied: () => Index;
  /** What is applied is not written fast enough: nothing more is taken for the moment. */
  readonly congested: () => boolean;
  readonly limit: () => Limit | undefined;
  readonly refuse: (origin: NodeId, refused: Refused) => void;
}

/** One start of one origin, in this term. */
interface Source {
  readonly origin: NodeId;
  readonly epoch: number;
  /** Highest number decided on. Links are FIFO, so less or equal is a repetition. */
  decided: number;
  /** Those of them that were refused, oldest first; the others were taken. */
  readonly refused: Map<number, FinalReason>;
  /** Came while leadership was being handed over, or while the records were behind. */
  held: Forward[];
}

/** Refused numbers remembered per source. Beyond it the oldest are forgotten, and their repetition is not answered. */
const refusedMax = 16_384;
/** Bytes held, of all sources; beyond it is refused. */
const heldBytesMax = 64 * 1024 * 1024;
/** Ticks (a second, as configured) for which proposals are held because the records are behind; then they are refused. */
const heldTicksMax = 40;
/** Entries committed and not yet applied beyond which nothing more is taken: a second's work, or some. */
const unappliedMax = 16_384;

export class Intake {
  readonly #options: IntakeOptions;
  #term: Term = 0;
  readonly #sources = new Map<string, Source>();
  #heldBytes = 0;
  /** Of those that the first of what is held has waited for the records. */
  #heldTicks = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Takes what is new of `batch` (in order of `seq`). */
  accept(origin: NodeId, epoch: number, term: Term, batch: readonly Forward[]): void {
    const { raft, refuse } = this.#options;
    if (raft.role !== "leader" || raft.term !== term) {
      return refuse(origin, { epoch, term, seqs: batch.map(seqOf), reason: "not_leader" });
    }
    const source = this.#sourceOf(origin, epoch);
    const repeated = batch.filter(({ seq }) => seq <= source.decided);
    this.#tell(source, repeated.map(seqOf));
    this.#decide(source, batch.slice(repeated.length));
  }

  /** The link to `origin` is up anew: it may not have heard what was refused. */
  retell(origin: NodeId): void {
    if (!this.#leads()) return;
    for (const source of this.#sources.values())
      if (source.origin === origin) this.#tell(source, [...source.refused.keys()]);
  }

  /**
   * Called with every tick: nobody took over, or the records have caught up, so what was held is taken after all. Or
   * somebody did: it is forgotten. Or they have not for too long: it is refused.
   */
  release(): void {
    const leads = this.#leads();
    const isBehind = leads && this.#heldBytes > 0 && this.#isBehind();
    if (isBehind && ++this.#heldTicks < heldTicksMax) return;
    this.#heldBytes = 0;
    this.#heldTicks = 0;
    if (!leads) return this.#sources.clear();
    for (const source of this.#sources.values()) {
      const held = source.held;
      source.held = [];
      if (isBehind) this.#refuse(source, held, "overloaded");
      else this.#decide(source, held);
    }
  }

  #isBehind(): boolean {
    const { raft, applied, congested } = this.#options;
    return congested() || raft.commitIndex - applied() > unappliedMax;
  }

  #decide(source: Source, fresh: readonly Forward[]): void {
    const last = fresh.at(-1);
    if (last === undefined) return;
    source.decided = Math.max(source.decided, last.seq);
    // In order: what ends something must not overtake what it ends.
    if (source.held.length > 0 || this.#isBehind()) return this.#hold(source, fresh);
    const { raft, clock, limit } = this.#options;
    const limited = limit();
    const admitted = limited === undefined ? fresh : this.#admitted(source, fresh, limited);
    if (admitted.length === 0) return;
    const nowMs = clock();
    for (const { data } of admitted) stampEntry(data, nowMs);
    failpoint("intake.before-propose");
    const proposed = raft.propose(
      admitted.map(({ data }) => data),
      this.#term,
    );
    failpoint("intake.after-propose");
    if (proposed.ok) return;
    if (proposed.reason === "transferring") this.#hold(source, admitted);
    else this.#refuse(source, admitted, "overloaded");
  }

  #hold(source: Source, batch: readonly Forward[]): void {
    const bytes = batch.reduce((sum, { data }) => sum + data.length, 0);
    if (this.#heldBytes + bytes > heldBytesMax) return this.#refuse(source, batch, "overloaded");
    this.#heldBytes += bytes;
    source.held.push(...batch);
  }

  /** What `limit` leaves; the rest is refused. */
  #admitted(source: Source, fresh: readonly Forward[], { restriction, reason }: Limit): readonly Forward[] {
    const isAdmitted = fresh.map(({ data }) => admits(decodeEntry(data).command, restriction));
    const barred = fresh.filter((_, position) => isAdmitted[position] !== true);
    this.#refuse(source, barred, reason);
    return fresh.filter((_, position) => isAdmitted[position] === true);
  }

  #refuse(source: Source, batch: readonly Forward[], reason: FinalReason): void {
    for (const { seq } of batch) source.refused.set(seq, reason);
    for (const seq of source.refused.keys()) {
      if (source.refused.size <= refusedMax) break;
      source.refused.delete(seq);
    }
    this.#tell(source, batch.map(seqOf));
  }

  /** One answer for each reason among those of `seqs` that were refused. */
  #tell({ origin, epoch, refused }: Source, seqs: readonly number[]): void {
    const byReason = new Map<FinalReason, number[]>();
    for (const seq of seqs) {
      const reason = refused.get(seq);
      if (reason === undefined) continue;
      const same = byReason.get(reason);
      if (same === undefined) byReason.set(reason, [seq]);
      else same.push(seq);
    }
    for (const [reason, some] of byReason)
      this.#options.refuse(origin, { epoch, term: this.#term, seqs: some, reason });
  }

  #leads(): boolean {
    const { raft } = this.#options;
    return raft.role === "leader" && raft.term === this.#term;
  }

  #sourceOf(origin: NodeId, epoch: number): Source {
    const { term } = this.#options.raft;
    if (term !== this.#term) {
      this.#term = term;
      this.#sources.clear();
      this.#heldBytes = 0;
      this.#heldTicks = 0;
    }
    const key = `${origin}\0${epoch}`;
    const source = this.#sources.get(key) ?? { origin, epoch, decided: 0, refused: new Map(), held: [] };
    this.#sources.set(key, source);
    return source;
  }
}

function seqOf(one: Forward): number {
  return one.seq;
}
