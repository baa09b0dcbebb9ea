/**
 * The command line of the bench.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

export const usage = `usage: npm run bench -- [what] [how]

what, one of
  (nothing)        every workload in a closed loop
  --rate N         every workload that can, in an open loop at N operations per second
  --peer NAME      etcd or restate beside slct, in turns; prints the ratio of the medians
  --failover N     the leader killed N times under load
  --large          states of 100 KB, 1 MB and 4 MB
  --scale N        up to N parked selects, pending states, channels, waiters of one channel, timers due at once
  --soak M         M minutes of all workloads in turn: do memory, files and log grow?
  --budget         where the CPU of a PUT goes, step by step
  --workers N,N    with so many ingress workers per node, beside each other, on three nodes and on one
  --guard          20 seconds beside a yardstick; exit code 1 when slct has become slower
  --report         docs/performance.md from the figures of all runs so far; measures nothing

how
  --connections N,N  concurrent connections (1,16,64,256; with --peer and --workers 64)
  --only TEXT,TEXT   only workloads whose name has one of these in it, as 'create 10 KB, c=64,get'
  --seconds N        per measurement (8; with --peer and --workers per round, 3)
  --warmup N         seconds before each that do not count (2; with --peer and --workers 1)
  --rounds N         with --peer, --workers and --scale (5)
  --runs N           with --guard: so many times, to see how much it differs (1)
  --data DIR         on a disk, for the nodes' data (a new directory for temporary files); emptied at the end
  --peer-cache DIR   where Restate is installed on demand (slct-peers among the temporary files)
  --out DIR          where figures.json and profiles go (bench-out)
  --cpu-prof         a CPU profile of every node, and its hottest functions
`;

export type Mode =
  "load" | "open" | "peer" | "failover" | "large" | "scale" | "soak" | "budget" | "ingress" | "guard" | "report";

export interface BenchOptions {
  readonly mode: Mode;
  /** What is given with `--rate`, `--failover`, `--scale` or `--soak`. */
  readonly count: number;
  readonly peer: string;
  /** Ingress workers per node, one cluster for each. */
  readonly workers: readonly number[];
  readonly connections: readonly number[];
  readonly only: readonly string[];
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly rounds: number;
  readonly runs: number;
  readonly data: string | undefined;
  readonly peerCache: string;
  readonly out: string;
  readonly cpuProf: boolean;
  /** As a user would type it again. */
  readonly command: string;
}

/** @returns undefined when only help is wanted @throws Error that names the flag */
export function parseOptions(argv: readonly string[]): BenchOptions | undefined {
  const text = { type: "string" } as const;
  const yes = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ...{
        rate: text,
        peer: text,
        failover: text,
        large: yes,
        scale: text,
        soak: text,
        budget: yes,
        workers: text,
        guard: yes,
        report: yes,
      },
      ...{ connections: text, only: text, seconds: text, warmup: text, rounds: text, runs: text, data: text },
      ...{ "peer-cache": text, out: text, "cpu-prof": yes, help: yes },
    },
  });
  if (values.help) return undefined;
  const modes: readonly (readonly [Mode, string | boolean | undefined])[] = [
    ...([
      ["open", values.rate],
      ["peer", values.peer],
      ["failover", values.failover],
    ] as const),
    ...([
      ["large", values.large],
      ["scale", values.scale],
      ["soak", values.soak],
    ] as const),
    ...([
      ["budget", values.budget],
      ["ingress", values.workers],
      ["guard", values.guard],
      ["report", values.report],
    ] as const),
  ];
  const chosen = modes.filter(([, value]) => value !== undefined && value !== false);
  if (chosen.length > 1) throw new Error("only one thing can be measured at a time: see --help");
  const [mode, given] = chosen[0] ?? ["load", ""];
  const inRounds = mode === "peer" || mode === "ingress";
  const counts = mode === "open" || mode === "failover" || mode === "scale" || mode === "soak";
  return {
    ...{ mode, peer: values.peer ?? "", cpuProf: values["cpu-prof"], data: values.data },
    count: counts ? positive("the number of what is measured", String(given)) : 0,
    connections: (values.connections ?? (mode === "load" ? "1,16,64,256" : "64"))
      .split(",")
      .map((one) => positive("--connections", one)),
    // "create 10 KB, c=64" is one name, as the tables print it.
    only: values.only?.split(/,(?! )/) ?? [],
    workers: values.workers?.split(",").map(workerCount) ?? [],
    seconds: positive("--seconds", values.seconds ?? (inRounds ? "3" : "8")),
    warmupSeconds: positive("--warmup", values.warmup ?? (inRounds ? "1" : "2")),
    rounds: positive("--rounds", values.rounds ?? "5"),
    runs: positive("--runs", values.runs ?? "1"),
    peerCache: values["peer-cache"] ?? join(tmpdir(), "slct-peers"),
    out: values.out ?? "bench-out",
    command: ["npm run bench", ...(argv.length > 0 ? ["--", ...argv.map(quoted)] : [])].join(" "),
  };
}

/** For a shell. */
function quoted(argument: string): string {
  return /^[\w,.:/=-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

function positive(what: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1e9)) throw new Error(`${what} must be a number above 0, not ${text}`);
  return value;
}

function workerCount(text: string): number {
  if (!/^\d{1,2}$/.test(text) || Number(text) > 16) throw new Error(`--workers must be numbers in 0–16, not ${text}`);
  return Number(text);
}

export function isChosen(name: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}
