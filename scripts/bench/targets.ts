/**
 * What slct is to reach, and how far it is from that, by the figures.
 */
import { findFigure, type Figure, type Kind } from "./figure.js";

interface Bound {
  /** Name of the value, and of the figure that has it where that is not the target's own. */
  readonly value: string;
  readonly what: string;
  readonly unit: string;
  readonly digits: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

interface Target {
  readonly id: string;
  readonly measure: string;
  readonly kind: Kind;
  /** Of the figure. */
  readonly name: string;
  readonly bounds: readonly Bound[];
  /** In the same run: its rate, or its values where the bounds are not ratios. */
  readonly peer?: string;
}

const ratioOf = (peer: string, atLeast: number): readonly Bound[] => [
  { value: "ratio", what: `× ${peer}`, unit: "", digits: 2, atLeast },
];
const atMost = (value: string, what: string, unit: string, most: number, digits = 2): Bound => ({
  ...{ value, what, unit, digits, atMost: most },
});

export const targets: readonly Target[] = [
  {
    ...{ id: "V1", measure: "PUT of a new state with one blocking select and 10 KB `Data`" },
    ...{ kind: "etcd", name: "put 10 KB, c=64", bounds: ratioOf("etcd's put", 3), peer: "etcd" },
  },
  {
    ...{ id: "V2", measure: "the same with 256 B" },
    ...{ kind: "etcd", name: "put 256 B, c=64", bounds: ratioOf("etcd's put", 3), peer: "etcd" },
  },
  {
    ...{ id: "V3", measure: "rendezvous pairs (`send` and `recv` requests), 256 B" },
    ...{ kind: "restate", name: "rendezvous : awakeable 256 B, c=64", peer: "Restate" },
    bounds: ratioOf("Restate's awakeable", 20),
  },
  {
    ...{ id: "V4", measure: "process step: taken by poll, put back with 10 KB" },
    ...{ kind: "restate", name: "process step : object call 10 KB, c=64", peer: "Restate" },
    bounds: ratioOf("Restate's object call", 10),
  },
  {
    ...{ id: "V5", measure: "timers of 100 ms created and fired", kind: "load", name: "timers 100 ms, c=64" },
    bounds: [
      { value: "perSecond", what: "timers", unit: "/s", digits: 0, atLeast: 5000 },
      atMost("firedLateP99Ms", "late p99", " ms", 50, 0),
    ],
  },
  {
    ...{ id: "V6", measure: "one PUT after the other, 256 B", kind: "etcd", name: "put 256 B, c=1", peer: "etcd" },
    bounds: [atMost("p50Ms", "p50", " ms", 1.5), atMost("p99Ms", "p99", " ms", 6)],
  },
  {
    ...{ id: "V7", measure: "linearizable GET, 10 KB", kind: "etcd", name: "linearizable get 10 KB, c=64" },
    ...{ bounds: ratioOf("etcd's get", 3), peer: "etcd" },
  },
  {
    ...{ id: "V8", measure: "an operation at 10 M parked selects against 10 k" },
    ...{ kind: "scale", name: "parked selects 10000000" },
    bounds: [
      atMost("costRatio", "× the CPU", "", 1.3),
      atMost("rssMaxMiB", "RSS", " MiB", 1024, 0),
      atMost("diskGb", "disk", " GB", 10),
    ],
  },
  {
    ...{ id: "V9", measure: "restart of a node that holds 10 M states, until `/readyz`" },
    ...{ kind: "scale", name: "parked selects 10000000", bounds: [atMost("restartSeconds", "after", " s", 10, 1)] },
  },
  {
    ...{ id: "V10", measure: "leader killed under load: nothing acknowledged is lost, writes resume" },
    ...{ kind: "failover", name: "leader killed, c=64" },
    bounds: [atMost("p99Ms", "p99", " ms", 1500, 0), atMost("lost", "lost", "", 0, 0)],
  },
  {
    ...{ id: "V11", measure: "idle with 1 M parked selects", kind: "scale", name: "parked selects 1000000" },
    bounds: [atMost("idlePercent", "busiest node", " % of a core", 3, 1), atMost("idleEntries", "entries", "", 0, 0)],
  },
  {
    ...{ id: "V12", measure: "poll and put-back at 1 M pending states against 100" },
    ...{ kind: "scale", name: "pending states 1000000", bounds: [atMost("costRatio", "× the CPU", "", 1.3)] },
  },
];

/** Below 0: missed by that share of the bound. */
export function margin({ atLeast, atMost }: Bound, value: number): number {
  if (atLeast !== undefined) return value / atLeast - 1;
  const bound = atMost ?? Infinity;
  return bound === 0 ? -value : 1 - value / bound;
}

/** One row per target, title line first. What was not measured says so. */
export function targetCells(figures: readonly Figure[]): string[][] {
  const head = ["", "measure", "target", "measured", "peer in the same run", "", "command", "date"];
  return [head, ...targets.map((target) => row(target, findFigure(figures, target.kind, target.name)))];
}

function peerCell(bounds: readonly Bound[], { values }: Figure): string {
  const of = (value: string) => Number(values[`peer${value.slice(0, 1).toUpperCase()}${value.slice(1)}`] ?? NaN);
  if (bounds.some(({ value }) => value === "ratio")) return `${of("perSecond").toFixed(0)}/s`;
  return bounds.map((bound) => shown(bound, of(bound.value))).join(", ");
}

function row(target: Target, figure: Figure | undefined): string[] {
  const wanted = target.bounds.map(shownBound).join(", ");
  const start = [target.id, target.measure, wanted];
  if (figure === undefined) return [...start, "not measured", "", "", "", ""];
  const seen = target.bounds.map((bound) => ({ bound, value: Number(figure.values[bound.value] ?? NaN) }));
  const measured = seen.map(({ bound, value }) => shown(bound, value)).join(", ");
  const peer = target.peer === undefined ? "" : `${target.peer} ${peerCell(target.bounds, figure)}`;
  const worst = Math.min(...seen.map(({ bound, value }) => margin(bound, value)));
  const verdict = Number.isNaN(worst) ? "incomplete" : worst >= 0 ? "met" : `missed by ${(-worst * 100).toFixed(0)} %`;
  return [...start, measured, peer, verdict, `\`${figure.command}\``, figure.at.slice(0, 10)];
}

function shownBound({ what, unit, atLeast, atMost }: Bound): string {
  return `${what} ${atLeast === undefined ? "≤" : "≥"} ${atLeast ?? atMost}${unit}`;
}

function shown({ what, unit, digits }: Bound, value: number): string {
  return `${what} ${value.toFixed(digits)}${unit}`;
}
