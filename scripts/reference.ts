/**
 * `npm run reference`: writes docs/sdk/reference.md and the page of each entry of the package from the docstrings in sdk/.
 *
 * Exit code 1: an export has no docstring.
 */
import { writeFileSync } from "node:fs";
import { makeReference } from "./reference/pages.js";

const { pages, unexplained } = await makeReference(process.cwd());
for (const [name, text] of pages) writeFileSync(`docs/sdk/${name}`, text);
for (const name of unexplained) process.stderr.write(`${name} has no docstring\n`);
if (unexplained.length > 0) process.exitCode = 1;
