/**
 * docs/sdk/reference*.md are made from the docstrings: what is exported is explained there, as it is now.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeReference } from "../../../scripts/reference/pages.js";

const root = join(import.meta.dirname, "../../..");
const { pages, unexplained } = await makeReference(root);

test("the pages are up to date (`npm run reference` or REWRITE=1 rewrites them)", () => {
  for (const [name, text] of pages) {
    const file = join(root, "docs/sdk", name);
    if (process.env["REWRITE"] === "1") writeFileSync(file, text);
    expect(readFileSync(file, "utf8"), name).toBe(text);
  }
});

test("each export has a docstring with a sentence", () => {
  expect(unexplained).toEqual([]);
});

test("each link between the pages leads to a heading", () => {
  const anchors = [...pages].flatMap(([page, text]) => headings(text).map((anchor) => `${page}#${anchor}`));
  const links = [...pages].flatMap(([page, text]) =>
    [...text.matchAll(/\]\((reference[a-z-]*\.md)?#([^)]+)\)/g)].map(([, to = page, anchor]) => `${to}#${anchor}`),
  );
  expect(links.length).toBeGreaterThan(100);
  expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
});

/** Anchors as markdown viewers give them: those that are there already get a number. */
function headings(text: string): readonly string[] {
  const counts = new Map<string, number>();
  return [...text.matchAll(/^#+ (\w+)$/gm)].map(([, name = ""]) => {
    const anchor = name.toLowerCase();
    const before = counts.get(anchor) ?? 0;
    counts.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}
