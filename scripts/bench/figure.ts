/**
 * What a run of the bench leaves behind: named figures in one JSON file. Later runs replace figures of the same name.
 */
import { writeFileSync } from "node:fs";
import { readIfThere } from "../../cluster/small-file.js";

export const kinds = [
  "load",
  "open",
  "etcd",
  "restate",
  "failover",
  "large",
  "scale",
  "soak",
  "budget",
  "ingress",
  "guard",
] as const;
export type Kind = (typeof kinds)[number];

/** Several numbers are one per node. */
export type Value = number | readonly number[];

export interface Figure {
  readonly kind: Kind;
  /** Unique within its kind. */
  readonly name: string;
  /** When it was measured, ISO 8601. */
  readonly at: string;
  /** What measures it again. */
  readonly command: string;
  /** The unit is the end of the name: `p99Ms`, `rssMiB`. */
  readonly values: Readonly<Record<string, Value>>;
}

/** Takes what was measured. */
export type Found = (name: string, values: Readonly<Record<string, Value>>) => void;

export function findFigure(figures: readonly Figure[], kind: Kind, name: string): Figure | undefined {
  return figures.find((one) => one.kind === kind && one.name === name);
}

/** The newer ones in the place of those of the same name; kinds in their order, names in the order of first appearance. */
export function mergeFigures(older: readonly Figure[], newer: readonly Figure[]): Figure[] {
  const byName = new Map(older.map((one) => [`${one.kind} ${one.name}`, one]));
  for (const one of newer) byName.set(`${one.kind} ${one.name}`, one);
  return kinds.flatMap((kind) => [...byName.values()].filter((one) => one.kind === kind));
}

export function readFigures(file: string): Figure[] {
  const text = readIfThere(file);
  return text === undefined ? [] : (JSON.parse(text) as Figure[]);
}

/** One figure a line, so that a difference between two files can be read. */
export function writeFigures(file: string, figures: readonly Figure[]): void {
  const lines = figures.map((figure) => JSON.stringify(rounded(figure)));
  writeFileSync(file, `[\n${lines.join(",\n")}\n]\n`);
}

/** Four significant digits are more than any of them has; what is not a number (nothing was counted) is left out. */
function rounded(figure: Figure): Figure {
  const digits = (value: number) => (Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  const entries = Object.entries(figure.values).flatMap(([name, value]): [string, Value][] => {
    if (typeof value !== "number") return [[name, value.map(digits)]];
    return Number.isFinite(value) ? [[name, digits(value)]] : [];
  });
  return { ...figure, values: Object.fromEntries(entries) };
}
