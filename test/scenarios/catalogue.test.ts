import { join } from "node:path";
import { expect, test } from "vitest";
import { findTitles, idsOf, readCatalogue, scenarios, sdkRows } from "./catalogue.js";
import { judge, proofsOf, tableOf } from "./verdict.js";

const root = join(import.meta.dirname, "..", "..");

test.each([
  [scenarios, "A11 B16 C14 D17 E19 F12 G9 H19 I23 J12 K11 L16 M12 N20"],
  [sdkRows, "R26 T24 P26 F12"],
])("the catalogue $page has every row, numbered, with a title of its own", (catalogue, sizes) => {
  const groups = readCatalogue(root, catalogue);
  expect(groups.map((group) => `${group.letter}${group.rows.length}`).join(" ")).toBe(sizes);
  for (const { letter, rows } of groups) {
    expect(rows.map(({ id }) => id)).toEqual(rows.map((_, at) => `${letter}${at + 1}`));
    expect(new Set(rows.map(({ title }) => title)).size, letter).toBe(rows.length);
  }
});

test("titles name rows by their IDs in front", () => {
  expect(idsOf("B5 only a candidate whose log is as good")).toEqual(["B5"]);
  expect(idsOf("F8 F12 committed entries come once")).toEqual(["F8", "F12"]);
  for (const none of ["M1", "B5", "H02 x", "B5: x", "the row B5 is"]) {
    expect(idsOf(none), none).toEqual([]);
  }
});

test("what is not applicable has a reason and no test", () => {
  const rows = readCatalogue(root, scenarios).flatMap((group) => group.rows);
  const titles = findTitles(root, scenarios);
  for (const { id, notApplicable } of rows) {
    if (notApplicable === undefined) continue;
    expect(notApplicable.length, id).toBeGreaterThan(20);
    expect(
      titles.filter((one) => one.id === id),
      id,
    ).toEqual([]);
  }
});

test.each([scenarios, sdkRows])("every title names a row of $page that exists", (catalogue) => {
  const rows = readCatalogue(root, catalogue).flatMap((group) => group.rows);
  const titles = findTitles(root, catalogue);
  expect(titles.length).toBeGreaterThan(20);
  expect(titles.filter(({ id }) => !rows.some((row) => row.id === id))).toEqual([]);
});

test("every row of the SDK has a test", () => {
  const titles = new Set(findTitles(root, sdkRows).map(({ id }) => id));
  const rows = readCatalogue(root, sdkRows).flatMap((group) => group.rows);
  expect(rows.filter(({ id }) => !titles.has(id))).toEqual([]);
});

test("a row is green when all of its tests passed", () => {
  const ran = [
    { file: "a", titles: ["A1 x"], passed: true },
    { file: "a", titles: ["y", "A1 A2 around it"], passed: true },
    { file: "b", titles: ["A2 z"], passed: false },
    { file: "b", titles: ["A12 of another row"], passed: false },
  ];
  const row = (id: string) => ({ id, title: "" });
  expect(["A1", "A2", "A3"].map((id) => judge(row(id), ran))).toEqual(["green", "red", "missing"]);
  expect(judge({ ...row("A3"), notApplicable: "why" }, ran)).toBe("not applicable");
  expect(proofsOf(row("A2"), ran)).toEqual(["passed  a > A1 A2 around it > y", "red     b > A2 z"]);
  expect(proofsOf(row("A3"), ran)).toEqual(["missing"]);
  const table = tableOf([{ letter: "A", title: "terms", rows: ["A1", "A2", "A3"].map(row) }], ran);
  expect(table.split("\n").map((line) => line.trim().split(/\s+/).slice(-5))).toEqual([
    ["green", "red", "missing", "not", "applicable"],
    ["3", "1", "1", "1", "0"],
    ["3", "1", "1", "1", "0"],
  ]);
});
