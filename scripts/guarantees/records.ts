/**
 * What is kept of a chaos run: the figures, without the stories. docs/runs/chaos.json is a list of them.
 */
import type { LegReport, Report, Spread } from "../../chaos/figures.js";
import { spread } from "../../chaos/figures.js";

/** One fault, or two at once: name, ms without an acknowledged write, ms until all served again, changes of leader. */
export type EpisodeRecord = readonly [fault: string, unavailableMs: number, recoveryMs: number, leaderChanges: number];

export interface ChaosRecord {
  readonly at: string;
  readonly commit: string;
  readonly seed: number;
  readonly machine: string;
  readonly loads?: readonly number[];
  readonly network: string;
  readonly nodes: number;
  readonly seconds: number;
  readonly requests: LegReport["requests"];
  readonly workloads: LegReport["workloads"];
  readonly violations: LegReport["violations"];
  readonly missing: LegReport["missing"];
  readonly episodes: readonly EpisodeRecord[];
}

export interface Row {
  readonly name: string;
  readonly times: number;
  readonly unavailableMs: Spread;
  readonly recoveryMs: Spread;
  readonly leaderChanges: Spread;
}

/** One record for each network of the run. */
export function recordsOf({ at, commit, seed, machine, loads = [], legs }: Report): ChaosRecord[] {
  return legs.map(({ network, nodes, seconds, requests, workloads, violations, missing, episodes }) => ({
    ...{ at, commit, seed, machine, loads, network, nodes, seconds, requests, workloads, violations, missing },
    episodes: episodes.map((one) => [one.fault, one.unavailableMs, one.recoveryMs, one.leaderChanges]),
  }));
}

export function rowOf(name: string, episodes: readonly EpisodeRecord[]): Row {
  return {
    ...{ name, times: episodes.length },
    unavailableMs: spread(episodes.map(([, ms]) => ms)),
    recoveryMs: spread(episodes.map(([, , ms]) => ms)),
    leaderChanges: spread(episodes.map(([, , , changes]) => changes)),
  };
}

/** By key, over all of `parts`. */
export function sum(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const part of parts) for (const [key, count] of Object.entries(part)) total[key] = (total[key] ?? 0) + count;
  return total;
}
