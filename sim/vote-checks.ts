/**
 * What a vote promises: one in each term, and for nobody whose log is behind the own one.
 */
import type { Message, NodeId, Term } from "../raft/types.js";
import type { Watched } from "./raft-checks.js";
import { check, Violation } from "./violation.js";

type RequestVote = Extract<Message, { type: "RequestVote" }>;

export class VoteChecks {
  /** `node term` → whom it voted for, for ever. */
  readonly #votes = new Map<string, NodeId>();
  /** `node term candidate` → how the logs compared, each time that it was asked. */
  readonly #asked = new Map<string, { readonly isUpToDate: boolean; readonly logs: string }[]>();

  /** Called before the voter sees it: by the time its answer leaves, it may have entries of the leader of this term. */
  asked(voter: Watched, { from, term, lastLogIndex, lastLogTerm }: RequestVote): void {
    if (voter.raft === undefined) return;
    const { lastIndex, lastTerm } = voter.raft.status();
    const isUpToDate = lastLogTerm > lastTerm || (lastLogTerm === lastTerm && lastLogIndex >= lastIndex);
    const logs = `with ${lastIndex}/${lastTerm} votes for ${from} with ${lastLogIndex}/${lastLogTerm}`;
    const key = `${voter.id} ${term} ${from}`;
    this.#asked.set(key, [...(this.#asked.get(key) ?? []), { isUpToDate, logs }]);
  }

  /** It votes for itself, and what it says of its log is on its disk as long as it can win. */
  campaigned({ id, disk, raft }: Watched, { term, lastLogIndex, lastLogTerm }: RequestVote): void {
    this.#voted(id, term, id);
    // While term and vote were written, another leader of this term may have taken the end of its log away.
    if (raft?.role !== "candidate" || raft.term !== term) return;
    const onDisk = disk.term(lastLogIndex);
    const isTrue = onDisk === undefined ? lastLogIndex < disk.cut.index : onDisk === lastLogTerm;
    check(isTrue, "sent is durable", `${id} campaigns with ${lastLogIndex}/${lastLogTerm}, on disk: ${onDisk}`);
  }

  /** MoreUpToDate: nobody votes for a log that is behind the own one. */
  granted({ id }: Watched, to: NodeId, term: Term): void {
    const asked = this.#asked.get(`${id} ${term} ${to}`);
    if (asked === undefined) throw new Violation("MoreUpToDate", `${id} was not asked to vote for ${to} in ${term}`);
    const isUpToDate = asked.some((one) => one.isUpToDate);
    check(isUpToDate, "MoreUpToDate", `${id} ${asked[0]?.logs}`);
    this.#voted(id, term, to);
  }

  #voted(id: NodeId, term: Term, candidate: NodeId): void {
    const key = `${id} ${term}`;
    const before = this.#votes.get(key) ?? candidate;
    check(before === candidate, "one vote per term", `${id} votes for ${before} and ${candidate} in ${term}`);
    this.#votes.set(key, candidate);
  }
}
