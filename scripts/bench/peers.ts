/**
 * Which operation of ours stands against which of a peer's.
 */
import { etcdGet, etcdPut, openEtcd } from "./etcd.js";
import type { Found } from "./figure.js";
import { measure } from "./measure.js";
import { isChosen, type BenchOptions } from "./options.js";
import type { SlctCluster } from "./slct.js";
import { openRestate, restatePairs, restateSteps, restateTimers } from "./restate.js";
import { fight, type Duel } from "./versus.js";
import { create, reads, rendezvous, steps, timers } from "./workloads.js";

interface Ring {
  readonly duels: readonly Duel[];
  stop(): Promise<void>;
}

export async function beside(cluster: SlctCluster, dir: string, options: BenchOptions, found: Found): Promise<void> {
  const ring = await open(cluster, dir, options);
  try {
    for (const duel of ring.duels) {
      if (isChosen(duel.name, options.only)) found(duel.name, await fight(duel, options.rounds));
    }
  } finally {
    await ring.stop();
  }
}

async function open(cluster: SlctCluster, dir: string, options: BenchOptions): Promise<Ring> {
  switch (options.peer) {
    case "etcd":
      return besideEtcd(cluster, dir, options);
    case "restate":
      return besideRestate(cluster, dir, options);
    default:
      throw new Error("--peer must be etcd or restate");
  }
}

async function besideEtcd(cluster: SlctCluster, dir: string, options: BenchOptions): Promise<Ring> {
  const etcd = await openEtcd(dir);
  const duels = options.connections.flatMap((connections): Duel[] => {
    const sizes = [["10 KB", 10 * 1024] as const, ["256 B", 256] as const];
    const puts = sizes.map(([size, bytes]): Duel => ({
      name: `put ${size}, c=${connections}`,
      ours: () => measure(cluster, create(`create ${size}`, bytes, connections), options),
      peers: () => measure(etcd, etcdPut(`put ${size}`, bytes, connections), options),
    }));
    const gets = sizes.map(([size, bytes]): Duel => ({
      name: `linearizable get ${size}, c=${connections}`,
      ours: () => measure(cluster, reads(`get ${size}`, bytes, connections), options),
      peers: () => measure(etcd, etcdGet(`get ${size}`, bytes, connections), options),
    }));
    return [...puts, ...gets];
  });
  return { duels, stop: () => etcd.stop() };
}

/** Of timers that sleep for 100 ms more have to be under way than are asked for in that time. */
const timersPerConnection = 4;

async function besideRestate(cluster: SlctCluster, dir: string, options: BenchOptions): Promise<Ring> {
  const restate = await openRestate({ dir, cache: options.peerCache });
  const duels = options.connections.flatMap((connections): Duel[] => [
    {
      name: `rendezvous : awakeable 256 B, c=${connections}`,
      ours: () => measure(cluster, rendezvous(connections), options),
      peers: () => measure(restate, restatePairs(restate, connections), options),
    },
    {
      name: `process step : object call 10 KB, c=${connections}`,
      ours: () => measure(cluster, steps(connections), options),
      peers: () => measure(restate, restateSteps(10 * 1024, connections), options),
    },
    {
      name: `timer : sleep 100 ms, c=${connections}`,
      ours: () => measure(cluster, timers(connections), options),
      peers: () => measure(restate, restateTimers(connections * timersPerConnection), options),
    },
  ]);
  return { duels, stop: () => restate.stop() };
}
