/**
 * What a fault is: something that is done to a cluster, held for a while, and undone. Undoing launches what is down and
 * does not wait for it: another fault may still be in its way.
 */
import type { ChaosCluster } from "./cluster.js";
import type { Clocks } from "./clocks.js";
import type { Undo } from "./undo.js";
import type { ProxyNetwork } from "./proxy-network.js";
import type { Random } from "./random.js";

/** Faults of one group do not come at the same time. */
export type Group = "process" | "network" | "disk" | "clock" | "failpoint" | "members";

/** What faults are inflicted on. */
export interface Scene {
  readonly cluster: ChaosCluster;
  readonly random: Random;
  /** Undefined: the clocks cannot be changed here. */
  readonly clocks: Clocks | undefined;
  /** The node whose data is on a file system of its own, small enough to fill. */
  readonly smallDisk: string | undefined;
  /** For the record of the run: what was done to whom. */
  readonly note: (what: string) => void;
}

export interface Fault {
  readonly name: string;
  readonly group: Group;
  /** How often it comes, compared with the others. */
  readonly weight: number;
  /** Between doing and undoing. */
  readonly holdMs: readonly [min: number, max: number];
  /** Why it cannot be had here; undefined: it can. */
  readonly missing?: (scene: Scene) => string | undefined;
  readonly inflict: (scene: Scene) => Promise<Undo>;
}

/** @throws Error on the wrong kind of network: `missing` says so before */
export function proxies({ cluster }: Scene): ProxyNetwork {
  if (cluster.network.kind !== "proxies") throw new Error("this fault needs proxies");
  return cluster.network;
}

export function needsProxies({ cluster }: Scene): string | undefined {
  return cluster.network.kind === "proxies" ? undefined : "only proxies can do this";
}

/** A node that is not `not`, running if there is one. */
export function someNode({ cluster, random }: Scene, not?: string): string {
  const others = cluster.ids.filter((id) => id !== not);
  const running = others.filter((id) => cluster.isUp(id));
  return random.pick(running.length > 0 ? running : others);
}

/** A node that may be given up: the one with the small disk is needed. `not`: nor this one. */
export function removable({ cluster, random, smallDisk }: Scene, not?: string): string {
  const others = cluster.ids.filter((id) => id !== smallDisk && id !== not);
  const running = others.filter((id) => cluster.isUp(id));
  return random.pick(running.length > 0 ? running : others);
}
