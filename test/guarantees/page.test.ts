/** docs/guarantees.md is what the recorded runs make of it, and hides nothing that they found. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { faults, workloads } from "../../chaos/catalogue.js";
import type { Report } from "../../chaos/figures.js";
import { countKinds } from "../../chaos/figures.js";
import { clauses, sentence } from "../../scripts/guarantees/clauses.js";
import { currentPage, pageFile } from "../../scripts/guarantees/files.js";
import { page, type Simulated } from "../../scripts/guarantees/page.js";
import { recordsOf, rowOf } from "../../scripts/guarantees/records.js";

const episode = { notes: [], atMs: 0, heldMs: 1, acknowledged: 0, unknown: 0 };
const report: Report = {
  ...{ at: "2026-11-21T17:00:00.000Z", commit: "abc1234", seed: 7, machine: "two cores" },
  legs: [
    {
      ...{ network: "proxies", nodes: 3, seconds: 120, faults: [], missing: { "disk-full": "no mounts" }, found: {} },
      episodes: [
        { ...episode, fault: "kill-leader", unavailableMs: 900, recoveryMs: 1000, leaderChanges: 1 },
        { ...episode, fault: "kill-leader", unavailableMs: 1900, recoveryMs: 3000, leaderChanges: 2 },
        { ...episode, fault: "replace-any+corrupt", unavailableMs: 10, recoveryMs: 20, leaderChanges: 0 },
      ],
      requests: { acknowledged: 12_345, untouched: 6, unknown: 78 },
      workloads: { timers: { armed: 11, fired: 10 } },
      violations: { ...countKinds([{ kind: "early", what: "a timer" }]) },
      details: [{ workload: "timers", kind: "early", what: "a timer" }],
    },
  ],
};
const sim: Simulated = {
  ...{ commit: "def5678", firstSeed: 1, seeds: 30_000, violations: 0, simulatedHours: 1234.5, events: 99_000_000 },
  ...{ committed: 5, leaders: 4, answersChecked: 3, endsUnknown: 2 },
  faults: { crash: 1700 },
};

test("docs/guarantees.md is up to date: npm run guarantees", () => {
  expect(readFileSync(pageFile, "utf8")).toBe(currentPage());
});

test("clauses name files, workloads and faults that are there", () => {
  const groups = faults.map(({ group }) => group as string);
  for (const clause of clauses) {
    expect(sentence).toContain(clause.promise);
    for (const [, file] of clause.invariants) expect(existsSync(file), file).toBe(true);
    for (const name of clause.workloads) expect(Object.keys(workloads)).toContain(name);
    for (const group of clause.groups ?? []) expect(groups).toContain(group);
  }
});

describe("the page", () => {
  const text = page({ faults, chaos: recordsOf(report), sim });

  test("shows what was acknowledged, and what was found wrong", () => {
    expect(text).toContain("**12,345 acknowledged**, 78 unknown, 6 refused");
    expect(text).toContain("early 1");
    expect(text).toMatch(/a timer never fires early or twice \|.*timers 11 · \*\*early 1, duplicated 0, lost 0\*\*/);
  });

  test("shows what each fault cost, those that came together apart", () => {
    expect(text).toContain("| process | kill-leader | 2 | 900 / 1,900 / 1,900 | 1,000 / 3,000 / 3,000 | 1 / 2 / 2 |");
    expect(text).toContain("| two at once | any, while members change | 1 | 10 / 10 / 10 | 20 / 20 / 20 | 0 / 0 / 0 |");
    expect(text).toContain("while members were changing: corrupt.");
    expect(text).toContain("Not to be had where these ran: disk-full.");
  });

  test("shows the simulation, if there was one", () => {
    expect(text).toMatch(/\*\*30,000 seeds\*\* from 1, commit def5678, 1,234.5 hours of clusters, 99,000,000 events/);
    expect(text).toContain("| crash | 1,700 |");
    expect(page({ faults, chaos: recordsOf(report), sim: undefined })).not.toContain("## Simulation");
  });
});

test("a rank is one that was measured", () => {
  expect(
    rowOf("x", [
      ["x", 5, 1, 0],
      ["x", 1, 2, 0],
      ["x", 3, 3, 1],
    ]),
  ).toMatchObject({
    unavailableMs: { p50: 3, p99: 5, max: 5 },
    leaderChanges: { p50: 0, p99: 1, max: 1 },
  });
});
