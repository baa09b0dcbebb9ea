/**
 * The safety properties of Raft (dissertation figure 3.2) and what LogCabin, etcd and openraft check beside them, after
 * every event of a node. The cost follows what changed.
 */
import { configurationKey } from "../cluster/configuration.js";
import { decodeConfiguration, votersOf } from "../raft/configuration.js";
import type { Raft } from "../raft/raft.js";
import type { Configuration, Entry, Index, Message, NodeId, Role, Term } from "../raft/types.js";
import type { Batch, Disk } from "./disk.js";
import { equal, equalBytes } from "./equal.js";
import { check, Violation } from "./violation.js";
import { VoteChecks } from "./vote-checks.js";

/** A node, as far as these checks have to do with it. */
export interface Watched {
  readonly id: NodeId;
  readonly disk: Disk;
  /** Undefined while no process runs. */
  readonly raft: Raft | undefined;
}

interface Seen {
  role: Role;
  term: Term;
  commitIndex: Index;
  /** Over all lives. */
  highestTerm: Term;
  appliedIndex: Index;
  durableTerm: Term;
  wipes: number;
}

export class RaftChecks {
  readonly #nodes: readonly Watched[];
  readonly #onCommitted: (entry: Entry) => void;
  readonly #seen = new Map<NodeId, Seen>();
  readonly #leaders = new Map<Term, NodeId>();
  readonly #votes = new VoteChecks();
  /** Every entry that ever existed, by index and term, with the term of the one before. */
  readonly #entries = new Map<number, { readonly before: Term; readonly data: Uint8Array }>();
  /** The last that was committed; none before the first change. */
  #configuration: Configuration | undefined;
  /** By index; at 0 there is nothing. */
  readonly committed: (Entry | undefined)[] = [undefined];
  /** The terms in which that happened. */
  readonly #committedIn: Term[] = [0];

  /** @param onCommitted called once for each entry, in order, when it is first known to be committed */
  constructor(nodes: readonly Watched[], onCommitted: (entry: Entry) => void) {
    this.#nodes = nodes;
    this.#onCommitted = onCommitted;
  }

  get leaders(): number {
    return this.#leaders.size;
  }

