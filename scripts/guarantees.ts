/**
 * `npm run guarantees [-- --add REPORT…]`: writes docs/guarantees.md from the runs in docs/runs. `--add` puts the figures of
 * reports of `npm run chaos -- --json REPORT` there first.
 */
import { writeFileSync } from "node:fs";
import { parseFlags } from "./flags.js";
import { add, currentPage, pageFile } from "./guarantees/files.js";

const usage = `usage: npm run guarantees -- [--add REPORT…]

  --add REPORT…  puts the figures of these reports of chaos into docs/runs first
`;
const { values, positionals } = parseFlags(usage, { options: { add: { type: "boolean" } }, allowPositionals: true });
if (values.add === true) add(positionals);
writeFileSync(pageFile, currentPage());
