/**
 * Figures of a batch, and the table of the seeded bugs.
 */
import type { Bug } from "./bugs/bug.js";
import type { Summary } from "./summary.js";

/** What `--json` writes and docs/guarantees.md is made from. */
export interface Figures {
  readonly commit: string;
  readonly firstSeed: number;
  readonly seeds: number;
  readonly violations: number;
  /** Of clusters, all seeds together. */
  readonly simulatedHours: number;
  readonly events: number;
  /** Of one core, all checks included. */
  readonly eventsPerSecond: number;
  readonly seedsPerMinute: number;
  /** Simulated time to processor time. */
  readonly timesRealTime: number;
  readonly committed: number;
  readonly leaders: number;
  readonly snapshotsInstalled: number;
  readonly memberChanges: number;
  readonly answersChecked: number;
  readonly endsUnknown: number;
  /** Faults that were carried out, by kind. */
  readonly faults: Readonly<Record<string, number>>;
}

export function figuresOf(summaries: readonly Summary[], commit: string): Figures {
  const sum = (of: (one: Summary) => number): number => summaries.reduce((total, one) => total + of(one), 0);
  const cpuSeconds = sum((one) => one.cpuSeconds);
  const simulatedSeconds = sum((one) => one.simulatedMs) / 1000;
  const events = sum((one) => one.events);
  const faults = new Map<string, number>();
  for (const one of summaries) {
    for (const [kind, count] of Object.entries(one.faults)) faults.set(kind, (faults.get(kind) ?? 0) + count);
  }
  return {
    ...{ commit, firstSeed: summaries[0]?.seed ?? 0, seeds: summaries.length },
    violations: summaries.filter(({ violation }) => violation !== undefined).length,
    simulatedHours: Number((simulatedSeconds / 3600).toFixed(1)),
    events,
    eventsPerSecond: Math.round(events / cpuSeconds),
    seedsPerMinute: Math.round((60 * summaries.length) / cpuSeconds),
    timesRealTime: Math.round(simulatedSeconds / cpuSeconds),
    committed: sum((one) => one.committed),
    leaders: sum((one) => one.leaders),
    snapshotsInstalled: sum((one) => one.installed),
    memberChanges: sum((one) => one.changed),
    answersChecked: sum((one) => one.answered),
    endsUnknown: sum((one) => one.unknown),
    faults: Object.fromEntries([...faults].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

export function textOf(figures: Figures): string {
  const faults = Object.entries(figures.faults).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${figures.seeds} seeds, ${figures.violations} broke a promise`,
    `${figures.events} events, ${figures.eventsPerSecond} a second of one core; ${figures.seedsPerMinute} seeds a minute of one core`,
    `${figures.simulatedHours} hours of clusters, ${figures.timesRealTime} times real time on one core`,
    `${figures.committed} entries committed, ${figures.leaders} leaders, ${figures.snapshotsInstalled} snapshots installed, ${figures.memberChanges} changes of the members`,
    `${figures.answersChecked} answers checked, ${figures.endsUnknown} ends unknown`,
    `faults: ${faults.join(", ") || "none"}`,
  ].join("\n");
}

/** By name of the bug, as kept in docs/runs/sim-bugs.json. */
export type Hunts = Readonly<
  Record<
    string,
    {
      readonly commit: string;
      /** One for each start: seeds until the first that fails; null: none of them did. */
      readonly seeds: readonly (number | null)[];
      /** The checks that caught it, the most frequent first. */
      readonly caughtBy: readonly string[];
    }
  >
>;

export function bugTable(bugs: readonly Bug[], hunts: Hunts): string {
  const rows = bugs.flatMap(({ name, why }) => {
    const found = hunts[name];
    if (found === undefined) return [];
    const { commit, seeds, caughtBy } = found;
    const each = seeds.map((count) => count ?? "not found").join(", ");
    return [`| ${name} | ${why} | ${median(seeds)} | ${each} | ${caughtBy.join(", ")} | ${commit} |`];
  });
  const head = "| bug | what goes wrong | median seeds | each start | caught by | commit |\n|---|---|---:|---|---|---|";
  return [head, ...rows].join("\n");
}

/** The middle one; a start that found nothing counts as the largest. */
function median(seeds: readonly (number | null)[]): string {
  const sorted = seeds.map((one) => one ?? Infinity).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? Infinity;
  return middle === Infinity ? "not found" : String(middle);
}

const begin = "<!-- bugs: written by `npm run sim -- --bugs` -->";
const end = "<!-- end of bugs -->";

/** @returns `document` with `table` in the place of the one it has */
export function withTable(document: string, table: string): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`there is no place for the table, from ${begin} to ${end}`);
  return `${document.slice(0, from + begin.length)}\n\n${table}\n\n${document.slice(to)}`;
}
