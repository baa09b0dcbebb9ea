/**
 * Figures of a run as a table and as JSON; where a node's time went, from its CPU profile.
 */
import { readFileSync } from "node:fs";

export interface Row {
  readonly row: string;
  readonly name: string;
  readonly unit: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of all nodes and of the load generator, in cores. */
  readonly nodeCores: number;
  readonly loadCores: number;
  /** Synced writes of all nodes per operation. */
  readonly syncsPerOp: number;
  readonly rssMiB: readonly number[];
  readonly figures: Readonly<Record<string, number>>;
}

const columns: readonly [title: string, cell: (row: Row) => string][] = [
  ["row", (row) => row.row],
  ["workload", (row) => row.name],
  ["per second", (row) => `${row.perSecond.toFixed(0)} ${row.unit}`],
  ["p50 ms", (row) => row.p50Ms.toFixed(2)],
  ["p99 ms", (row) => row.p99Ms.toFixed(2)],
  ["cores nodes", (row) => row.nodeCores.toFixed(2)],
  ["cores load", (row) => row.loadCores.toFixed(2)],
  ["syncs/op", (row) => row.syncsPerOp.toFixed(3)],
  ["RSS MiB", (row) => row.rssMiB.map((one) => one.toFixed(0)).join(" ")],
  [
    "more",
    (row) =>
      Object.entries(row.figures)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
  ],
];

export function table(rows: readonly Row[]): string {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = columns.map((_, n) => Math.max(...cells.map((line) => line[n]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The functions with the most self time: share of the busy (not idle) time, name, file. */
export function hottest(file: string, count: number): { share: number; name: string; where: string }[] {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const self = new Map<string, number>();
  let busy = 0;
  profile.samples.forEach((id, n) => {
    const frame = names.get(id);
    if (frame === undefined || frame.functionName === "(idle)" || frame.functionName === "(root)") return;
    const micros = profile.timeDeltas[n] ?? 0;
    busy += micros;
    const where = frame.url.split("/").slice(-2).join("/");
    const key = `${frame.functionName || "(anonymous)"}\0${where}`;
    self.set(key, (self.get(key) ?? 0) + micros);
  });
  return [...self]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([key, micros]) => ({
      share: micros / busy,
      name: key.split("\0")[0] ?? "",
      where: key.split("\0")[1] ?? "",
    }));
}
