/**
 * docs/guarantees.md, made from the figures of the runs.
 */
import type { Fault } from "../../chaos/fault.js";
import type { Spread } from "../../chaos/figures.js";
import type { Figures } from "../../sim/report.js";
import { clauses, notSurvived, sentence, type Clause } from "./clauses.js";
import { rowOf, sum, type ChaosRecord, type EpisodeRecord, type Row } from "./records.js";

/** What the page has of a batch of seeds. */
export type Simulated = Pick<
  Figures,
  | "commit"
  | "firstSeed"
  | "seeds"
  | "violations"
  | "simulatedHours"
  | "events"
  | "committed"
  | "leaders"
  | "answersChecked"
  | "endsUnknown"
  | "faults"
>;

export interface Runs {
  readonly chaos: readonly ChaosRecord[];
  /** Undefined: none is recorded. */
  readonly sim: Simulated | undefined;
  /** The catalogue: which group a fault belongs to. */
  readonly faults: readonly Pick<Fault, "name" | "group">[];
}

const both = "+";

export function page(runs: Runs): string {
  return [
    "# Guarantees",
    "Made by `npm run guarantees` from [runs/chaos.json](runs/chaos.json) and [runs/sim.json](runs/sim.json): figures here were measured, not typed.",
    `> ${sentence}`,
    "## Clause by clause",
    table(
      ["promise", "upheld and checked by", "real processes: operations · violations"],
      clauses.map((clause) => clauseRow(clause, runs)),
    ),
    "The operations are those of the workloads that would notice; a violation is anything that its checker reports, of any kind. How they work: [chaos.md](chaos.md).",
    ...realProcesses(runs),
    ...simulation(runs.sim),
    "## What is not survived",
    notSurvived.map((line) => `- ${line}`).join("\n"),
  ]
    .join("\n\n")
    .concat("\n");
}

function clauseRow({ promise, invariants, workloads, kinds, groups }: Clause, { chaos, faults }: Runs): string[] {
  const upheld = invariants.map(([what, file]) => `[${what}](../${file})`).join("; ");
  const counts = workloads.map((name) => `${name} ${number(firstCount(chaos, name))}`).join(", ");
  const broken = sum(chaos.map(({ violations }) => violations));
  const found = kinds.map((kind) => `${kind} ${number(broken[kind] ?? 0)}`).join(", ");
  const episodes = inGroups(chaos, faults, groups);
  const under = `${number(episodes.length)} faults${groups === undefined ? "" : ` of ${groups.join(" and ")}`}`;
  return [promise, upheld, `${counts} · **${found}** under ${under}`];
}

/** What a workload counts first is what it did. */
function firstCount(chaos: readonly ChaosRecord[], workload: string): number {
  return chaos.reduce((total, { workloads }) => total + (Object.values(workloads[workload] ?? {})[0] ?? 0), 0);
}

function inGroups(chaos: readonly ChaosRecord[], faults: Runs["faults"], groups: Clause["groups"]): EpisodeRecord[] {
  const groupOf = new Map(faults.map(({ name, group }) => [name, group as string]));
  const isMeant = (name: string) => groups === undefined || groups.includes(groupOf.get(name) ?? "");
  return chaos.flatMap(({ episodes }) => episodes.filter(([fault]) => fault.split(both).some(isMeant)));
}

