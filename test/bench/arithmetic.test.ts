import { describe, expect, test } from "vitest";
import { niceCeiling } from "../../scripts/bench/curve.js";
import { longestGap, median, percentile, summarize } from "../../scripts/bench/latency.js";
import { bucketsOf, longest } from "../../scripts/bench/longest.js";
import { spent } from "../../scripts/bench/measure.js";
import { parseOptions } from "../../scripts/bench/options.js";
import { sizesOf } from "../../scripts/bench/scenarios.js";
import { workerFigures } from "../../scripts/bench/sdk.js";
import { deviations } from "../../scripts/bench/slct.js";
import { metric } from "../../scripts/bench/usage.js";
import { compare } from "../../scripts/bench/versus.js";
import { holds } from "../../scripts/bench/workload.js";

describe("times", () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);

  test.each([
    [[3], 0.5, 3],
    [[4, 1], 0.5, 1],
    [[3, 1, 2], 0.5, 2],
    [hundred, 0.99, 99],
    [hundred, 1, 100],
    [hundred, 0, 1],
    [[], 0.5, NaN],
  ])("percentile of %j at %d", (values, share, wanted) => expect(percentile(values, share)).toBe(wanted));

  test("of a hundred", () => expect(summarize(hundred)).toEqual({ p50Ms: 50, p99Ms: 99, maxMs: 100 }));

  test("median", () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([5, 1, 3, 4])).toBe(3.5);
    expect(median([])).toBeNaN();
  });

  test("longest gap", () => {
    expect(longestGap([10, 12, 40, 41])).toBe(28);
    expect(longestGap([10])).toBe(0);
  });
});

describe("the longest of a histogram", () => {
  const text = (...counts: number[]) =>
    ["0.01", "0.02", "+Inf"].map((bound, n) => `x_bucket{le="${bound}"} ${counts[n]}`).join("\n");
  const before = bucketsOf(text(3, 4, 4), "x");

  test.each([
    ["none came", [3, 4, 4], 0],
    ["all in the first bucket", [9, 10, 10], 0.01],
    ["one above it", [9, 11, 11], 0.02],
  ])("%s", (_, counts, wanted) => expect(longest(before, bucketsOf(text(...counts), "x"))).toBe(wanted));

  test("beyond the last bound there is no answer", () => {
    expect(() => longest(before, bucketsOf(text(3, 4, 5), "x"))).toThrow("longer than the last bucket");
  });

  test("others are not looked at", () => {
    expect(bucketsOf(`# HELP x y\nxx_bucket{le="1"} 5\n${text(1, 2, 3)}\nx_sum 4`, "x").size).toBe(3);
  });
});

test("the ratio is that of the medians", () => {
  const of = (perSecond: number) => ({ perSecond, nodeCores: [1, 1] });
  const values = compare([of(100), of(900), of(110)], [of(50), of(10), of(55)]);
  expect(values).toMatchObject({ ratio: 2.2, perSecond: 110, peerPerSecond: 50, rounds: [100, 900, 110] });
});

test("what was spent is per second and per operation", () => {
  const at = (atMs: number, n: number) => ({
    ...{ atMs, cpuSeconds: [n, 2 * n], loadCpuSeconds: n / 2, rssMiB: [100, 200], syncs: 10 * n },
  });
  expect(spent(at(0, 1), at(2000, 2), 1000)).toEqual({
    nodeCores: [0.5, 1],
    loadCores: 0.25,
    cpuMicrosPerOp: 3000,
    syncsPerOp: 0.01,
    rssMiB: [100, 200],
  });
});

test("a metric is found by its whole name, labels included", () => {
  const text = '# HELP a b\na_count 3\na 5\na{b="c"} 7\n';
  expect([metric(text, "a"), metric(text, "a_count"), metric(text, 'a{b="c"}'), metric(text, "b")]).toEqual([
    5,
    3,
    7,
    NaN,
  ]);
});

