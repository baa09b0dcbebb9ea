/**
 * What only the leader does: fixes the replicated settings, keeps the clock hand, clears what dead nodes left parked, and lets
 * learners vote that have caught up.
 */
import type { Logger } from "pino";
import { keys } from "../src/select/keys.js";
import type { Command } from "../src/select/command.js";
import type { Meta, Settings } from "../src/select/types.js";
import { promoteLagMax } from "../raft/membership.js";
import type { Raft } from "../raft/raft.js";
import type { NodeId, RaftStatus, Term } from "../raft/types.js";
import { systemEnvironment, type Environment } from "./environment.js";
import type { Timers } from "./timers.js";
import type { Committed, Store } from "./types.js";

export interface DutiesOptions {
  readonly raft: Raft;
  readonly store: Pick<Store, "get">;
  readonly timers: Timers;
  readonly settings: Settings;
  /** How long a follower has to be silent before what it left parked is dropped. */
  readonly forgetAfterMs: number;
  /** How long a learner has to be near the end of the log before it votes. */
  readonly promoteAfterMs: number;
  /** A learner has what a voter needs beside the log. */
  readonly isPrepared: (learner: NodeId) => boolean;
  readonly logger: Pick<Logger, "info">;
  readonly submit: (command: Command) => Promise<Committed>;
  readonly onError: (message: string, error: unknown) => void;
  readonly environment?: Environment;
}

/** After a duty could not be done. */
const retryMs = 1000;
/** How often followers are looked after: what is waited for takes an election timeout at least. */
const lookMs = 100;

export class Duties {
  readonly #options: DutiesOptions;
  readonly #environment: Environment;
  /** Term in which this node took up its duties; 0: it has none. */
  #term: Term = 0;
  /** Monotonic time of the next attempt to replicate the settings; undefined: none is needed or one is under way. */
  #configureAtMs: number | undefined;
  /** Monotonic time of the next look at the followers. */
  #lookAtMs = 0;
  /** Since when a learner has been up to date, monotonic. */
  readonly #upToDateSince = new Map<NodeId, number>();
  /** When a follower fell silent; `Infinity`: already forgotten. */
  readonly #silentSince = new Map<NodeId, number>();

  constructor(options: DutiesOptions) {
    this.#options = options;
    this.#environment = options.environment ?? systemEnvironment;
  }

  /** An entry of `term` is applied here, so everything earlier is too: if this node leads that term, it begins. */
  onTerm(term: Term): void {
    const { raft, timers } = this.#options;
    if (raft.role !== "leader" || raft.term !== term || this.#term === term) return;
    this.#term = term;
    this.#silentSince.clear();
    this.#upToDateSince.clear();
    this.#configure();
    timers.start();
  }

  /** Called with every tick. */
  tick(): void {
    const { raft, timers } = this.#options;
    if (this.#term === 0) return;
    if (raft.role !== "leader" || raft.term !== this.#term) {
      this.#term = 0;
      timers.stop();
      return;
    }
    const nowMs = this.#environment.time.nowMs();
    if (this.#configureAtMs !== undefined && nowMs >= this.#configureAtMs) this.#configure();
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + lookMs;
    const status = raft.status();
    this.#watchFollowers(status, nowMs);
    this.#promoteLearners(status, nowMs);
  }

  #configure(): void {
    this.#configureAtMs = undefined;
    const term = this.#term;
    const meta = this.#options.store.get(keys.meta) as Meta | undefined;
    const { settings } = this.#options;
    const same =
      meta !== undefined &&
      (Object.keys(settings) as (keyof Settings)[]).every((name) => meta.settings[name] === settings[name]);
    if (same) return;
    this.#options.submit({ kind: "configure", seed: this.#environment.secret(), settings }).catch((error: unknown) => {
      this.#options.onError("the settings were not replicated yet", error);
      if (term === this.#term) this.#configureAtMs = this.#environment.time.nowMs() + retryMs;
    });
  }

  #watchFollowers({ id: self, progress: followers }: RaftStatus, nowMs: number): void {
    const { forgetAfterMs } = this.#options;
    for (const [id, progress] of Object.entries(followers)) {
      if (id === self || progress.heard === "yes") {
        this.#silentSince.delete(id);
        continue;
      }
      const sinceMs = this.#silentSince.get(id) ?? nowMs;
      this.#silentSince.set(id, sinceMs);
      if (nowMs - sinceMs < forgetAfterMs) continue;
      this.#silentSince.set(id, Infinity);
      this.#options.submit({ kind: "forget", node: id, epoch: Number.MAX_SAFE_INTEGER }).catch((error: unknown) => {
        this.#options.onError(`what node ${id} left parked was not dropped yet`, error);
        // If it has not come back meanwhile, it is asked for again.
        if (this.#silentSince.get(id) === Infinity) this.#silentSince.set(id, nowMs);
      });
    }
  }

  #promoteLearners({ configuration, progress, commitIndex, changing }: RaftStatus, nowMs: number): void {
    const { raft, promoteAfterMs, isPrepared, logger } = this.#options;
    for (const { id, voter } of configuration.members) {
      const learner = progress[id];
      const isUpToDate = !voter && learner?.heard === "yes" && learner.matchIndex + promoteLagMax >= commitIndex;
      if (!isUpToDate || !isPrepared(id)) {
        this.#upToDateSince.delete(id);
        continue;
      }
      const sinceMs = this.#upToDateSince.get(id) ?? nowMs;
      this.#upToDateSince.set(id, sinceMs);
      if (nowMs - sinceMs < promoteAfterMs || changing) continue;
      if (raft.changeMembers({ kind: "promote", id }, this.#term).ok) {
        logger.info({ learner: id }, "a learner has caught up and becomes a voter");
        return;
      }
    }
  }
}
