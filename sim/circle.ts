/**
 * Whom each node keeps connections to, and whom it does not let in any more: what cluster/peers.ts does with the members.
 */
import type { NodeId } from "../raft/types.js";
import type { Host } from "./link.js";

interface Known {
  readonly members: ReadonlySet<NodeId>;
  readonly removed: ReadonlySet<NodeId>;
  /** Nodes that are connected to this one, and the instance that each said it was. */
  readonly callers: Map<NodeId, string>;
}

export class Circle {
  readonly #known = new Map<NodeId, Known>();

  set(host: Host, members: readonly NodeId[], removed: readonly NodeId[]): void {
    const callers = this.#known.get(host.id)?.callers ?? new Map<NodeId, string>();
    this.#known.set(host.id, { members: new Set(members), removed: new Set(removed), callers });
    host.instances.forget(removed);
    for (const id of members) {
      const met = callers.get(id);
      if (met !== undefined) host.instances.meet(id, met);
    }
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

  /** Why `caller` is not let in, ever. */
  bans(host: Host, caller: Host): "removed" | "instance" | undefined {
    if (this.#known.get(host.id)?.removed.has(caller.id) === true) return "removed";
    return (host.instances.get(caller.id) ?? caller.instance) === caller.instance ? undefined : "instance";
  }

  /** Whether it is the node that `host` wants to speak to. */
  recognises(host: Host, other: Host): boolean {
    const known = this.#known.get(host.id);
    if (known?.members.has(other.id) === true) return host.instances.meet(other.id, other.instance);
    return (host.instances.get(other.id) ?? known?.callers.get(other.id) ?? other.instance) === other.instance;
  }

  called(host: Host, caller: Host): void {
    const known = this.#known.get(host.id);
    known?.callers.set(caller.id, caller.instance);
    if (known?.members.has(caller.id) === true) host.instances.meet(caller.id, caller.instance);
  }

  gone(host: Host, caller: Host): void {
    this.#known.get(host.id)?.callers.delete(caller.id);
  }
}
