/**
 * `npm run rows`: runs the tests that prove the rows of docs/sdk/rows.md and prints each row with its tests and results.
 *
 * Exit code 1: a row is missing, or a test of it failed or was skipped.
 */
import { findTitles, readCatalogue, sdkRows } from "../test/scenarios/catalogue.js";
import { judge, proofsOf, tableOf } from "../test/scenarios/verdict.js";
import { chosen, listed, runTests } from "./catalogue-run.js";
import { parseFlags } from "./flags.js";

const usage = `usage: npm run rows -- [--list] [--only R,P5]

  --list       rows and their tests; nothing is run
  --only R,P5  these groups or rows
`;

const { values: flags } = parseFlags(usage, {
  options: { list: { type: "boolean", default: false }, only: { type: "string" } },
});

async function main(): Promise<void> {
  const groups = chosen(readCatalogue(".", sdkRows), flags.only);
  const rows = groups.flatMap((group) => group.rows);
  const titles = findTitles(".", sdkRows).filter(({ id }) => rows.some((row) => row.id === id));
  if (flags.list) {
    for (const row of rows) process.stdout.write(`${listed(row, titles)}\n`);
    return;
  }
  const ran = await runTests([...new Set(titles.map(({ file }) => file))]);
  for (const row of rows) {
    process.stdout.write(
      `${row.id} ${row.title}\n${proofsOf(row, ran)
        .map((line) => `    ${line}\n`)
        .join("")}`,
    );
  }
  process.stdout.write(`\n${tableOf(groups, ran)}\n`);
  if (rows.some((row) => ["red", "missing"].includes(judge(row, ran)))) process.exitCode = 1;
}

await main();
