/**
 * What the commands over catalogues of rows have in common: running the tests behind rows, listing them.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Group, Row, Title } from "../test/scenarios/catalogue.js";
import type { Ran } from "../test/scenarios/verdict.js";

/** What the test runner reports, as far as it is used here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly ancestorTitles: readonly string[];
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** @param only groups and rows, separated by commas; undefined for all */
export function chosen(groups: readonly Group[], only: string | undefined): readonly Group[] {
  const names = only?.split(",");
  if (names === undefined) return groups;
  return groups
    .map((group) => ({
      ...group,
      rows: group.rows.filter(({ id }) => names.includes(id) || names.includes(group.letter)),
    }))
    .filter(({ rows }) => rows.length > 0);
}

/** A row with the titles of its tests, as they stand in the sources. */
export function listed({ id, title, notApplicable }: Row, titles: readonly Title[]): string {
  const own = titles.filter((one) => one.id === id).map(({ file, line, title }) => `    ${file}:${line} ${title}`);
  if (notApplicable !== undefined) own.push(`    not applicable: ${notApplicable}`);
  else if (own.length === 0) own.push("    missing");
  return [`${id} ${title}`, ...own].join("\n");
}

/** Runs the tests of the files. Why tests failed goes to stderr. */
export async function runTests(files: readonly string[]): Promise<readonly Ran[]> {
  return files.length === 0 ? [] : resultsOf(await run(files));
}

/** The runner's report goes to a file of its own. */
async function run(files: readonly string[]): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), "slct-rows-"));
  const report = join(dir, "report.json");
  try {
    const vitest = ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", `--outputFile=${report}`, ...files];
    const runner = spawn(process.execPath, vitest, { stdio: ["ignore", "ignore", "inherit"] });
    await new Promise((resolve, reject) => runner.once("exit", resolve).once("error", reject));
    return JSON.parse(readFileSync(report, "utf8")) as Report;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A file that did not even load has no results: its rows are missing. */
function resultsOf({ testResults }: Report): readonly Ran[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(".", name);
    if (assertionResults.length === 0) process.stderr.write(`${file}: ${message}\n`);
    return assertionResults.map(({ title, ancestorTitles, status, failureMessages }) => {
      if (status === "failed") process.stderr.write(`${file}: ${title}\n${failureMessages.join("\n")}\n`);
      return { file, titles: [title, ...ancestorTitles], passed: status === "passed" };
    });
  });
}
