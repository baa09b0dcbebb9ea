/**
 * The safety properties of Raft (dissertation figure 3.2), checked while a cluster runs. Costs follow what changed.
 */

import { isDeepStrictEqual } from "node:util";
import { quorumSize } from "../../raft/quorum.js";
import type { Entry, Index, Message, NodeId, Ready, Role, Term } from "../../raft/types.js";
import type { TestNode } from "./node.js";

interface Seen {
  role: Role;
  term: Term;
  commitIndex: Index;
  /** Highest index it was told to write or had on disk. */
  lastIndex: Index;
  nextApplied: Index;
}

export class Invariants {
  readonly #nodes: readonly TestNode[];
  readonly #seen = new Map<NodeId, Seen>();
  readonly #leaders = new Map<Term, NodeId>();
  /** Term of the entry before, and the data, of every entry that ever existed. */
  readonly #entries = new Map<string, { readonly before: Term; readonly data: Uint8Array }>();
  /** Terms of the committed entries, by index. */
  readonly committed: Term[] = [0];

  constructor(nodes: readonly TestNode[]) {
    this.#nodes = nodes;
    for (const node of nodes) {
      this.started(node);
      this.#register(node.disk.entries(1, node.disk.lastIndex() + 1, Infinity), 0);
    }
  }

  started(node: TestNode): void {
    this.#seen.set(node.id, {
      role: node.raft.role,
      term: node.raft.term,
      commitIndex: node.raft.commitIndex,
      lastIndex: node.disk.lastIndex(),
      nextApplied: node.appliedIndex + 1,
    });
  }

  /** LeaderAppendOnly, LogMatching, StateMachineSafety, and the order and durability of what is handed out. */
  taken(node: TestNode, ready: Ready): void {
    const seen = this.#of(node);
    const first = ready.entries[0];
    if (first !== undefined) {
      if (node.raft.role === "leader") equal(first.index, seen.lastIndex + 1, "LeaderAppendOnly");
      this.#register(ready.entries, node.disk.term(first.index - 1) ?? -1);
      seen.lastIndex = first.index + ready.entries.length - 1;
    }
    for (const entry of ready.committed) {
      equal(entry.index, seen.nextApplied, "committed entries come once and in order");
      equal(entry.term, this.committed[entry.index], "StateMachineSafety");
      equal(node.disk.term(entry.index), entry.term, "handed out only when durable");
      seen.nextApplied += 1;
    }
  }

  /** What the message promises is on the disk of its sender. */
  left(node: TestNode, message: Message): void {
    if (message.type === "AppendEntries") this.#register(message.entries, message.prevLogTerm);
    if (message.type === "RequestVoteResponse" && message.granted && !message.preVote) {
      const { currentTerm, votedFor } = node.hardState;
      equal([currentTerm, votedFor], [message.term, message.to], "vote sent before it is durable");
    }
    if (message.type === "AppendEntriesResponse" && message.success) {
      atLeast(node.disk.lastIndex(), message.matchIndex, "answer sent before its entries are durable");
      atLeast(node.hardState.currentTerm, message.term, "answer sent before its term is durable");
    }
  }

  /** `node` is about to write what it took: nothing committed may be lost by it. */
  writes(node: TestNode, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const replaced = node.disk.term(entry.index);
      if (replaced === undefined || replaced === entry.term) continue;
      equal(replaced === this.committed[entry.index], false, "a committed entry is overwritten");
    }
  }

  /** ElectionSafety, LeaderCompleteness, monotone terms and commit indexes, commitment on a durable quorum. */
  stepped(node: TestNode): void {
    const seen = this.#of(node);
    const { role, term, commitIndex } = node.raft;
    atLeast(term, seen.term, "terms grow");
    atLeast(commitIndex, seen.commitIndex, "commit indexes grow");
    if (role === "leader" && (seen.role !== "leader" || seen.term !== term)) this.#elected(node);
    this.#commit(commitIndex);
    Object.assign(seen, { role, term, commitIndex });
  }

  #elected(node: TestNode): void {
    const known = this.#leaders.get(node.raft.term);
    equal(known ?? node.id, node.id, "ElectionSafety");
    this.#leaders.set(node.raft.term, node.id);
    equal(node.hardState.votedFor, node.id, "a leader has voted for itself");
    for (let index = node.disk.firstIndex(); index < this.committed.length; index += 1) {
      equal(node.disk.term(index), this.committed[index], "LeaderCompleteness");
    }
  }

  #commit(commitIndex: Index): void {
    for (let index = this.committed.length; index <= commitIndex; index += 1) {
      const copies = new Map<Term, number>();
      for (const node of this.#nodes) {
        const term = node.disk.term(index);
        if (term !== undefined) copies.set(term, (copies.get(term) ?? 0) + 1);
      }
      const quorum = quorumSize(this.#nodes.length);
      const durable = [...copies].find(([, count]) => count >= quorum);
      equal(durable === undefined, false, "committed without a durable quorum");
      this.committed.push(durable?.[0] ?? 0);
    }
  }

  #register(entries: readonly Entry[], before: Term): void {
    let previous = before;
    for (const { index, term, data } of entries) {
      const key = `${index}:${term}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, { before: previous, data });
      else if (known.data !== data) equal([known.data, known.before], [data, previous], "LogMatching");
      else equal(known.before, previous, "LogMatching");
      previous = term;
    }
  }

  #of(node: TestNode): Seen {
    const seen = this.#seen.get(node.id);
    if (seen === undefined) throw new Error(`unknown node ${node.id}`);
    return seen;
  }
}

// These run some million times a minute, which an assertion library is too slow for.

function equal(actual: unknown, expected: unknown, why: string): void {
  if (actual !== expected && !isDeepStrictEqual(actual, expected)) fail(actual, expected, why);
}

function atLeast(actual: number, least: number, why: string): void {
  if (!(actual >= least)) fail(actual, least, why);
}

function fail(actual: unknown, expected: unknown, why: string): never {
  throw new Error(`${why}: ${JSON.stringify(actual)} where ${JSON.stringify(expected)} was due`);
}
