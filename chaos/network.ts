/**
 * The network of a run: where its nodes are, and how to break what lies between them. Two kinds: proxies in this process
 * (proxy-network.ts), and network namespaces of the kernel (namespace-network.ts).
 */
import type { ClusterMember } from "../scripts/cluster-file.js";
import type { ProxyNetwork } from "./proxy-network.js";
import type { Undo } from "./undo.js";

/** Where a node is. */
export interface Place {
  /** As the others know it. */
  readonly member: ClusterMember;
  /** Of the node. */
  readonly flags: readonly string[];
  /** What the node's command is run by. */
  readonly prefix: readonly string[];
  /** Base URL of the API for the clients of the run. */
  readonly clientApi: string;
}

export interface BreakableNetwork {
  /** Makes room for one more node. */
  place(id: string): Promise<Place>;
  /** Address of this process that nodes reach, for callbacks. */
  readonly callbackHost: string;
  /** What nodes may call back besides loopback. */
  readonly callbackAllow: string;
  /** Nothing passes between any of `some` and any of `others`; clients reach all of them. */
  cut(some: readonly string[], others: readonly string[]): Promise<Undo>;
  /** What `from` sends to `to` does not arrive; the other way it does. */
  cutOneWay(from: string, to: string): Promise<Undo>;
  /** The node has no network at all, not even to its clients. */
  unplug(id: string): Promise<Undo>;
  close(): Promise<void>;
}

export type Network = ProxyNetwork | (BreakableNetwork & { readonly kind: "namespaces" });