test("only names and addresses may differ from the defaults", () => {
  const named = ["node", "main.js", "--id", "n1", "--data-dir=/x", "--port", "1", "--cpu-prof"];
  expect(deviations(named, ["PATH", "SLCT_CALLBACK_SECRETS"])).toEqual([]);
  const changed = [...named, "--log-segment-bytes=1", "--heartbeat-ms", "9"];
  expect(deviations(changed, ["SLCT_OVERLAY_BYTES_MAX"])).toEqual([
    ...["--log-segment-bytes", "--heartbeat-ms", "SLCT_OVERLAY_BYTES_MAX"],
  ]);
});

test("sizes grow by tens, to what is asked for or drawn", () => {
  const range = { smallest: 100, largest: 1_000_000 };
  expect(sizesOf(range, 10_000)).toEqual([100, 1000, 10_000]);
  expect(sizesOf(range, 5000)).toEqual([100, 1000, 5000]);
  expect(sizesOf(range, 1e9)).toEqual([100, 1000, 10_000, 100_000, 1_000_000]);
  expect(sizesOf(range, 50)).toEqual([50]);
});

test.each([
  [0, 1],
  [0.7, 1],
  [1, 1],
  [1.1, 2],
  [37, 50],
  [510, 1000],
])("an axis for %d ends at %d", (value, end) => expect(niceCeiling(value)).toBe(end));

describe("the command line", () => {
  test("has the defaults of what is measured", () => {
    expect(parseOptions([])).toMatchObject({ mode: "load", connections: [1, 16, 64, 256], command: "npm run bench" });
    expect(parseOptions(["--peer", "etcd"])).toMatchObject({
      mode: "peer",
      peer: "etcd",
      connections: [64],
      rounds: 5,
    });
    expect(parseOptions(["--rate=500"])).toMatchObject({ mode: "open", count: 500 });
    expect(parseOptions(["--only", "create 10 KB, c=64,get"])?.only).toEqual(["create 10 KB, c=64", "get"]);
    expect(parseOptions(["--only", "create 256 B,get"])).toMatchObject({
      command: "npm run bench -- --only 'create 256 B,get'",
    });
    expect(parseOptions(["--help"])).toBeUndefined();
  });

  test.each([["--rate", "0"], ["--seconds", "x"], ["--large", "--guard"], ["--what"]])("refuses %s %s", (...argv) => {
    expect(() => parseOptions(argv)).toThrow();
  });
});

test("what a step costs its worker counts from the middle of the run on", () => {
  const seen = [
    { steps: 10, cpuSeconds: 1, gapsMs: [100] },
    { steps: 20, cpuSeconds: 2, gapsMs: [100] },
    { steps: 1020, cpuSeconds: 2.25, gapsMs: [3, 1] },
    { steps: 2020, cpuSeconds: 2.5, gapsMs: [2, 9] },
  ];
  expect(workerFigures(seen)).toEqual({
    ...{ stepsPerCoreSecond: 4000, workerMicrosPerStep: 250 },
    ...{ p50Ms: 2, p99Ms: 9, maxMs: 9 },
  });
  expect(workerFigures([]).stepsPerCoreSecond).toBeNaN();
});

test.each([
  ['{"ID":"a","Data":"xxxxxxxxxxxxxxxxxxxx"}', true],
  ['{"ID":"a","Data":"xxxxxxxxxxxxxxxxxxxy"}', false],
  ['{"ID":"a","Data":"xxxxxxxxxxxxxxxxxxx"}', false],
  ['{"ID":"a","Data":"xxxxxxxxxxxxxxxxxxxx', false],
  ['"Data":"xxxxxxxxxxxxxxxxxxxx"', true],
  ["", false],
])("%s holds what was written: %s", (whole, wanted) => {
  expect(holds(Buffer.from(whole), Buffer.from('"Data":"xxxxxxxxxxxxxxxxxxxx"'))).toBe(wanted);
});
