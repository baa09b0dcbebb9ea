/**
 * Who is in the cluster, as this node knows it: links and duties follow the configuration in force, and what is final
 * follows the applied one.
 *
 * In force is the last one in the log, committed or not; it may be taken back. That an id was removed is only believed
 * when it is applied.
 */
import type { Raft } from "../raft/raft.js";
import type { Configuration, Member, NodeId } from "../raft/types.js";
import type { Peers } from "./types.js";

export function removedText(id: NodeId): string {
  return `node ${id} was removed from the cluster; its id is never used again: join with an empty directory under a new id`;
}

export interface MembersOptions {
  readonly self: NodeId;
  readonly raft: Pick<Raft, "configuration">;
  /** As of the store when it was opened; what the cluster began with if no change was applied. */
  readonly applied: Configuration;
  readonly setMembers: Peers["setMembers"];
  /** This node is no member any more, for good; called once. */
  readonly onRemoved: () => void;
}

export class Members {
  readonly #options: MembersOptions;
  #applied: Configuration;
  /** What the links were last told. */
  #followed: readonly [inForce: Configuration, applied: Configuration] | undefined;

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#applied = options.applied;
  }

  /** In force. */
  get all(): readonly Member[] {
    return this.#options.raft.configuration.members;
  }

  /** Never to be used again. */
  get removed(): readonly NodeId[] {
    return this.#applied.removed;
  }

  find(id: NodeId): Member | undefined {
    return this.all.find((member) => member.id === id);
  }

  get others(): readonly NodeId[] {
    return this.all.map(({ id }) => id).filter((id) => id !== this.#options.self);
  }

  /** Called in every turn. */
  follow(): void {
    const { raft, setMembers } = this.#options;
    const [inForce, applied] = this.#followed ?? [];
    if (inForce === raft.configuration && applied === this.#applied) return;
    this.#followed = [raft.configuration, this.#applied];
    setMembers(this.all, this.removed);
  }

  onApplied(configuration: Configuration): void {
    const wasRemoved = this.#isRemoved();
    this.#applied = configuration;
    if (!wasRemoved && this.#isRemoved()) this.#options.onRemoved();
  }

  #isRemoved(): boolean {
    return this.removed.includes(this.#options.self);
  }
}
