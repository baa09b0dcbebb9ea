/**
 * `npm run bench`: starts its own three nodes with default durability, measures, checks every answer, prints a table and
 * writes JSON (and with `--cpu-prof` where each node's time went).
 *
 * Flags: --seconds N (per workload, 8) --warmup N (2) --connections N (64) --only V1,V4 --out DIR (bench-out) --cpu-prof.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Connection } from "./bench/connection.js";
import { hottest, table, type Row } from "./bench/report.js";
import { percentile, workloads, type Workload } from "./bench/workloads.js";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "8" },
    warmup: { type: "string", default: "2" },
    connections: { type: "string", default: "64" },
    port: { type: "string", default: "8181" },
    only: { type: "string" },
    out: { type: "string", default: "bench-out" },
    "cpu-prof": { type: "boolean", default: false },
  },
});

interface ClusterNode {
  readonly id: string;
  readonly api: string;
  readonly pid: number;
}

const ticksPerSecond = 100;

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "slct-bench-"));
  mkdirSync(flags.out, { recursive: true });
  const { script, nodes } = await startCluster(dir);
  const rows: Row[] = [];
  try {
    for (const workload of chosen()) {
      const row = await measure(workload, nodes);
      rows.push(row);
      process.stderr.write(`${table([row]).split("\n")[1] ?? ""}\n`);
    }
  } finally {
    script.kill("SIGTERM");
    await new Promise((resolve) => script.once("exit", resolve));
    rmSync(dir, { recursive: true, force: true });
  }
  process.stdout.write(`${table(rows)}\n`);
  writeFileSync(
    join(flags.out, "bench.json"),
    JSON.stringify({ at: new Date().toISOString(), node: process.version, rows }, null, 2),
  );
  if (flags["cpu-prof"]) printProfiles();
}

function chosen(): Workload[] {
  const only = flags.only?.split(",");
  return workloads(Number(flags.connections)).filter((one) => only === undefined || only.includes(one.row));
}

async function startCluster(dir: string): Promise<{ script: ChildProcess; nodes: readonly ClusterNode[] }> {
  const profile = flags["cpu-prof"] ? ["--cpu-prof", "--cpu-prof-dir", resolve(flags.out)] : [];
  const cluster = ["dist/scripts/cluster.js", "--nodes", "3", "--port", flags.port, "--data", dir];
  const script = spawn(process.execPath, [...profile, ...cluster], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: script.stdout })) {
    if (line.startsWith("READY "))
      return { script, nodes: (JSON.parse(line.slice(6)) as { nodes: ClusterNode[] }).nodes };
  }
  throw new Error("the cluster did not start");
}

async function measure(workload: Workload, nodes: readonly ClusterNode[]): Promise<Row> {
  const connections = await Promise.all(
    Array.from({ length: workload.workers }, (_, n) => Connection.open(nodes[n % nodes.length]?.api ?? "")),
  );
  const first = connections[0];
  if (first !== undefined) await workload.setup?.(first);
  const startMs = performance.now() + Number(flags.warmup) * 1000;
  const endMs = startMs + Number(flags.seconds) * 1000;
  const latencies: number[] = [];
  let operations = 0;
  const loops = connections.map(async (connection, worker) => {
    for (let round = 0; performance.now() < endMs; round++) {
      const beganMs = performance.now();
      const done = await workload.step(connection, worker, round);
      const nowMs = performance.now();
      if (beganMs < startMs || nowMs > endMs || done === 0) continue;
      operations += done;
      latencies.push(nowMs - beganMs);
    }
  });
  const all = Promise.all(loops);
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, Number(flags.warmup) * 1000))]);
  const before = await usage(nodes);
  const loadBefore = process.cpuUsage();
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, Math.max(0, endMs - performance.now())))]);
  const after = await usage(nodes);
  const load = process.cpuUsage(loadBefore);
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 2000))]);
  for (const connection of connections) connection.close();
  await all.catch(() => undefined);
  const seconds = Number(flags.seconds);
  return {
    ...{ row: workload.row, name: workload.name, unit: workload.unit, perSecond: operations / seconds },
    ...{ p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) },
    nodeCores: (after.cpuSeconds - before.cpuSeconds) / seconds,
    loadCores: (load.user + load.system) / 1e6 / seconds,
    syncsPerOp: (after.syncs - before.syncs) / operations,
    rssMiB: after.rssMiB,
    figures: workload.figures?.() ?? {},
  };
}

async function usage(nodes: readonly ClusterNode[]): Promise<{ cpuSeconds: number; syncs: number; rssMiB: number[] }> {
  const each = await Promise.all(
    nodes.map(async ({ api, pid }) => {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      const metrics = await (await fetch(`${api}/metrics`)).text();
      return {
        cpuSeconds: (Number(stat[11]) + Number(stat[12])) / ticksPerSecond,
        rssMiB: (Number(stat[21]) * 4096) / 2 ** 20,
        syncs: Number(/^slct_log_sync_seconds_count (\S+)/m.exec(metrics)?.[1] ?? NaN),
      };
    }),
  );
  return {
    cpuSeconds: each.reduce((sum, one) => sum + one.cpuSeconds, 0),
    syncs: each.reduce((sum, one) => sum + one.syncs, 0),
    rssMiB: each.map((one) => one.rssMiB),
  };
}

function printProfiles(): void {
  for (const file of readdirSync(flags.out).filter((name) => name.endsWith(".cpuprofile"))) {
    process.stdout.write(`\n${file}\n`);
    for (const { share, name, where } of hottest(join(flags.out, file), 10)) {
      process.stdout.write(`  ${(share * 100).toFixed(1).padStart(5)} %  ${name}  ${where}\n`);
    }
  }
}

await main();