function realProcesses({ chaos, faults }: Runs): string[] {
  const minutes = chaos.reduce((total, { seconds }) => total + seconds, 0) / 60;
  const { acknowledged = 0, untouched = 0, unknown = 0 } = sum(chaos.map(({ requests }) => requests));
  const violations = sum(chaos.map((one) => one.violations));
  const commits = [...new Set(chaos.map(({ commit }) => commit))];
  const runs = new Set(chaos.map(({ seed }) => seed)).size;
  const networks = [...new Set(chaos.map(({ network }) => network))].sort();
  const missing = faults.map(({ name }) => name).filter((name) => chaos.every((one) => name in one.missing));
  const found = Object.entries(violations).map(([kind, count]) => `${kind} ${number(count)}`);
  return [
    "## Real processes",
    `${number(runs)} run${runs === 1 ? "" : "s"}, ${minutes.toFixed(0)} minutes, ${nodesOf(chaos)} nodes, networks of ${networks.join(" and of ")}, commits ${commits.join(", ")}; on ${[...new Set(chaos.map(({ machine }) => machine))].join("; ")}.`,
    `Requests: **${number(acknowledged)} acknowledged**, ${number(unknown)} unknown, ${number(untouched)} refused with nothing done. Violations: **${found.join(", ")}**.`,
    `Times in ms, p50 / p99 / max: how long no write was acknowledged, how long until every node served again, how often the leader changed. The machine was shared${load(chaos)}: they are no benchmark.`,
    ...faultTables(chaos, faults),
    ...(missing.length === 0 || chaos.length === 0 ? [] : [`Not to be had where these ran: ${missing.join(", ")}.`]),
  ];
}

/** How busy it was. */
function load(chaos: readonly ChaosRecord[]): string {
  const loads = chaos.flatMap(({ loads = [] }) => loads);
  return loads.length === 0 ? "" : ` (load average ${Math.min(...loads)}–${Math.max(...loads)})`;
}

function nodesOf(chaos: readonly ChaosRecord[]): string {
  return [...new Set(chaos.map(({ nodes }) => nodes))].sort().join(" and ");
}

function faultTables(chaos: readonly ChaosRecord[], faults: Runs["faults"]): string[] {
  const episodes = chaos.flatMap((one) => one.episodes);
  const single = episodes.filter(([fault]) => !fault.includes(both));
  const paired = episodes.filter(([fault]) => fault.includes(both));
  const memberNames = new Set(faults.filter(({ group }) => group === "members").map(({ name }) => name));
  const isMembers = ([fault]: EpisodeRecord) => fault.split(both).some((name) => memberNames.has(name));
  const during = [...new Set(paired.filter(isMembers).flatMap(([fault]) => fault.split(both)))];
  const groups = [...new Set(faults.map(({ group }) => group))];
  const rows = groups.flatMap((group) =>
    faults
      .filter((fault) => fault.group === group && single.some(([name]) => name === fault.name))
      .map(({ name }) => [
        group,
        ...cells(
          rowOf(
            name,
            single.filter(([fault]) => fault === name),
          ),
        ),
      ]),
  );
  const pairs = [
    rowOf("any, while members change", paired.filter(isMembers)),
    rowOf(
      "two of other groups",
      paired.filter((one) => !isMembers(one)),
    ),
  ].filter(({ times }) => times > 0);
  const head = ["class", "fault", "times", "no write", "all serve again", "leader changes"];
  const others = during.filter((name) => !memberNames.has(name)).sort();
  return [
    table(head, [...rows, ...pairs.map((row) => ["two at once", ...cells(row)])]),
    ...(others.length === 0 ? [] : [`Faults that came while members were changing: ${others.join(", ")}.`]),
  ];
}

function cells({ name, times, unavailableMs, recoveryMs, leaderChanges }: Row): string[] {
  return [name, number(times), three(unavailableMs), three(recoveryMs), three(leaderChanges)];
}

function simulation(sim: Simulated | undefined): string[] {
  if (sim === undefined) return [];
  return [
    "## Simulation",
    `The production cores, engine and node on a simulated clock, network and disk ([sim](../sim)): **${number(sim.seeds)} seeds** from ${number(sim.firstSeed)}, commit ${sim.commit}, ${number(sim.simulatedHours)} hours of clusters, ${number(sim.events)} events, every invariant after each. **${number(sim.violations)} violations**.`,
    `${number(sim.committed)} entries committed under ${number(sim.leaders)} leaders; ${number(sim.answersChecked)} answers checked, ${number(sim.endsUnknown)} ends unknown.`,
    table(
      ["fault", "times"],
      Object.entries(sim.faults).map(([kind, count]) => [kind, number(count)]),
    ),
  ];
}

function three({ p50, p99, max }: Spread): string {
  return [p50, p99, max].map(number).join(" / ");
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
