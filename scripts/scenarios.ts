/**
 * `npm run scenarios`: runs the tests that prove the rows of docs/scenarios.md and prints what is green, red and missing.
 *
 * Flags: --list (rows and their tests, nothing is run) --only A,B5 (groups or rows). Exit code 1: a row is red or missing.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findTitles, readCatalogue, type Group, type Row, type Title } from "../test/scenarios/catalogue.js";
import { judge, tableOf, type Ran } from "../test/scenarios/verdict.js";

const { values: flags } = parseArgs({
  options: { list: { type: "boolean", default: false }, only: { type: "string" } },
});

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

async function main(): Promise<void> {
  const groups = chosen(readCatalogue("."));
  const rows = groups.flatMap((group) => group.rows);
  const titles = findTitles(".").filter(({ id }) => rows.some((row) => row.id === id));
  if (flags.list) {
    for (const row of rows) process.stdout.write(`${listed(row, titles)}\n`);
    return;
  }
  const ran = resultsOf(await run([...new Set(titles.map(({ file }) => file))]));
  process.stdout.write(`${tableOf(groups, ran)}\n`);
  for (const verdict of ["red", "missing"] as const) {
    const found = rows.filter((row) => judge(row, ran) === verdict);
    for (const { id, title } of found) process.stdout.write(`${verdict}: ${id} ${title}\n`);
    if (found.length > 0) process.exitCode = 1;
  }
}

function chosen(groups: readonly Group[]): readonly Group[] {
  const only = flags.only?.split(",");
  if (only === undefined) return groups;
  return groups
    .map((group) => ({
      ...group,
      rows: group.rows.filter(({ id }) => only.includes(id) || only.includes(group.letter)),
    }))
    .filter(({ rows }) => rows.length > 0);
}

function listed({ id, title, notApplicable }: Row, titles: readonly Title[]): string {
  const own = titles.filter((one) => one.id === id).map(({ file, line, title }) => `    ${file}:${line} ${title}`);
  if (notApplicable !== undefined) own.push(`    not applicable: ${notApplicable}`);
  else if (own.length === 0) own.push("    missing");
  return [`${id} ${title}`, ...own].join("\n");
}

/** Runs the files, the runner's report going to a file of its own. */
async function run(files: readonly string[]): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), "slct-scenarios-"));
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

/** Prints why tests failed. A file that did not even load has no results: its rows are missing. */
function resultsOf({ testResults }: Report): readonly Ran[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    if (assertionResults.length === 0) process.stderr.write(`${name}: ${message}\n`);
    return assertionResults.map(({ title, ancestorTitles, status, failureMessages }) => {
      if (status === "failed") process.stderr.write(`${name}: ${title}\n${failureMessages.join("\n")}\n`);
      return { titles: [title, ...ancestorTitles], passed: status === "passed" };
    });
  });
}

await main();
