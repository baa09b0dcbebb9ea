/**
 * Lengths of time as people write them: `250`, `"500ms"`, `"1h30m"`, `"7d"`, `"3 days"`.
 */

/** Milliseconds, or a number with a unit, or several: ms, s, m, h, d, w, or the word. */
export type Duration = number | string;

const unitMs: Readonly<Record<string, number>> = {
  ...{ ms: 1, millisecond: 1, s: 1000, sec: 1000, second: 1000, m: 60_000, min: 60_000, minute: 60_000 },
  ...{ h: 3_600_000, hour: 3_600_000, d: 86_400_000, day: 86_400_000, w: 604_800_000, week: 604_800_000 },
};
const part = /(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gy;

/**
 * A duration in whole milliseconds.
 * @throws RangeError for what is negative, endless or no duration
 */
export function durationMs(duration: Duration): number {
  const ms = typeof duration === "number" ? duration : parse(duration);
  if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`not a duration: ${JSON.stringify(duration)}`);
  return Math.round(ms);
}

function parse(text: string): number {
  let ms = 0;
  let at = 0;
  const trimmed = text.trim().toLowerCase();
  for (const [whole, amount, unit = ""] of trimmed.matchAll(part)) {
    const one = unitMs[unit] ?? unitMs[unit.replace(/s$/, "")];
    if (one === undefined) return NaN;
    ms += Number(amount) * one;
    at += whole.length;
  }
  return at === trimmed.length && at > 0 ? ms : NaN;
}
