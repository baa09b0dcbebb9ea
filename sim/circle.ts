/**
 * Whom each node keeps connections to, and whom it does not let in any more: what cluster/peers.ts does with the members.
 */
import type { NodeId } from "../raft/types.js";
import type { Host } from "./link.js";

interface Known {
  readonly members: ReadonlySet<NodeId>;
  readonly removed: ReadonlySet<NodeId>;
  /** Nodes that are connected to this one. */
  readonly callers: Set<NodeId>;
}

export class Circle {
  readonly #known = new Map<NodeId, Known>();

  set(host: Host, members: readonly NodeId[], removed: readonly NodeId[]): void {
    const callers = this.#known.get(host.id)?.callers ?? new Set();
    this.#known.set(host.id, { members: new Set(members), removed: new Set(removed), callers });
  }

  /** Its process is gone. */
  forget(host: Host): void {
    this.#known.delete(host.id);
  }

  /** A member, or a guest that is to be answered. */
  wants(from: Host, to: Host): boolean {
    const known = this.#known.get(from.id);
    return known !== undefined && (known.members.has(to.id) || known.callers.has(to.id));
  }

  bans(host: Host, caller: Host): boolean {
    return this.#known.get(host.id)?.removed.has(caller.id) === true;
  }

  called(host: Host, caller: Host): void {
    this.#known.get(host.id)?.callers.add(caller.id);
  }

  gone(host: Host, caller: Host): void {
    this.#known.get(host.id)?.callers.delete(caller.id);
  }
}
