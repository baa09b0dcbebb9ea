/**
 * The arithmetic of measured times.
 */

export interface Summary {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Nearest rank: the smallest value that at least `share` of all values do not exceed. NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  return rank(sorted(values), share);
}

export function median(values: readonly number[]): number {
  const ordered = sorted(values);
  const middle = ordered.length >> 1;
  const upper = ordered[middle] ?? NaN;
  return ordered.length % 2 === 1 ? upper : ((ordered[middle - 1] ?? NaN) + upper) / 2;
}

export function summarize(latenciesMs: readonly number[]): Summary {
  const ordered = sorted(latenciesMs);
  return { p50Ms: rank(ordered, 0.5), p99Ms: rank(ordered, 0.99), maxMs: ordered.at(-1) ?? NaN };
}

/** The longest time between two neighbours of `timesMs`, which is in order. */
export function longestGap(timesMs: readonly number[]): number {
  return timesMs.reduce((gap, time, n) => Math.max(gap, time - (timesMs[n - 1] ?? time)), 0);
}

function rank(ordered: readonly number[], share: number): number {
  return ordered[Math.max(0, Math.ceil(ordered.length * share) - 1)] ?? NaN;
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
