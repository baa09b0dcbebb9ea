/**
 * Ours and a peer's, in turns and short rounds, so that whatever else the machine does meets both. What counts is the ratio
 * of the medians.
 */
import type { Value } from "./figure.js";
import { median } from "./latency.js";

export type Measured = Readonly<Record<string, Value>>;

export interface Duel {
  readonly name: string;
  readonly ours: () => Promise<Measured>;
  readonly peers: () => Promise<Measured>;
}

export async function fight({ ours, peers }: Duel, rounds: number): Promise<Record<string, Value>> {
  const our: Measured[] = [];
  const peer: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    // Who is second finds caches and disk as the other left them: both get both places.
    if (round % 2 === 0) our.push(await ours());
    peer.push(await peers());
    if (round % 2 === 1) our.push(await ours());
  }
  return compare(our, peer);
}

export function compare(our: readonly Measured[], peer: readonly Measured[]): Record<string, Value> {
  const of = (rounds: readonly Measured[], name: string) => rounds.map((one) => total(one[name] ?? NaN));
  const middle = (rounds: readonly Measured[], name: string) => median(of(rounds, name));
  return {
    ratio: middle(our, "perSecond") / middle(peer, "perSecond"),
    ...{ perSecond: middle(our, "perSecond"), peerPerSecond: middle(peer, "perSecond") },
    ...{ p50Ms: middle(our, "p50Ms"), peerP50Ms: middle(peer, "p50Ms") },
    ...{ p99Ms: middle(our, "p99Ms"), peerP99Ms: middle(peer, "p99Ms") },
    ...{ cpuMicrosPerOp: middle(our, "cpuMicrosPerOp"), peerCpuMicrosPerOp: middle(peer, "cpuMicrosPerOp") },
    ...{ syncsPerOp: middle(our, "syncsPerOp"), peerSyncsPerOp: middle(peer, "syncsPerOp") },
    ...{ loadCores: middle(our, "loadCores"), peerLoadCores: middle(peer, "loadCores") },
    ...{ rounds: of(our, "perSecond"), peerRounds: of(peer, "perSecond") },
  };
}

function total(value: Value): number {
  return typeof value === "number" ? value : value.reduce((sum, one) => sum + one, 0);
}
