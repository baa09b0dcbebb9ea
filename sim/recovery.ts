/**
 * The second phase: a quorum of nodes works without faults from now on, the others are gone. It has to recover.
 *
 * Source: TigerBeetle's "liveness mode" (2023-07-06), reliability 3.3.
 */
import type { SimConfig } from "./config.js";
import { drawCore } from "./core.js";
import { equal } from "./equal.js";
import type { Loop } from "./loop.js";
import type { Network } from "./network.js";
import type { SimNode } from "./node.js";
import type { Oracle } from "./oracle.js";
import { Random, streamSeed } from "./random.js";
import type { Reference } from "./reference.js";
import type { Verdict } from "./verdict.js";
import { Violation } from "./violation.js";

export interface Patients {
  readonly config: SimConfig;
  readonly loop: Loop;
  readonly nodes: readonly SimNode[];
  readonly network: Network;
  readonly reference: Reference;
  readonly oracle: Oracle;
  readonly verdict: Verdict;
}

/** Transfers of snapshots that failed before are begun again after a minute at most. */
const snapshotsMs = 180_000;

type Asked = "unsent" | "open" | "answered";

export class Recovery {
  readonly #patients: Patients;
  readonly #core: readonly SimNode[];
  readonly #pausesLeader: boolean;
  /** A request that was sent after the faults. */
  #fresh: Asked = "unsent";
  readonly #reads = new Map<string, Asked>();

  constructor(patients: Patients) {
    const { config } = patients;
    const random = new Random(streamSeed(config.seed, "core"));
    this.#patients = patients;
    this.#pausesLeader = random.chance(0.5);
    this.#core = drawCore(patients, random);
  }

  /** The disks that are sound are too few: nothing can be expected. */
  get isHopeless(): boolean {
    return this.#core.length === 0;
  }

  /** Clocks that were set wrong, requests that time out and timers that wait for a horizon all fit in. */
  get limitMs(): number {
    const { tickMs, electionTicks, requestTimeoutMs, clockStep } = this.#patients.config;
    return snapshotsMs + 60 * electionTicks * tickMs + 4 * requestTimeoutMs + 60_000 + 2 * clockStep.byMs;
  }

  start(): void {
    const { loop, config } = this.#patients;
    for (const node of this.#patients.nodes) {
      if (!this.#core.includes(node)) node.crash({ write: "lost", polite: false });
      else if (node.life === undefined) node.start();
      else node.resume();
    }
    // Quiet as it is now, whoever takes over has nothing to write.
    const leader = this.#core.find(({ raft }) => raft?.role === "leader");
    if (leader !== undefined && this.#pausesLeader) {
      leader.pause();
      loop.after(3 * config.electionTicks * config.tickMs, () => leader.resume());
    }
    for (const node of this.#core) {
      node.onExit = () => {
        throw new Violation("recovery", `${node.id} ended without a fault`);
      };
    }
  }

  /** First everybody reads, so that a leader has to be able to without a write; then something is written. */
  isDone(): boolean {
    if (!this.#members.every((node) => this.#hasRead(node))) return false;
    if (this.#fresh === "unsent") this.#write();
    return this.#fresh === "answered" && this.#problem() === undefined;
  }

  /** @throws Violation when the cluster has not recovered, or not completely */
  finish(): void {
    const { reference, verdict } = this.#patients;
    if (verdict.violation !== undefined) return;
    const unread = this.#members.filter((node) => !this.#hasRead(node));
    const problem =
      unread.length > 0
        ? `${unread.map(({ id }) => id).join()} cannot read`
        : this.#fresh === "answered"
          ? this.#problem()
          : "a fresh request is not answered";
    if (problem !== undefined) throw new Violation("recovery", `${problem}: ${this.#describe()}`);
    reference.finish();
    for (const { id, store } of this.#members) {
      const records = [...(store?.records ?? [])].sort(byKey);
      if (!equal(records, [...reference.records.entries()].sort(byKey)))
        throw new Violation("replicas agree", `${id} has other records at the end`);
    }
  }

  /** A change that was under way may have added or removed one. */
  get #members(): readonly SimNode[] {
    const { members } = this.#patients.reference.configuration;
    return this.#core.filter(({ id }) => members.some((one) => one.id === id));
  }

  #problem(): string | undefined {
    const { reference } = this.#patients;
    const leaders = this.#members.filter(({ raft }) => raft?.role === "leader");
    const leader = leaders[0];
    if (leader === undefined || leaders.length > 1) return `${leaders.length} leaders`;
    const dueMs = leader.clock.wallMs(this.#patients.loop.nowMs) - 5_000;
    for (const { id, raft, store, member } of this.#members) {
      if (raft === undefined || store === undefined || member === undefined) return `${id} does not run`;
      if (raft.leader !== leader.id || raft.term !== leader.raft?.term) return `${id} follows ${raft.leader}`;
      if (store.appliedIndex !== reference.index) return `${id} has applied ${store.appliedIndex}`;
      const { proposals, waits } = member.parts;
      if (proposals.count > 0) return `${id} has ${proposals.count} proposals without an end`;
      if (waits.count > 0) return `${id} has ${waits.count} waits without an end`;
    }
    const [demand] = reference.records.demands.values();
    if (demand !== undefined) return `nobody waits any more for demand ${demand.seq} of ${demand.kind} ${demand.match}`;
    for (const key of reference.records.deadlines.keys()) {
      if (Number(key.slice(2, 18)) <= Math.min(dueMs, reference.nowMs - 5_000))
        return `overdue: ${JSON.stringify(key)}`;
    }
    return undefined;
  }

  /** Asks until it is answered: what is asked while nobody leads is refused. */
  #hasRead(node: SimNode): boolean {
    const { life, serving: member, raft, id } = node;
    const read = this.#reads.get(id) ?? "unsent";
    if (read !== "unsent" || life === undefined || member === undefined) return read === "answered";
    if (raft?.leader === null) return false;
    this.#reads.set(id, "open");
    node.enter(life, () => {
      member.fresh({ stale: false, minIndex: 0 }).then(
        () => this.#reads.set(id, "answered"),
        () => this.#reads.set(id, "unsent"),
      );
    });
    return false;
  }

  /** With tiny limits some may be refused. */
  #write(): void {
    const { loop } = this.#patients;
    const node = this.#members.find(({ serving, raft }) => serving !== undefined && raft?.leader !== null);
    const { life, serving: member } = node ?? {};
    if (node === undefined || life === undefined || member === undefined) return;
    this.#fresh = "open";
    node.enter(life, () => {
      member.submit({ kind: "make", chan: "fresh", buffer: 1 }).then(
        ({ outcome }) => {
          this.#fresh = outcome.ok ? "answered" : "unsent";
        },
        () => {
          loop.after(100, () => (this.#fresh = "unsent"));
        },
      );
    });
  }

  #describe(): string {
    return this.#core
      .map(({ id, raft, store, disk, isPaused, life }) => {
        const role = raft === undefined ? "down" : `${raft.role} t${raft.term} of ${raft.leader}`;
        return `${id}${isPaused ? " paused" : ""} ${life} ${role} commit ${raft?.commitIndex} applied ${store?.appliedIndex} log ${disk.lastIndex}`;
      })
      .join("; ");
  }
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
