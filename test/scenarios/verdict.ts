/**
 * What a run of the tests says about the rows of a catalogue, and the table of it.
 */
import { idsOf, type Group, type Row } from "./catalogue.js";

/** One test that ran. */
export interface Ran {
  /** From the root. */
  readonly file: string;
  /** Its own, and those of the blocks around it. */
  readonly titles: readonly string[];
  readonly passed: boolean;
}

export type Verdict = "green" | "red" | "missing" | "not applicable";

/** Red: one of its tests failed or was skipped. Missing: none ran. */
export function judge(row: Row, ran: readonly Ran[]): Verdict {
  if (row.notApplicable !== undefined) return "not applicable";
  const own = testsOf(row, ran);
  if (own.length === 0) return "missing";
  return own.every(({ passed }) => passed) ? "green" : "red";
}

function testsOf({ id }: Row, ran: readonly Ran[]): readonly Ran[] {
  return ran.filter(({ titles }) => titles.some((title) => idsOf(title).includes(id)));
}

/** One line for each test of a row: result, file, titles from the outside in. */
export function proofsOf(row: Row, ran: readonly Ran[]): readonly string[] {
  if (row.notApplicable !== undefined) return [`not applicable: ${row.notApplicable}`];
  const lines = testsOf(row, ran).map(
    ({ file, titles: [own = "", ...around], passed }) =>
      `${passed ? "passed" : "red   "}  ${[file, ...around, own].join(" > ")}`,
  );
  return lines.length > 0 ? lines : ["missing"];
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
