/**
 * What a JSON report of vitest says, for `.ci/run`: tests that this machine does not allow, files that took long, how
 * long the unit and scenario tests and the tests with real processes took, and in the last line `passed failed`.
 */
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const slowMs = 10_000;
const { numPassedTests, numFailedTests, testResults: files } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const seconds = (ms) => `${Math.round(ms / 1000)} s`;

for (const { status, fullName } of files.flatMap(({ assertionResults }) => assertionResults))
  if (status !== "passed" && status !== "failed") console.log("skipped:", fullName);

const took = ({ startTime, endTime }) => endTime - startTime;
for (const file of files.filter((one) => took(one) > slowMs).sort((a, b) => took(b) - took(a)))
  console.log("slow:", seconds(took(file)), relative(".", file.name));

const isReal = ({ name }) => relative(".", name).startsWith("test/e2e/");
for (const [kind, group] of [
  ["unit and scenario tests", files.filter((file) => !isReal(file))],
  ["tests with real processes", files.filter(isReal)],
]) {
  const from = Math.min(...group.map(({ startTime }) => startTime));
  console.log(`${kind}: ${seconds(Math.max(...group.map(({ endTime }) => endTime)) - from)}`);
}

// A file that fails to load has no tests of its own that could fail.
const broken = files.filter(
  ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
);
console.log(numPassedTests, numFailedTests + broken.length);
