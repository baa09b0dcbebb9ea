/**
 * `npm run guarantees [-- --add REPORT…]`: writes docs/guarantees.md from the runs in docs/runs. `--add` puts the figures of
 * reports of `npm run chaos -- --json REPORT` there first.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { add, currentPage, pageFile } from "./guarantees/files.js";

const { values, positionals } = parseArgs({ options: { add: { type: "boolean" } }, allowPositionals: true });
if (values.add === true) add(positionals);
writeFileSync(pageFile, currentPage());
