/**
 * Every seeded bug has its place in the sources: it would not be found missing otherwise.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bugs } from "../../sim/bugs/catalogue.js";
import { mutate } from "../../sim/bugs/mutant.js";

test("there are at least 20, each with a name of its own", () => {
  expect(bugs.length).toBeGreaterThanOrEqual(20);
  expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
});

test.each(bugs.map((bug) => [bug.name, bug] as const))("%s", (_, bug) => {
  expect(() => mutate(bug, readFileSync(bug.file, "utf8"))).not.toThrow();
});
