/**
 * What this node knows of who leads, and since when nobody does.
 */
import type { Logger } from "pino";
import type { Raft } from "../raft/raft.js";
import type { NodeId, Term } from "../raft/types.js";
import type { Time } from "./environment.js";

export interface LeadershipOptions {
  readonly self: NodeId;
  readonly raft: Pick<Raft, "leader" | "term">;
  readonly time: Time;
  /** After so long without a leader there is no hope of one. */
  readonly graceMs: number;
  readonly logger: Pick<Logger, "info">;
  readonly onLeader: () => void;
}

export class LeadershipWatch {
  readonly #options: LeadershipOptions;
  #leader: NodeId | null = null;
  #term: Term = 0;
  /** Monotonic; undefined while a leader is known. */
  #leaderlessSinceMs: number | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#leaderlessSinceMs = options.time.nowMs();
  }

  /** No leader is known, and has not been for the time of grace. */
  get hopeless(): boolean {
    const { time, graceMs } = this.#options;
    return this.#leaderlessSinceMs !== undefined && time.nowMs() - this.#leaderlessSinceMs > graceMs;
  }

  /** Called in every turn and with every tick. */
  observe(): void {
    const { self, raft, time, logger, onLeader } = this.#options;
    const { leader, term } = raft;
    if (leader === this.#leader && term === this.#term) return;
    if (leader !== null) {
      onLeader();
      logger.info({ leader, term, self: leader === self }, "leader known");
    } else if (this.#leader !== null) {
      logger.info({ term, was: this.#leader }, "leader lost");
    }
    this.#leader = leader;
    this.#term = term;
    if (leader !== null) this.#leaderlessSinceMs = undefined;
    else this.#leaderlessSinceMs ??= time.nowMs();
  }
}
