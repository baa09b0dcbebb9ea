/**
 * What this node knows of who leads, and since when nobody does.
 */
import type { Logger } from "pino";
import type { Raft } from "../raft/raft.js";
import type { Message, NodeId, Term } from "../raft/types.js";
import type { Time } from "./environment.js";

export interface LeadershipOptions {
  readonly self: NodeId;
  readonly raft: Pick<Raft, "leader" | "term">;
  readonly time: Time;
  /** After so long without a leader there is no hope of one. */
  readonly graceMs: number;
  readonly logger: Pick<Logger, "info">;
  readonly onLeader: () => void;
  /** From one message of the leader to the next, seconds. */
  readonly observeSilence: (seconds: number) => void;
}

export class LeadershipWatch {
  readonly #options: LeadershipOptions;
  #leader: NodeId | null = null;
  #term: Term = 0;
  /** Monotonic; undefined while a leader is known. */
  #leaderlessSinceMs: number | undefined;
  /** Monotonic; undefined until the leader of this term was heard. */
  #heardMs: number | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#leaderlessSinceMs = options.time.nowMs();
  }

  /** No leader is known, and has not been for the time of grace. */
  get hopeless(): boolean {
    const { time, graceMs } = this.#options;
    return this.#leaderlessSinceMs !== undefined && time.nowMs() - this.#leaderlessSinceMs > graceMs;
  }

  /** Called with every message of another member, once Raft has taken it. */
  onMessage({ type, from, term }: Message): void {
    this.observe();
    if (type !== "AppendEntries" && type !== "Heartbeat") return;
    if (from !== this.#leader || term !== this.#term) return;
    const nowMs = this.#options.time.nowMs();
    if (this.#heardMs !== undefined) this.#options.observeSilence((nowMs - this.#heardMs) / 1000);
    this.#heardMs = nowMs;
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
    this.#heardMs = undefined;
    if (leader !== null) this.#leaderlessSinceMs = undefined;
    else this.#leaderlessSinceMs ??= time.nowMs();
  }
}
