/**
 * docs/sdk and the README show nothing that is not compiled and run: every block of TypeScript is part of an example, or
 * a file of the tutorial, which test/e2e/tutorial.test.ts follows.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const pages = ["README.md", ...readdirSync(new URL("docs/sdk", root)).map((name) => `docs/sdk/${name}`)];
/** The others are made from docstrings: reference.test.ts. */
const written = pages.filter((page) => !page.startsWith("docs/sdk/reference"));
const tutorial = "docs/sdk/getting-started.md";
const sources = ["examples", "test/sdk/examples"].flatMap((folder) =>
  readdirSync(new URL(folder, root)).map((name) => `${folder}/${name}`),
);

test("each block of code is part of an example", () => {
  const code = sources.map(read);
  const blocks = written
    .filter((page) => page !== tutorial)
    .flatMap((page) => [...read(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = ""]) => block));
  expect(blocks.length).toBeGreaterThan(15);
  // Paragraphs may leave out what is between them.
  const parts = blocks.flatMap((block) => block.trimEnd().split("\n\n"));
  expect(parts.filter((part) => !code.some((text) => text.includes(part)))).toEqual([]);
});

test("each link leads somewhere", () => {
  const links = pages
    .slice(1)
    .flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#]+)\)/g)].map(([, target = ""]) => new URL(target, new URL(page, root))),
    );
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) expect(readFileSync(link, "utf8").length, link.pathname).toBeGreaterThan(0);
});

test("each code of the SDK is explained", () => {
  const errors = read("sdk/client/errors.ts");
  const union = errors.slice(errors.indexOf("export type SlctErrorCode"), errors.indexOf("export class SlctError"));
  const codes = [...union.matchAll(/\| "(\w+)"/g)].map(([, code = ""]) => code);
  expect(codes).toContain("not_durable");
  const explained = read("docs/sdk/errors-and-limits.md");
  expect(codes.filter((code) => !explained.includes(`| \`${code}\` |`))).toEqual([]);
});
