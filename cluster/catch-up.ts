/**
 * Whether this node has what the cluster has committed, as far as it can know.
 *
 * The core of a follower that is far behind knows of no entry that it does not have, so the leader's own word counts: once
 * applied here is what it said it had committed, the follower is taken for caught up until it loses the leader, or a
 * snapshot arrives.
 */
import type { Raft } from "../raft/raft.js";
import type { NodeId } from "../raft/types.js";
import type { Snapshots } from "./snapshots.js";
import type { StatusBoard } from "./status.js";
import type { Store } from "./types.js";

export interface CatchUpOptions {
  readonly self: NodeId;
  readonly raft: Pick<Raft, "leader" | "commitIndex">;
  readonly store: Pick<Store, "appliedIndex">;
  readonly board: Pick<StatusBoard, "commitIndexOf">;
  readonly snapshots: Pick<Snapshots, "arriving">;
}

export class CatchUp {
  readonly #options: CatchUpOptions;
  /** The leader behind which it has caught up. */
  #behind: NodeId | null = null;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  /** Called with every tick. */
  observe(): void {
    const { raft, snapshots } = this.#options;
    if (raft.leader === null || snapshots.arriving) this.#behind = null;
  }

  get done(): boolean {
    this.observe();
    const { self, raft, store, board } = this.#options;
    const { leader, commitIndex } = raft;
    if (leader === null || store.appliedIndex < commitIndex) return false;
    if (leader !== self && this.#behind === null && store.appliedIndex < (board.commitIndexOf(leader) ?? Infinity))
      return false;
    this.#behind = leader;
    return !this.#options.snapshots.arriving;
  }
}
