/**
 * `npm run chaos -- [--minutes M] [--seed S] [--faults a,b] [--workloads a,b] [--json FILE]`: real processes under load
 * while they, their network, their disks and their clocks are broken. Exit code 1 when something was found. docs/chaos.md
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { faults, workloads } from "../chaos/catalogue.js";
import { table } from "../chaos/figures.js";
import { isInside, runInside } from "../chaos/inside.js";
import { isClean, runChaos, type NetworkKind } from "../chaos/run.js";
import { numberFlag, parseFlags } from "./flags.js";

const usage = `usage: npm run chaos -- [--minutes M] [--seed S] [--nodes N] [--network proxies|namespaces|both]
                        [--faults a,b] [--workloads a,b] [--in-order] [--json FILE]

  --minutes M     how long, both networks together (5)
  --seed S        which faults come when (drawn)
  --nodes N       of the cluster, 1–9 (3)
  --network K     one kind only (both; proxies where the system has no namespaces)
  --faults a,b    only these, or these groups: ${[...new Set(faults.map(({ group }) => group))].join(", ")}
  --workloads a,b only these
  --in-order      each fault once, in the order given
  --json FILE     the report

faults: ${faults.map(({ name }) => name).join(" ")}
workloads: ${Object.keys(workloads).join(" ")}
`;

const { values: flags } = parseFlags(usage, {
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    nodes: { type: "string", default: "3" },
    network: { type: "string", default: "both" },
    faults: { type: "string" },
    workloads: { type: "string" },
    "in-order": { type: "boolean", default: false },
    json: { type: "string" },
  },
});

function networksOf(name: string): readonly NetworkKind[] {
  if (name === "both") return ["proxies", "namespaces"];
  if (name === "proxies" || name === "namespaces") return [name];
  throw new Error("--network must be proxies, namespaces or both");
}

async function main(): Promise<number> {
  const options = {
    ...{
      minutes: numberFlag("minutes", flags.minutes, [0.1, 10_000]),
      nodes: numberFlag("nodes", flags.nodes, [1, 9]),
      networks: networksOf(flags.network),
    },
    ...{ faults: flags.faults?.split(","), workloads: flags.workloads?.split(","), inOrder: flags["in-order"] },
    seed: flags.seed === undefined ? randomInt(2 ** 31) : numberFlag("seed", flags.seed, [0, 2 ** 31]),
  };
  if (!isInside()) {
    const code = await runInside();
    if (code !== undefined) return code;
  }
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const report = await runChaos({ ...options, mayMount: isInside(), print });
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(report, null, 2)}\n`);
  for (const leg of report.legs) {
    print(`\n${leg.network}, ${leg.seconds} s, requests: ${JSON.stringify(leg.requests)}\n${table(leg.faults)}`);
    for (const [fault, why] of Object.entries(leg.missing)) print(`not run: ${fault}: ${why}`);
    print(`violations: ${JSON.stringify(leg.violations)}`);
    if (leg.details.length > 0) print(`found: ${JSON.stringify(leg.found, null, 2)}`);
  }
  return isClean(report) ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(2);
}
