/**
 * The part of the hosts that carries snapshots from leaders to followers, under the control of a test.
 */

import type { InstallSnapshot, NodeId } from "../../raft/types.js";
import type { TestNode } from "./node.js";

/** The applied state of a node as it is now. */
export function snapshotOf(node: TestNode, to: NodeId): InstallSnapshot {
  const { id, raft, appliedIndex, configuration, disk } = node;
  const lastTerm = disk.term(appliedIndex) ?? 0;
  return { type: "InstallSnapshot", from: id, to, term: raft.term, lastIndex: appliedIndex, lastTerm, configuration };
}

/** Under way, one per follower and sender. */
export class SnapshotTransfers {
  readonly #underWay = new Map<string, InstallSnapshot>();

  get all(): readonly InstallSnapshot[] {
    return [...this.#underWay.values()];
  }

  begin(node: TestNode, to: NodeId): void {
    const key = `${node.id}>${to}`;
    if (!this.#underWay.has(key)) this.#underWay.set(key, snapshotOf(node, to));
  }

  end({ from, to }: InstallSnapshot): void {
    this.#underWay.delete(`${from}>${to}`);
  }

  /** A node is gone, and with it what it was sending. */
  stop(id: NodeId): void {
    for (const one of this.all) if (one.from === id) this.end(one);
  }
}
