/**
 * `npm run sim`: runs seeds of the simulator, and tells of those that break a promise.
 *
 * Exit code 1: a promise was broken, or a seeded bug not found. See docs/simulation.md.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { runBatch, shrinkApart } from "../sim/batch.js";
import { bugs } from "../sim/bugs/catalogue.js";
import { hunt } from "../sim/bugs/hunt.js";
import { buildMutant } from "../sim/bugs/mutant.js";
import { drawConfig } from "../sim/config.js";
import { outsideJobs } from "../sim/loop.js";
import { bugTable, figuresOf, textOf, withTable, type Hunts } from "../sim/report.js";
import { replay, type Case } from "../sim/shrink.js";
import { simulate, type Result } from "../sim/simulation.js";
import type { Summary } from "../sim/summary.js";
import { numberFlag, parseFlags } from "./flags.js";

const usage = `usage: npm run sim -- [what] [how]

  --seeds N      so many seeds (100)
  --seed S       the first of them (1)
  --minutes M    no longer than that
  --twice        each seed again: the same trace?
  --json FILE    the figures
  --shrink       makes the first failure small and keeps it in test/sim/regressions
  --trace N      one seed, and its last N lines in words
  --replay FILE  a run that was kept
  --bugs         seeded bugs: seeds until each is found; table into docs/simulation.md
  --bug NAME,…   only these; one with --shrink: a small run that it breaks
  --starts N     of each bug (3)
  --limit N      seeds from each start (1000)
  --jobs J       processes (one per core)
`;
const { values: flags } = parseFlags(usage, {
  options: {
    seeds: { type: "string" },
    minutes: { type: "string" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: String(cpus().length) },
    json: { type: "string" },
    twice: { type: "boolean", default: false },
    trace: { type: "string" },
    shrink: { type: "boolean", default: false },
    replay: { type: "string" },
    bugs: { type: "boolean", default: false },
    bug: { type: "string" },
    starts: { type: "string", default: "3" },
    limit: { type: "string", default: "1000" },
  },
});
const document = "docs/simulation.md";
const huntsFile = "docs/runs/sim-bugs.json";
const first = numberFlag("seed", flags.seed, [0, 1e9]);
const count = numberFlag("seeds", flags.seeds ?? (flags.trace === undefined ? "100" : "1"), [1, 1e8]);
const endMs =
  flags.minutes === undefined ? Infinity : Date.now() + 60_000 * numberFlag("minutes", flags.minutes, [0.01, 1e5]);
const jobs = numberFlag("jobs", flags.jobs, [1, 256]);
const starts = numberFlag("starts", flags.starts, [1, 1000]);
const seedsMax = numberFlag("limit", flags.limit, [1, 1e8]);
const traceLines = numberFlag("trace", flags.trace ?? "0", [0, 1e9]);

async function main(): Promise<void> {
  if (flags.replay !== undefined) return show(await replayed(flags.replay, traceLines));
  if (flags.bugs || (flags.bug !== undefined && !flags.shrink)) return huntAll();
  if (flags.bug !== undefined) return shrinkMutant(flags.bug);
  if (flags.trace !== undefined) {
    return show(await outsideJobs(() => simulate(drawConfig(first), { traceLines })));
  }
  const summaries = await runBatch({ first, count, jobs, endMs, onSummary: tell });
  if (flags.twice) await again(summaries);
  const figures = figuresOf(summaries, commit());
  say(textOf(figures));
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(figures, null, 2)}\n`);
  const failed = summaries.find(({ violation }) => violation !== undefined);
  if (failed !== undefined && flags.shrink) keep(await shrinkApart(failed.seed), `seed-${failed.seed}`);
}

function tell({ seed, violation }: Summary): void {
  if (violation === undefined) return;
  say(`seed ${seed} at ${commit()}: ${violation.message}`);
  if (process.exitCode !== 1) say(`  config: ${JSON.stringify(drawConfig(seed))}`);
  say(`  again: npm run sim -- --seed ${seed} --trace 60`);
  process.exitCode = 1;
}

async function again(summaries: readonly Summary[]): Promise<void> {
  const second = await runBatch({ first, count, jobs });
  const others = new Map(second.map(({ seed, trace }) => [seed, trace]));
  for (const { seed, trace } of summaries) {
    if (others.get(seed) === trace) continue;
    process.exitCode = 1;
    say(`seed ${seed} is not a function of its seed: traces ${trace} and ${others.get(seed)}`);
  }
}

function show({ lines, violation, trace, events, simulatedMs, faults }: Result): void {
  for (const line of lines) say(line);
  say(`${events} events, ${Math.round(simulatedMs)} ms, ${faults.length} faults, trace ${trace}`);
  say(violation?.message ?? "every promise was kept");
  if (violation !== undefined) process.exitCode = 1;
}

function replayed(file: string, traceLines: number): Promise<Result> {
  const kept = JSON.parse(readFileSync(file, "utf8")) as Case;
  return outsideJobs(() => replay(kept, traceLines));
}

/** What is found is written at once: the others keep what an earlier run found of them. */
async function huntAll(): Promise<void> {
  const wanted = flags.bug?.split(",");
  const todo = bugs.filter(({ name }) => wanted === undefined || wanted.includes(name));
  const options = { root: ".", starts, seedsMax, firstSeed: first };
  const next = async (): Promise<void> => {
    for (let bug = todo.shift(); bug !== undefined; bug = todo.shift()) {
      const { seeds, caughtBy, message } = await hunt(bug, options);
      if (seeds.includes(undefined)) process.exitCode = 1;
      say(`${bug.name}: ${seeds.map((one) => one ?? "-").join(", ")} ${message}`);
      const known = JSON.parse(readFileSync(huntsFile, "utf8")) as Hunts;
      const figures = { commit: commit(), seeds: seeds.map((one) => one ?? null), caughtBy };
      const found = { ...known, [bug.name]: figures };
      writeFileSync(huntsFile, `${JSON.stringify(found, null, 2)}\n`);
      writeFileSync(document, withTable(readFileSync(document, "utf8"), bugTable(bugs, found)));
    }
  };
  await Promise.all(Array.from({ length: jobs }, next));
}

async function shrinkMutant(name: string): Promise<void> {
  const bug = bugs.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`there is no bug ${name}`);
  const mutant = buildMutant(".", bug);
  try {
    const options = { first, count: seedsMax, jobs: 1, stopAtFirst: true, worker: mutant.worker };
    const failed = (await runBatch(options)).find(({ violation }) => violation !== undefined);
    if (failed === undefined) throw new Error(`${name} is not found in ${seedsMax} seeds from ${first}`);
    const found = await shrinkApart(failed.seed, mutant.worker);
    keep(found && { ...found, bug: name }, name);
  } finally {
    mutant.remove();
  }
}

function keep(found: Case | undefined, name: string): void {
  if (found === undefined) throw new Error(`${name} does not fail again`);
  const file = `test/sim/regressions/${name}.json`;
  writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
  const { config, faults, message } = found;
  say(`${file}: ${config.nodes} nodes, ${config.requests} requests, ${faults.length} faults: ${message}`);
}

function commit(): string {
  return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
