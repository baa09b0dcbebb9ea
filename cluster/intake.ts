/**
 * The leader's door: takes proposals of any member, stamps them, and hands them to Raft.
 *
 * Source: reliability 27 (a proxied command is never executed twice) and 29 (term-fenced proposals).
 */
import { stampEntry } from "../src/codec.js";
import type { Raft } from "../raft/raft.js";
import type { NodeId, Term } from "../raft/types.js";
import type { Forward } from "./types.js";

export interface Refused {
  readonly seqs: readonly number[];
  readonly reason: "not_leader" | "overloaded";
}

export class Intake {
  readonly #raft: Raft;
  readonly #clock: () => number;
  readonly #congested: () => boolean;
  #term: Term = 0;
  /** Per origin and start of it: the highest number taken in this term. Links are FIFO, so less or equal is a repetition. */
  readonly #taken = new Map<string, number>();

  /** `clock`: wall clock, ms. `congested`: the store cannot keep up, take nothing more. */
  constructor(raft: Raft, clock: () => number, congested: () => boolean) {
    this.#raft = raft;
    this.#clock = clock;
    this.#congested = congested;
  }

  /** Takes what is new of `batch` (in order of `seq`); returns what was not taken. */
  accept(origin: NodeId, epoch: number, term: Term, batch: readonly Forward[]): Refused | undefined {
    if (this.#raft.role !== "leader" || this.#raft.term !== term)
      return { seqs: batch.map(seqOf), reason: "not_leader" };
    if (term !== this.#term) {
      this.#term = term;
      this.#taken.clear();
    }
    const key = `${origin}\0${epoch}`;
    const taken = this.#taken.get(key) ?? 0;
    const fresh = batch.filter((one) => one.seq > taken);
    const last = fresh.at(-1);
    if (last === undefined) return undefined;
    if (this.#congested()) return { seqs: fresh.map(seqOf), reason: "overloaded" };
    const nowMs = this.#clock();
    for (const one of fresh) stampEntry(one.data, nowMs);
    const refused = this.#propose(fresh, term);
    // What was refused is not taken: its origin may send it again if the refusal got lost.
    if (refused === undefined) this.#taken.set(key, last.seq);
    return refused;
  }

  #propose(fresh: readonly Forward[], term: Term): Refused | undefined {
    const proposed = this.#raft.propose(
      fresh.map((one) => one.data),
      term,
    );
    if (proposed.ok) return undefined;
    return { seqs: fresh.map(seqOf), reason: proposed.reason === "overloaded" ? "overloaded" : "not_leader" };
  }
}

function seqOf(one: Forward): number {
  return one.seq;
}
