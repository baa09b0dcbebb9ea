/**
 * What a run found, as JSON: the faults with what they cost, the operations, every violation.
 */
import type { ProxyCounts } from "./proxy.js";
import { kinds, type Kind, type Violation } from "./workload.js";

export interface Episode {
  readonly fault: string;
  /** What was done to whom. */
  readonly notes: readonly string[];
  /** Since the start of the run. */
  readonly atMs: number;
  /** Until it was undone. */
  readonly heldMs: number;
  /** Longest time without an acknowledged write, from the fault to the recovery. */
  readonly unavailableMs: number;
  /** From undoing until all nodes serve and a write is acknowledged. */
  readonly recoveryMs: number;
  readonly leaderChanges: number;
  /** Requests that began meanwhile. */
  readonly acknowledged: number;
  readonly unknown: number;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface FaultFigures {
  readonly fault: string;
  readonly runs: number;
  readonly unavailableMs: Spread;
  readonly recoveryMs: Spread;
  readonly leaderChangesMax: number;
  readonly acknowledged: number;
  readonly unknown: number;
}

export interface LegReport {
  readonly network: string;
  readonly nodes: number;
  readonly seconds: number;
  readonly faults: readonly FaultFigures[];
  readonly episodes: readonly Episode[];
  /** Faults that could not be had, and why. */
  readonly missing: Readonly<Record<string, string>>;
  readonly requests: { readonly acknowledged: number; readonly untouched: number; readonly unknown: number };
  readonly workloads: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly violations: Readonly<Record<Kind, number>>;
  /** By workload and kind, how many. */
  readonly found: Readonly<Record<string, number>>;
  readonly details: readonly Found[];
  /** What all nodes held at the end. */
  readonly agreed?: { readonly index: number; readonly hash: string };
  readonly proxies?: ProxyCounts;
}

export interface Report {
  readonly at: string;
  readonly commit: string;
  readonly seed: number;
  readonly machine: string;
  /** Processes that wanted a processor, over the last minute, before and after each leg: what else the machine did. */
  readonly loads?: readonly number[];
  readonly legs: readonly LegReport[];
}

/** More of a kind and a workload say nothing new. */
const alikeMax = 5;

export type Found = Violation & { readonly workload: string };

/** The first few of each kind that each workload found. */
export function sample(found: readonly Found[]): Found[] {
  const seen = new Map<string, number>();
  return found.filter(({ workload, kind }) => {
    const key = `${workload} ${kind}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count <= alikeMax;
  });
}

export function summarise(episodes: readonly Episode[]): FaultFigures[] {
  const names = [...new Set(episodes.map(({ fault }) => fault))].sort();
  return names.map((fault) => {
    const those = episodes.filter((one) => one.fault === fault);
    const sum = (of: (one: Episode) => number) => those.reduce((total, one) => total + of(one), 0);
    return {
      ...{ fault, runs: those.length },
      unavailableMs: spread(those.map(({ unavailableMs }) => unavailableMs)),
      recoveryMs: spread(those.map(({ recoveryMs }) => recoveryMs)),
      leaderChangesMax: Math.max(...those.map(({ leaderChanges }) => leaderChanges)),
      acknowledged: sum(({ acknowledged }) => acknowledged),
      unknown: sum(({ unknown }) => unknown),
    };
  });
}

/** Rounded to whole milliseconds; nearest rank. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.map(Math.round).sort((a, b) => a - b);
  const rank = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
  return { p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}

export function countKinds(violations: readonly Violation[]): Record<Kind, number> {
  const counts = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>;
  for (const { kind } of violations) counts[kind]++;
  return counts;
}

export function countFound(found: readonly Found[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { workload, kind } of found) counts[`${workload}: ${kind}`] = (counts[`${workload}: ${kind}`] ?? 0) + 1;
  return counts;
}

/** A table for the terminal. */
export function table(faults: readonly FaultFigures[]): string {
  const head = [
    "fault",
    "runs",
    "unavailable ms p50/p99/max",
    "recovery ms p50/p99/max",
    "leaders",
    "acknowledged",
    "unknown",
  ];
  const three = ({ p50, p99, max }: Spread) => `${p50} / ${p99} / ${max}`;
  const rows = faults.map((one) => [
    ...[one.fault, String(one.runs), three(one.unavailableMs), three(one.recoveryMs), String(one.leaderChangesMax)],
    ...[String(one.acknowledged), String(one.unknown)],
  ]);
  const widths = head.map((cell, n) => Math.max(cell.length, ...rows.map((row) => row[n]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
