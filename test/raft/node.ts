/**
 * One node under test: the core, its disk in memory, and the host's duties under the control of the test.
 */

import { MemoryLog } from "../../raft/memory-log.js";
import { Raft } from "../../raft/raft.js";
import type {
  Configuration,
  Entry,
  HardState,
  InstallSnapshot,
  Message,
  NodeId,
  RaftOptions,
  ReadState,
  Ready,
  Term,
} from "../../raft/types.js";
import { decodeConfiguration, votersOf } from "../../raft/configuration.js";
import { configurationOf, entriesOf } from "./messages.js";

export interface NodeSetup extends Partial<RaftOptions> {
  readonly id?: NodeId;
  /** Terms of the log on disk. */
  readonly terms?: readonly Term[];
  readonly term?: Term;
  readonly votedFor?: NodeId | null;
  readonly commit?: number;
  /** Short for a configuration. */
  readonly voters?: readonly NodeId[];
}

/** What the applied records of a node say when it starts. */
export interface Applied {
  readonly appliedIndex: number;
  readonly configuration?: Configuration;
  readonly needsSnapshot?: boolean;
}

export const threeVoters = ["n1", "n2", "n3"];

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class TestNode {
  readonly id: NodeId;
  raft: Raft;
  readonly disk: MemoryLog;
  hardState: HardState;
  /** Handed out as committed since the last start. */
  applied: Entry[] = [];
  appliedIndex: number;
  reads: ReadState[] = [];
  /** Taken and not yet written. */
  writing: Ready | undefined;
  /** As of `appliedIndex`: what a snapshot taken now would hold. */
  configuration: Configuration;
  needsSnapshot: boolean;
  readonly #options: Omit<RaftOptions, "log" | "hardState" | "appliedIndex" | "configuration" | "needsSnapshot">;

  constructor(setup: NodeSetup = {}) {
    const { id = "n1", terms = [], term = terms.at(-1) ?? 0, votedFor = null, commit = 0 } = setup;
    this.id = id;
    this.disk = new MemoryLog(entriesOf(terms));
    this.hardState = { currentTerm: term, votedFor, commitIndex: commit };
    this.appliedIndex = setup.appliedIndex ?? 0;
    this.configuration = setup.configuration ?? configurationOf(setup.voters ?? threeVoters);
    this.needsSnapshot = setup.needsSnapshot ?? false;
    this.#options = {
      id,
      electionTicks: setup.electionTicks ?? 10,
      heartbeatTicks: setup.heartbeatTicks ?? 1,
      random: setup.random ?? (() => 0),
      appendBytesMax: setup.appendBytesMax ?? 1 << 20,
      inflightMax: setup.inflightMax ?? 64,
      ...(setup.inflightBytesMax !== undefined && { inflightBytesMax: setup.inflightBytesMax }),
      uncommittedBytesMax: setup.uncommittedBytesMax ?? 1 << 20,
      preVote: setup.preVote ?? false,
      checkQuorum: setup.checkQuorum ?? false,
    };
    this.raft = this.#boot();
  }

  /** Everything that was not written is gone; entries up to `at.appliedIndex` were applied before. */
  restart(at: Applied = this): void {
    this.writing = undefined;
    this.applied = [];
    this.appliedIndex = at.appliedIndex;
    this.configuration = at.configuration ?? this.configuration;
    this.needsSnapshot = at.needsSnapshot ?? false;
    this.reads = [];
    this.raft = this.#boot();
  }

  /** Takes a Ready; what leaves at once is returned, the rest waits for {@link persist}. */
  take(): Ready {
    const ready = this.raft.takeReady();
    this.writing = ready;
    this.applied.push(...ready.committed);
    this.appliedIndex = ready.committed.at(-1)?.index ?? this.appliedIndex;
    const change = ready.committed.findLast(({ kind }) => kind === "configuration");
    if (change !== undefined) this.configuration = decodeConfiguration(change.data) as Configuration;
    this.reads.push(...ready.reads);
    return ready;
  }

  /** The write reaches the disk, whether or not anybody learns of it. */
  write(): Ready {
    const ready = this.writing;
    if (ready === undefined) throw new Error("nothing is being written");
    if (ready.hardState !== undefined) this.hardState = ready.hardState;
    this.disk.append(ready.entries);
    return ready;
  }

  /** The write is done and confirmed; a snapshot that came with it is installed by a restart in place. */
  persist(): readonly Message[] {
    const ready = this.write();
    this.writing = undefined;
    this.raft.persisted(ready);
    if (ready.install !== undefined) {
      const { index, term, configuration } = ready.install;
      this.disk.install(index, term);
      this.restart({ appliedIndex: index, configuration });
    }
    return ready.messagesAfterPersist;
  }

  /** All turns until nothing is left to do; returns everything that left. */
  pump(): Message[] {
    const messages: Message[] = [];
    while (this.raft.hasReady()) {
      messages.push(...this.take().messages);
      messages.push(...this.persist());
    }
    return messages;
  }

  step(...messages: readonly (Message | InstallSnapshot)[]): Message[] {
    for (const message of messages) this.raft.step(message);
    return this.pump();
  }

  tick(times = 1): Message[] {
    const messages: Message[] = [];
    for (let at = 0; at < times; at += 1) {
      this.raft.tick();
      messages.push(...this.pump());
    }
    return messages;
  }

  propose(...data: readonly string[]): Message[] {
    this.raft.propose(data.map((one) => new TextEncoder().encode(one)));
    return this.pump();
  }

  /** Campaigns and is elected by its peers. Messages of the election are dropped. */
  elect(): this {
    this.raft.campaign();
    this.pump();
    const peers = votersOf(this.raft.configuration).filter((voter) => voter !== this.id);
    for (const from of peers) {
      if (this.raft.role === "preCandidate") this.raft.step(this.#ballot(from, this.raft.term + 1, true));
      this.pump();
    }
    for (const from of peers) this.raft.step(this.#ballot(from, this.raft.term, false));
    this.pump();
    return this;
  }

  /** Terms of the log on disk. */
  get terms(): Term[] {
    const stored = this.disk.entries(this.disk.firstIndex(), this.disk.lastIndex() + 1, Infinity);
    return stored.map((entry) => entry.term);
  }

  #ballot(from: NodeId, term: Term, preVote: boolean): Message {
    return { type: "RequestVoteResponse", from, to: this.id, term, preVote, granted: true };
  }

  #boot(): Raft {
    const { disk, hardState, appliedIndex, configuration, needsSnapshot } = this;
    return new Raft({ ...this.#options, log: disk, hardState, appliedIndex, configuration, needsSnapshot });
  }
}
