/**
 * The safety properties of Raft (dissertation figure 3.2), checked while a cluster runs. Costs follow what changed.
 */

import { isDeepStrictEqual } from "node:util";
import { quorumSize } from "../../raft/quorum.js";
import { decodeConfiguration, encodeConfiguration, votersOf } from "../../raft/configuration.js";
import type { Configuration, Entry, Index, Message, NodeId, Ready, Role, Term } from "../../raft/types.js";
import type { TestNode } from "./node.js";

interface Seen {
  role: Role;
  term: Term;
  commitIndex: Index;
  /** Highest index it was told to write or had on disk. */
  lastIndex: Index;
  nextApplied: Index;
  /** Applied, and those of the log above. */
  configurations: { readonly index: Index; readonly configuration: Configuration }[];
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
      configurations: [{ index: node.appliedIndex, configuration: node.configuration }],
    });
    const { disk } = node;
    const first = Math.max(node.appliedIndex + 1, disk.firstIndex());
    this.#configure(node, disk.entries(first, disk.lastIndex() + 1, Infinity));
  }

  /** LeaderAppendOnly, LogMatching, StateMachineSafety, and the order and durability of what is handed out. */
  taken(node: TestNode, ready: Ready): void {
    const seen = this.#of(node);
    const first = ready.entries[0];
    if (first !== undefined) {
      if (node.raft.role === "leader") equal(first.index, seen.lastIndex + 1, "LeaderAppendOnly");
      this.#register(ready.entries, node.disk.term(first.index - 1) ?? -1);
      seen.lastIndex = first.index + ready.entries.length - 1;
      this.#configure(node, ready.entries);
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
    if (message.type === "TimeoutNow") equal(this.#leaders.get(message.term), node.id, "only a leader hands over");
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
    if (role !== "follower" && role !== seen.role) this.#mayLead(node);
    if (role === "leader" && commitIndex > seen.commitIndex) this.#leadsOn(node);
    this.#commit(node);
    Object.assign(seen, { role, term, commitIndex });
  }

  #elected(node: TestNode): void {
    const known = this.#leaders.get(node.raft.term);
    equal(known ?? node.id, node.id, "ElectionSafety");
    this.#leaders.set(node.raft.term, node.id);
    equal(node.hardState.votedFor, node.id, "a leader has voted for itself");
    const others = node.raft.configuration.members.filter(({ id }) => id !== node.id).map(({ id }) => id);
    equal(
      Object.keys(node.raft.status().progress).sort(),
      others.sort(),
      "a leader follows all members and nobody else",
    );
    for (let index = node.disk.firstIndex(); index < this.committed.length; index += 1) {
      equal(node.disk.term(index), this.committed[index], "LeaderCompleteness");
    }
  }

  /** Whoever moves the commit index first is the leader: its configuration decides what a quorum is. */
  #commit({ raft }: TestNode): void {
    if (this.committed.length > raft.commitIndex) return;
    const voters = votersOf(raft.configuration);
    for (let index = this.committed.length; index <= raft.commitIndex; index += 1) {
      const copies = new Map<Term, number>();
      for (const node of this.#nodes) {
        const term = voters.includes(node.id) ? node.disk.term(index) : undefined;
        if (term !== undefined) copies.set(term, (copies.get(term) ?? 0) + 1);
      }
      const quorum = quorumSize(voters.length);
      const durable = [...copies].find(([, count]) => count >= quorum);
      equal(durable === undefined, false, "committed without a durable quorum");
      this.committed.push(durable?.[0] ?? 0);
    }
  }

  /** The last configuration of the log is in force; a leader adds one that differs by one voter, the last one committed. */
  #configure(node: TestNode, entries: readonly Entry[]): void {
    const { configurations } = this.#of(node);
    const first = entries[0]?.index ?? Infinity;
    while (configurations.length > 1 && (configurations.at(-1)?.index ?? 0) >= first) configurations.pop();
    for (const { kind, index, data } of entries) {
      const last = configurations.at(-1);
      const configuration = kind && decodeConfiguration(data);
      if (configuration === undefined || last === undefined) continue;
      if (node.raft.role === "leader") {
        atLeast(this.committed.length - 1, last.index, "a configuration follows one that is not committed");
        equal(this.committed[node.raft.commitIndex], node.raft.term, "a change before an own entry is committed");
        checkChange(last.configuration, configuration);
      }
      configurations.push({ index, configuration });
    }
    const [inForce, known] = [node.raft.configuration, configurations.at(-1)?.configuration ?? node.configuration];
    equal(encodeConfiguration(inForce), encodeConfiguration(known), "the last configuration of the log is in force");
  }

  /** Voters only, or voters of the configuration before while the last may still be undone. */
  #mayLead(node: TestNode): void {
    const recent = this.#of(node).configurations.slice(-2);
    const votes = recent.some(({ configuration }) => votersOf(configuration).includes(node.id));
    equal(votes, true, "a node campaigns without being a voter");
  }

  /** A leader whose removal is committed is none any more. */
  #leadsOn({ raft }: TestNode): void {
    const { configuration, changing } = raft.status();
    equal(changing || votersOf(configuration).includes(raft.status().id), true, "a leader goes on after its removal");
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

function checkChange(before: Configuration, after: Configuration): void {
  const old = new Set(votersOf(before));
  const now = new Set(votersOf(after));
  const differing = [...old, ...now].filter((id) => !old.has(id) || !now.has(id));
  atLeast(1, differing.length, "one voter at a time");
  equal(after.removed.slice(0, before.removed.length), before.removed, "what was removed stays removed");
  const gone = before.members.map(({ id }) => id).filter((id) => !after.members.some((one) => one.id === id));
  equal(after.removed.slice(before.removed.length), gone, "whoever leaves is remembered");
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
