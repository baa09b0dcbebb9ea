/**
 * The recorded runs in docs/runs, and the page as they make it.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { faults } from "../../chaos/catalogue.js";
import type { Report } from "../../chaos/figures.js";
import { page, type Simulated } from "./page.js";
import { recordsOf, type ChaosRecord } from "./records.js";

export const pageFile = "docs/guarantees.md";
const chaosFile = "docs/runs/chaos.json";
const simFile = "docs/runs/sim.json";

/** What the page would be now. */
export function currentPage(): string {
  return page({ faults, chaos: read<ChaosRecord[]>(chaosFile) ?? [], sim: read<Simulated>(simFile) });
}

function read<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}

/** Puts the figures of reports of chaos runs beside those that are there, one record a line. */
export function add(reports: readonly string[]): void {
  const before = read<ChaosRecord[]>(chaosFile) ?? [];
  const added = reports.flatMap((file) => recordsOf(JSON.parse(readFileSync(file, "utf8")) as Report));
  writeFileSync(chaosFile, `[\n${[...before, ...added].map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}