  started(node: Watched): void {
    const { raft, disk } = node;
    if (raft === undefined) return;
    const last = this.#seen.get(node.id);
    // What it promised before it was emptied is forgotten.
    const before = last?.wipes === disk.wipes ? last : undefined;
    const { role, term, commitIndex } = raft;
    check(term >= (before?.durableTerm ?? 0), "monotone term", `${node.id} restarts in ${term}`);
    const isCovered = disk.cut.index <= disk.mark.index || disk.isSpoiled;
    check(isCovered, "purged <= snapshot", `${node.id} ${disk.cut.index} > ${disk.mark.index}`);
    this.#checkInForce(node, raft);
    check(disk.mark.index <= raft.commitIndex, "applied <= commit", `${node.id} ${disk.mark.index} > ${commitIndex}`);
    this.#seen.set(node.id, {
      ...{ role, term, commitIndex, highestTerm: Math.max(term, before?.highestTerm ?? 0) },
      ...{ appliedIndex: disk.mark.index, durableTerm: disk.hardState.currentTerm, wipes: disk.wipes },
    });
  }

  /** No voter speaks to a node that has forgotten what it promised, or listens to it. */
  connected(a: Watched, b: Watched): void {
    const [wiped, other] = a.disk.isWiped ? [a, b] : [b, a];
    if (!wiped.disk.isWiped || other.disk.isWiped || other.raft === undefined) return;
    if (votersOf(other.raft.configuration).includes(other.id))
      throw new Violation("the emptied are alone", `${other.id} lets in ${wiped.id}`);
  }

  /** In force is the last configuration in the log, or that of the records. */
  #checkInForce({ id, disk }: Watched, raft: Raft): void {
    const last = disk.entries.findLast(({ index, kind }) => kind !== undefined && index > disk.mark.index);
    const known =
      last === undefined
        ? (disk.records.get(configurationKey) as Configuration | undefined)
        : decodeConfiguration(last.data);
    if (known !== undefined && !equal(raft.configuration, known))
      throw new Violation("configuration in force", `${id} starts with ${votersOf(raft.configuration).join()}`);
  }

  /** After anything that may have changed this node. */
  stepped(node: Watched): void {
    const { raft } = node;
    const seen = this.#seen.get(node.id);
    if (raft === undefined || seen === undefined) return;
    const { role, term, commitIndex } = raft;
    if (term !== seen.term) {
      check(term > seen.term, "monotone term", `${node.id} goes from ${seen.term} to ${term}`);
      seen.highestTerm = Math.max(seen.highestTerm, term);
    }
    if (role === "leader" && (seen.role !== "leader" || seen.term !== term)) this.#elected(node, raft);
    if (commitIndex !== seen.commitIndex) {
      check(commitIndex > seen.commitIndex, "monotone commit", `${node.id}: ${seen.commitIndex} to ${commitIndex}`);
      this.commitTo(node, commitIndex);
      const ownTerm = this.committed[commitIndex]?.term;
      if (role === "leader" && seen.role === "leader" && term === seen.term)
        check(ownTerm === term, "own-term commit", `${node.id} in ${term} counts for ${commitIndex} of ${ownTerm}`);
    }
    seen.role = role;
    seen.term = term;
    seen.commitIndex = commitIndex;
  }

  /** LeaderAppendOnly, LogMatching, and nothing committed is overwritten. */
  appending(node: Watched, { entries, hardState }: Batch): void {
    const { disk, raft } = node;
    if (hardState !== undefined) {
      const { currentTerm, votedFor } = hardState;
      const before = disk.hardState;
      check(currentTerm >= before.currentTerm, "monotone term", `${node.id} writes term ${currentTerm}`);
      if (currentTerm === before.currentTerm && before.votedFor !== null && votedFor !== before.votedFor)
        throw new Violation("one vote per term", `${node.id} takes back its vote of term ${currentTerm}`);
    }
    const first = entries[0];
    if (first === undefined) return;
    const last = disk.lastIndex;
    if (raft?.role === "leader" && first.index <= last && disk.term(first.index) !== first.term)
      throw new Violation("LeaderAppendOnly", `${node.id} replaces ${first.index} of ${last}`);
    this.#register(entries, disk.term(first.index - 1) ?? -1);
    if (raft?.role === "leader" && entries.some(({ kind }) => kind !== undefined))
      this.#checkChange(node, raft, entries);
    const by = entries.find(({ index, term }) => disk.term(index) !== term)?.term ?? 0;
    for (let index = first.index; index <= Math.min(last, this.committed.length - 1); index += 1) {
      const kept = this.committed[index]?.term;
      if (disk.term(index) !== kept || entries[index - first.index]?.term === kept) continue;
      // A leader of an earlier term than that which committed it need not know it: this copy was in no quorum.
      if (by < (this.#committedIn[index] ?? 0)) continue;
      throw new Violation("committed entries stay", `${node.id} overwrites ${index}`);
    }
  }

  /** One change at a time, and not before something of the leader's own term is committed. */
  #checkChange({ id, disk }: Watched, { commitIndex, term }: Raft, entries: readonly Entry[]): void {
    const isOpen = ({ index, kind }: Entry): boolean => kind !== undefined && index > commitIndex;
    const open = [...disk.entries.filter(isOpen), ...entries.filter(isOpen)];
    const indexes = new Set(open.map(({ index }) => index));
    check(indexes.size <= 1, "one change at a time", `${id} has ${[...indexes].join()} above ${commitIndex}`);
    const committedTerm = entries.find(({ index }) => index === commitIndex)?.term ?? disk.term(commitIndex);
    const isOwn = committedTerm === term || !entries.some((one) => isOpen(one) && one.term === term);
    check(isOwn, "own-term change", `${id} changes the members in ${term}, committed is ${commitIndex}`);
  }

  /** What the message promises is on the disk of its sender. */
  sent(node: Watched, message: Message): void {
    const { disk } = node;
    if (disk.isWiped) return;
    const { currentTerm, votedFor } = disk.hardState;
    if (message.type === "AppendEntries") {
      if (message.entries.length > 0) this.#register(message.entries, message.prevLogTerm);
    } else if (message.type === "RequestVoteResponse" && message.granted && !message.preVote) {
      const kept = currentTerm === message.term && votedFor === message.to;
      check(kept, "sent is durable", `${node.id} votes for ${message.to} in ${message.term}, on disk: ${votedFor}`);
      this.#votes.granted(node, message.to, message.term);
    } else if (message.type === "RequestVote" && !message.preVote) {
      const kept = currentTerm === message.term && votedFor === node.id;
      check(kept, "sent is durable", `${node.id} campaigns in ${message.term}, on disk: ${currentTerm}`);
      this.#votes.campaigned(node, message);
    } else if (message.type === "AppendEntriesResponse" && message.success) {
      const { matchIndex, term } = message;
      check(disk.lastIndex >= matchIndex, "sent is durable", `${node.id} has ${disk.lastIndex}, tells ${matchIndex}`);
      check(currentTerm >= term, "sent is durable", `${node.id} answers in ${term}, on disk: ${currentTerm}`);
      const leader = this.#nodes.find(({ id }) => id === message.to);
      const theirs =
        leader?.raft?.role === "leader" && leader.raft.term === term ? leader.disk.term(matchIndex) : undefined;
      const own = disk.term(matchIndex);
      if (theirs !== undefined && own !== undefined)
        check(
          own === theirs,
          "acknowledged is the same",
          `${node.id} has ${matchIndex} of ${own}, its leader of ${theirs}`,
        );
    }
  }

  /** Called before the node sees it. */
  delivered(node: Watched, message: Message): void {
    if (message.type === "RequestVote" && !message.preVote) this.#votes.asked(node, message);
  }

  /** StateMachineSafety: called before the entry is applied. */
  applying(node: Watched, index: Index, term: Term): void {
    const seen = this.#seen.get(node.id);
    const { raft, disk } = node;
    if (seen === undefined || raft === undefined) return;
    if (index >= this.committed.length) this.commitTo(node, raft.commitIndex);
    const kept = this.committed[index];
    check(kept?.term === term, "StateMachineSafety", `${node.id} applies ${index} of ${term}, not of ${kept?.term}`);
    check(index === seen.appliedIndex + 1, "applied in order", `${node.id}: ${index} after ${seen.appliedIndex}`);
    check(disk.term(index) === term || index <= disk.cut.index, "applied is durable here", `${node.id}: ${index}`);
    seen.appliedIndex = index;
  }

  /** Everything up to `index` is committed, as this node knows. */
  commitTo(node: Watched, index: Index): void {
    while (this.committed.length <= index) {
      const next = this.committed.length;
      const term = this.#quorumTerm(node, next);
      const entry = this.#nodes.map(({ disk }) => entryAt(disk, next)).find((one) => one?.term === term);
      if (entry === undefined) throw new Violation("committed is on a durable quorum", `${node.id}: ${next}`);
      this.committed.push(entry);
      this.#committedIn.push(node.raft?.term ?? 0);
      if (entry.kind !== undefined) this.#configuration = decodeConfiguration(entry.data);
      this.#onCommitted(entry);
    }
  }

  /** The term of entry `index` on a quorum of disks. */
  #quorumTerm(node: Watched, index: Index): Term | undefined {
    const { raft } = node;
    if (raft === undefined) return undefined;
    const voters = votersOf(raft.configuration);
    const copies = new Map<Term, number>();
    for (const { id, disk } of this.#nodes) {
      const term = voters.includes(id) ? copyOn(disk, index)?.term : undefined;
      if (term !== undefined) copies.set(term, (copies.get(term) ?? 0) + 1);
    }
    for (const [term, count] of copies) if (2 * count > voters.length) return term;
    return undefined;
  }

  #elected(node: Watched, raft: Raft): void {
    const { term } = raft;
    const known = this.#leaders.get(term) ?? node.id;
    check(known === node.id, "ElectionSafety", `${known} and ${node.id} lead in ${term}`);
    this.#leaders.set(term, node.id);
    const { disk } = node;
    check(disk.hardState.votedFor === node.id, "a leader voted for itself", `${node.id} in ${term}`);
    // The one that is removed by an entry that is not known to be committed may be the only one that can win.
    const electable = [raft.configuration, this.#configuration ?? raft.configuration].flatMap(votersOf);
    const isElectable = this.#configuration === undefined || electable.includes(node.id);
    check(isElectable, "a leader is a voter", `${node.id} in ${term}`);
    for (let index = disk.cut.index + 1; index < this.committed.length; index += 1) {
      // The votes for an earlier term may have been counted late.
      if ((this.#committedIn[index] ?? 0) >= term) continue;
      const kept = this.committed[index]?.term;
      check(disk.term(index) === kept, "LeaderCompleteness", `${node.id} leads in ${term} without ${index} of ${kept}`);
    }
  }

  #register(entries: readonly Entry[], before: Term): void {
    let previous = before;
    for (const { index, term, data, kind } of entries) {
      const key = index * 2 ** 20 + term;
      const known = this.#entries.get(key);
      if (known === undefined) {
        this.#entries.set(key, { before: previous, data });
        if (kind !== undefined && decodeConfiguration(data) === undefined)
          throw new Violation("LogMatching", `entry ${index} is no configuration`);
      } else if (known.before !== previous || !equalBytes(known.data, data)) {
        throw new Violation("LogMatching", `entry ${index} of term ${term} is not the same everywhere`);
      }
      previous = term;
    }
  }
}

/** Or was, when it was acknowledged. */
function copyOn(disk: Disk, index: Index): Entry | undefined {
  return entryAt(disk, index) ?? disk.wiped[index - (disk.wiped[0]?.index ?? 0)];
}

function entryAt(disk: Disk, index: Index): Entry | undefined {
  return disk.entries[index - disk.cut.index - 1];
}
