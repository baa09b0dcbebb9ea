/**
 * `npm run scenarios`: runs the tests that prove the rows of docs/scenarios.md and prints what is green, red and missing.
 *
 * Exit code 1: a row is red or missing.
 */
import { findTitles, readCatalogue, scenarios } from "../test/scenarios/catalogue.js";
import { judge, tableOf } from "../test/scenarios/verdict.js";
import { chosen, listed, runTests } from "./catalogue-run.js";
import { parseFlags } from "./flags.js";

const usage = `usage: npm run scenarios -- [--list] [--only A,B5]

  --list       rows and their tests; nothing is run
  --only A,B5  these groups or rows
`;

const { values: flags } = parseFlags(usage, {
  options: { list: { type: "boolean", default: false }, only: { type: "string" } },
});

async function main(): Promise<void> {
  const groups = chosen(readCatalogue(".", scenarios), flags.only);
  const rows = groups.flatMap((group) => group.rows);
  const titles = findTitles(".", scenarios).filter(({ id }) => rows.some((row) => row.id === id));
  if (flags.list) {
    for (const row of rows) process.stdout.write(`${listed(row, titles)}\n`);
    return;
  }
  const ran = await runTests([...new Set(titles.map(({ file }) => file))]);
  process.stdout.write(`${tableOf(groups, ran)}\n`);
  for (const verdict of ["red", "missing"] as const) {
    const found = rows.filter((row) => judge(row, ran) === verdict);
    for (const { id, title } of found) process.stdout.write(`${verdict}: ${id} ${title}\n`);
    if (found.length > 0) process.exitCode = 1;
  }
}

await main();
