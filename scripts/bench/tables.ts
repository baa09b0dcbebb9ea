/**
 * Figures as tables: for the terminal and for the page, from the same columns.
 */
import { kinds, type Figure, type Kind, type Value } from "./figure.js";

interface Column {
  readonly title: string;
  /** Name of the value. */
  readonly value: string;
  readonly digits: number;
}

const column = (title: string, value: string, digits: number): Column => ({ title, value, digits });

const latencies = [column("p50 ms", "p50Ms", 2), column("p99 ms", "p99Ms", 2)];
const cost = [
  column("cores of the nodes", "nodeCores", 2),
  column("of the load", "loadCores", 2),
  column("CPU µs/op", "cpuMicrosPerOp", 0),
  column("syncs/op", "syncsPerOp", 3),
  column("RSS MiB", "rssMiB", 0),
];
const timers = [column("fired late p99 ms", "firedLateP99Ms", 0), column("known late p99 ms", "knownLateP99Ms", 0)];
const steps = [
  column("steps per core second of the worker", "stepsPerCoreSecond", 0),
  column("µs of it per step", "workerMicrosPerStep", 0),
];
const versus = [
  column("ratio", "ratio", 2),
  ...[column("ops/s", "perSecond", 0), column("peer's", "peerPerSecond", 0)],
  ...[column("p50 ms", "p50Ms", 2), column("peer's", "peerP50Ms", 2)],
  ...[column("p99 ms", "p99Ms", 2), column("peer's", "peerP99Ms", 2)],
  ...[column("CPU µs/op", "cpuMicrosPerOp", 0), column("peer's", "peerCpuMicrosPerOp", 0)],
  ...[column("cores of the load", "loadCores", 2), column("peer's", "peerLoadCores", 2)],
];

export const titles: Readonly<Record<Kind, string>> = {
  load: "Closed loop",
  open: "Open loop, latency from the moment a request should have begun",
  etcd: "Beside etcd",
  restate: "Beside Restate",
  failover: "The leader killed under load",
  large: "Large states, with small requests beside them",
  scale: "Scale",
  soak: "Ten minutes",
  budget: "Where the CPU of a PUT goes",
  ingress: "Ingress workers",
  guard: "Regression guard",
};

const columns: Readonly<Record<Kind, readonly Column[]>> = {
  load: [column("ops/s", "perSecond", 0), ...latencies, ...cost, ...timers, ...steps],
  open: [
    ...[column("ops/s", "perSecond", 0), ...latencies, column("max ms", "maxMs", 1)],
    ...[column("unanswered", "unanswered", 0), ...cost],
  ],
  etcd: versus,
  restate: versus,
  failover: [
    ...[column("kills", "kills", 0), column("p50 ms", "p50Ms", 0), column("p99 ms", "p99Ms", 0)],
    ...[column("max ms", "maxMs", 0), column("acknowledged", "acknowledged", 0), column("lost", "lost", 0)],
    ...[column("ops/s before", "perSecond", 0)],
  ],
  large: [
    ...[column("MB/s", "megabytesPerSecond", 1), ...latencies, column("highest RSS MiB", "rssMaxMiB", 0)],
    ...[column("small p50 ms", "smallP50Ms", 2), column("small p99 ms", "smallP99Ms", 1)],
  ],
  scale: [
    ...[column("ops/s", "perSecond", 0), ...latencies, column("CPU µs/op", "cpuMicrosPerOp", 0)],
    ...[column("× smallest", "costRatio", 2), column("loaded/s", "loadedPerSecond", 0)],
    ...[column("RSS MiB", "rssMiB", 0), column("without files", "ownMiB", 0), column("disk GB", "diskGb", 2)],
    column("restart s", "restartSeconds", 2),
    ...[column("idle % of a core", "idlePercent", 1), column("idle entries", "idleEntries", 0)],
    ...[column("drained s", "drainedSeconds", 2), column("leader changes", "leaderChanges", 0)],
    ...[column("longest apply step ≤ ms", "applyMaxMs", 1), column("of CPU", "applyCpuMaxMs", 1)],
    column("leader silent ≤ ms", "silenceMaxMs", 0),
  ],
  soak: [
    ...[column("operations", "operations", 0), column("rounds", "rounds", 0)],
    ...[column("RSS MiB after the first", "rssFirstMiB", 0), column("at the end", "rssMiB", 0)],
    ...[column("without files after the first", "ownFirstMiB", 0), column("at the end", "ownMiB", 0)],
    ...[column("highest", "ownMaxMiB", 0), column("open files after the first", "filesFirst", 0)],
    ...[column("at the end", "files", 0), column("log MB after the first", "logFirstMb", 0)],
    ...[column("at the end", "logMb", 0), column("highest", "logMaxMb", 0)],
  ],
  budget: [...[column("µs each", "micros", 1), column("times per PUT", "times", 2), column("µs per PUT", "perPut", 0)]],
  ingress: [
    ...[column("ops/s", "perSecond", 0), ...latencies, column("CPU µs/op", "cpuMicrosPerOp", 0)],
    ...[column("of it outside workers", "coreMicrosPerOp", 0), column("cores of the load", "loadCores", 2)],
  ],
  guard: [
    ...[column("ratio", "ratio", 2), column("lowest", "lowest", 2), column("highest", "highest", 2)],
    ...[column("ops/s", "perSecond", 0), column("yardstick", "peerPerSecond", 0)],
    ...[column("CPU µs/op", "cpuMicrosPerOp", 0), column("yardstick", "peerCpuMicrosPerOp", 0)],
  ],
};

