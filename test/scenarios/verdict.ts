/**
 * What a run of the tests says about the rows of the catalogue, and the table of it.
 */
import { idsOf, type Group, type Row } from "./catalogue.js";

/** One test that ran. */
export interface Ran {
  /** Its own, and those of the blocks around it. */
  readonly titles: readonly string[];
  readonly passed: boolean;
}

export type Verdict = "green" | "red" | "missing" | "not applicable";

/** Red: one of its tests failed or was skipped. Missing: none ran. */
export function judge(row: Row, ran: readonly Ran[]): Verdict {
  if (row.notApplicable !== undefined) return "not applicable";
  const own = ran.filter(({ titles }) => titles.some((title) => idsOf(title).includes(row.id)));
  if (own.length === 0) return "missing";
  return own.every(({ passed }) => passed) ? "green" : "red";
}

const columns = ["green", "red", "missing", "not applicable"] as const;

/** One line per group and one for all. */
export function tableOf(groups: readonly Group[], ran: readonly Ran[]): string {
  const counted = groups.map(({ letter, title, rows }) => ({
    name: `${letter}  ${title}`,
    verdicts: rows.map((row) => judge(row, ran)),
  }));
  counted.push({ name: "all", verdicts: counted.flatMap(({ verdicts }) => verdicts) });
  const width = Math.max(...counted.map(({ name }) => name.length));
  const line = (name: string, cells: readonly (string | number)[]) =>
    [name.padEnd(width), ...cells.map((cell, at) => String(cell).padStart(at === 4 ? 16 : 9))].join("");
  return [
    line("", ["rows", ...columns]),
    ...counted.map(({ name, verdicts }) =>
      line(name, [verdicts.length, ...columns.map((column) => verdicts.filter((one) => one === column).length)]),
    ),
  ].join("\n");
}
