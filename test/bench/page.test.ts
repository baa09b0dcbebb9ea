/**
 * docs/performance.md says what the figures beside it say.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mergeFigures, readFigures, type Figure } from "../../scripts/bench/figure.js";
import { ratioMin } from "../../scripts/bench/guard.js";
import { docs, fill, scaleCurve } from "../../scripts/bench/page.js";
import { cells, plainTables } from "../../scripts/bench/tables.js";
import { targetCells, targets } from "../../scripts/bench/targets.js";

const of = (kind: Figure["kind"], name: string, values: Figure["values"]): Figure => ({
  ...{ kind, name, values, at: "2026-01-02T03:04:05.000Z", command: "npm run bench" },
});

describe("the page", () => {
  const figures = readFigures(join(docs, "performance/figures.json"));

  test("is made from the figures", () => {
    const page = readFileSync(join(docs, "performance.md"), "utf8");
    expect(fill(page, figures)).toBe(page);
  });

  test("and so is its diagram", () => {
    const file = join(docs, "performance/scale.svg");
    expect(scaleCurve(figures)).toBe(existsSync(file) ? readFileSync(file, "utf8") : undefined);
  });

  test("has runs of the guard that its bound is less than half of", () => {
    for (const { values } of figures.filter(({ kind }) => kind === "guard"))
      expect(Number(values.lowest)).toBeGreaterThan(2 * ratioMin);
  });
});

describe("targets", () => {
  const row = (id: string, figures: readonly Figure[]) => targetCells(figures).find(([first]) => first === id) ?? [];

  test("are twelve", () =>
    expect(targets.map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, n) => `V${n + 1}`)));

  test("that were not measured say so", () => {
    expect(row("V1", [])).toEqual([
      "V1",
      "PUT of a new state with one blocking select and 10 KB `Data`",
      "× etcd's put ≥ 3",
      ...["not measured", "", "", "", ""],
    ]);
  });

  test.each([
    [3.004, "met"],
    [2.1, "missed by 30 %"],
  ])("of a ratio: %d is %s", (ratio, verdict) => {
    const figure = of("etcd", "put 10 KB, c=64", { ratio, peerPerSecond: 1043.4 });
    expect(row("V1", [figure]).slice(3)).toEqual([
      ...[`× etcd's put ${ratio.toFixed(2)}`, "etcd 1043/s", verdict, "`npm run bench`", "2026-01-02"],
    ]);
  });

  test.each([
    [{ p50Ms: 1.5, p99Ms: 6 }, "met"],
    [{ p50Ms: 3, p99Ms: 5 }, "missed by 100 %"],
    [{ p50Ms: 1.6, p99Ms: 9 }, "missed by 50 %"],
    [{ p50Ms: 1 }, "incomplete"],
  ])("of times: the worst part counts: %j is %s", (values, verdict) => {
    expect(row("V6", [of("etcd", "put 256 B, c=1", values)])[5]).toBe(verdict);
  });

  test("of times beside a peer: its own times stand there", () => {
    const values = { p50Ms: 1.5, p99Ms: 6, peerPerSecond: 400, peerP50Ms: 2.404, peerP99Ms: 9 };
    expect(row("V6", [of("etcd", "put 256 B, c=1", values)])[4]).toBe("etcd p50 2.40 ms, p99 9.00 ms");
  });

  test("of nothing lost: one is too many", () => {
    expect(row("V10", [of("failover", "leader killed, c=64", { p99Ms: 900, lost: 1 })])[5]).toBe("missed by 100 %");
    expect(row("V10", [of("failover", "leader killed, c=64", { p99Ms: 900, lost: 0 })])[5]).toBe("met");
  });
});

describe("figures", () => {
  test("replace those of the same name and keep the place", () => {
    const older = [of("load", "a", { x: 1 }), of("load", "b", { x: 1 }), of("scale", "a", { x: 1 })];
    const merged = mergeFigures(older, [of("load", "a", { x: 2 }), of("open", "c", { x: 3 })]);
    expect(merged.map(({ kind, name, values }) => [kind, name, values.x])).toEqual([
      ["load", "a", 2],
      ["load", "b", 1],
      ["open", "c", 3],
      ["scale", "a", 1],
    ]);
  });

  test("are tables without empty columns", () => {
    const figures = [
      of("failover", "x", { kills: 2, p50Ms: 800.4 }),
      of("failover", "longer", { kills: 10, p50Ms: 90 }),
    ];
    expect(cells("failover", figures)).toEqual([
      ["", "kills", "p50 ms"],
      ["x", "2", "800"],
      ["longer", "10", "90"],
    ]);
    expect(plainTables(figures)).toBe(
      ["The leader killed under load", "        kills  p50 ms", "x           2     800", "longer     10      90"].join(
        "\n",
      ),
    );
  });
});

test("a curve has a point for each size, in order, and is the same every time", () => {
  const at = (size: number, p99Ms: number) => of("scale", `channels ${size}`, { size, p99Ms, cpuMicrosPerOp: 100 });
  const drawn = scaleCurve([at(10_000, 4), at(1000, 2)]) ?? "";
  expect(drawn).toBe(scaleCurve([at(1000, 2), at(10_000, 4)]));
  // p99: the axis ends at 5; from 1 k on the left edge to 10 k on the right one.
  expect(drawn).toContain("M46.0 104.0L306.0 52.0");
  expect(drawn.match(/<circle/g)).toHaveLength(4);
  expect(scaleCurve([])).toBeUndefined();
});