/** Title line first. Columns in which no figure has a value are left out. */
export function cells(kind: Kind, figures: readonly Figure[]): string[][] {
  const shown = columns[kind].filter(({ value }) => figures.some((one) => one.values[value] !== undefined));
  return [
    ["", ...shown.map(({ title }) => title)],
    ...figures.map(({ name, values }) => [name, ...shown.map(({ value, digits }) => cell(values[value], digits))]),
  ];
}

function cell(value: Value | undefined, digits: number): string {
  if (value === undefined) return "";
  const numbers = typeof value === "number" ? [value] : value;
  return numbers.map((one) => (Number.isFinite(one) ? one.toFixed(digits) : "–")).join(" ");
}

/** All kinds that there are, one table each, in columns. */
export function plainTables(figures: readonly Figure[]): string {
  return eachKind(figures, (kind, some) => `${titles[kind]}\n${aligned(cells(kind, some))}`);
}

export function markdownTable(lines: readonly (readonly string[])[], align: "left" | "right"): string {
  const [head = [], ...rest] = lines;
  const row = (line: readonly string[]) => `| ${line.join(" | ")} |`;
  const rule = head.map((_, n) => (n > 0 && align === "right" ? "---:" : "---"));
  return [row(head), row(rule), ...rest.map(row)].join("\n");
}

export function markdownTables(figures: readonly Figure[]): string {
  return eachKind(
    figures,
    (kind, some) => `### ${titles[kind]}\n\n${markdownTable(cells(kind, some), "right")}\n\n${sources(some)}`,
  );
}

function eachKind(figures: readonly Figure[], show: (kind: Kind, some: readonly Figure[]) => string): string {
  return kinds
    .map((kind) => [kind, figures.filter((one) => one.kind === kind)] as const)
    .filter(([, some]) => some.length > 0)
    .map(([kind, some]) => show(kind, some))
    .join("\n\n");
}

function sources(figures: readonly Figure[]): string {
  const all = figures.map(({ command, at }) => `\`${command}\`, ${at.slice(0, 10)}`);
  return [...new Set(all)].join(" · ");
}

function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, n) => Math.max(...lines.map((line) => line[n]?.length ?? 0)));
  const pad = (text: string, n: number) => (n === 0 ? text.padEnd(widths[n] ?? 0) : text.padStart(widths[n] ?? 0));
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}
