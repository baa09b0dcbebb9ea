/**
 * docs/metrics.md is made from the metrics themselves: nothing is measured that it does not explain.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createApiMetrics } from "../api/metrics.js";
import { createMetrics, type Gauges } from "../cluster/metrics.js";

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

/** Nothing is read before it is scraped. */
const nothing: Gauges = {
  read: () => {
    throw new Error("not scraped");
  },
  states: () => ({ waiting: 0, pending: 0, running: 0, done: 0, paused: 0 }),
  values: () => ({ sent: 0, received: 0, buffered: 0 }),
  alarms: () => [],
};

function page(): string {
  const registry = new Registry();
  createMetrics(registry, nothing);
  createApiMetrics(registry);
  const all = registry.getMetricsAsArray() as unknown as readonly Described[];
  const rows = [...all]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labelNames, help }) => {
      const labels = labelNames.filter((label) => label !== "le").map((label) => `\`${label}\``);
      return `| \`${name}\` | ${type} | ${labels.join(", ") || "–"} | ${help} |`;
    });
  return [
    "# Metrics",
    "",
    "`GET /metrics` of a node, in the text format of Prometheus. Base units: seconds, bytes; labels only from closed sets. What to",
    "watch and what to do about it: [operations.md](operations.md). This page is made from the metrics themselves.",
    "",
    "| metric | type | labels | meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

test("docs/metrics.md is up to date (REWRITE=1 rewrites it)", () => {
  const file = join(import.meta.dirname, "..", "docs/metrics.md");
  if (process.env["REWRITE"] === "1") writeFileSync(file, page());
  expect(readFileSync(file, "utf8")).toBe(page());
});
