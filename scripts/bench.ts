/**
 * `npm run bench`: starts its own three nodes with default durability, loads them, checks every answer, prints tables and
 * keeps the figures as JSON. docs/performance.md
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mergeFigures, readFigures, writeFigures, type Figure, type Found, type Kind } from "./bench/figure.js";
import { budget } from "./bench/budget.js";
import { parseOptions, usage, type BenchOptions } from "./bench/options.js";
import { failover } from "./bench/failover.js";
import { guard } from "./bench/guard.js";
import { ingress } from "./bench/ingress.js";
import { large } from "./bench/large.js";
import { writePage } from "./bench/page.js";
import { beside } from "./bench/peers.js";
import { profileText } from "./bench/profile.js";
import { scale } from "./bench/scale.js";
import { SlctCluster } from "./bench/slct.js";
import { soak } from "./bench/soak.js";
import { suite } from "./bench/suite.js";
import { plainTables } from "./bench/tables.js";

const hottestCount = 12;

async function main(options: BenchOptions): Promise<void> {
  mkdirSync(options.out, { recursive: true });
  const file = join(options.out, "figures.json");
  const figures: Figure[] = [];
  const found: Found = (name, values) => {
    const figure = { kind: kindOf(options), name, at: new Date().toISOString(), command: options.command, values };
    figures.push(figure);
    writeFigures(file, mergeFigures(readFigures(file), [figure]));
    process.stderr.write(`${plainTables([figure])}\n`);
  };
  await measureAll(options, found);
  process.stdout.write(`${plainTables(figures)}\n`);
  if (options.cpuProf) process.stdout.write(`\n${profileText(options.out, hottestCount)}\n`);
}

function kindOf({ mode, peer }: BenchOptions): Kind {
  if (mode === "peer") return peer === "etcd" ? "etcd" : "restate";
  return mode === "report" ? "load" : mode;
}

async function measureAll(options: BenchOptions, found: Found): Promise<void> {
  const connections = options.connections[0] ?? 64;
  switch (options.mode) {
    case "load":
    case "open":
      return onCluster(options, (cluster) => suite(cluster, options, found));
    case "peer":
      return onCluster(options, (cluster, dir) => beside(cluster, dir, options, found));
    case "failover":
      return onCluster(options, (cluster) => failover(cluster, options.count, connections, found));
    case "large":
      return onCluster(options, (cluster) => large(cluster, options, found));
    case "scale":
      return scale((use, nodes) => onCluster(options, use, nodes), options, found);
    case "soak":
      return onCluster(options, (cluster) => soak(cluster, options.count, connections, found));
    case "budget":
      return onCluster(options, (cluster, dir) => budget(cluster, dir, options, found));
    case "ingress":
      return inDirectory(options, (dir) => ingress(dir, options.workers, options, found));
    case "guard":
      return onCluster(options, (cluster, dir) => guard(cluster, dir, options.runs, found));
    case "report":
      return writePage(options.out);
  }
}

/** In a new directory, and without a trace of it afterwards. */
async function inDirectory(options: BenchOptions, use: (dir: string) => Promise<void>): Promise<void> {
  if (options.data !== undefined) mkdirSync(options.data, { recursive: true });
  const dir = mkdtempSync(join(options.data ?? tmpdir(), "slct-bench-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  await use(dir);
}

/** On a cluster of its own. */
async function onCluster(
  options: BenchOptions,
  use: (cluster: SlctCluster, dir: string) => Promise<void>,
  nodes?: number,
): Promise<void> {
  await inDirectory(options, async (dir) => {
    const cluster = await SlctCluster.open({
      dir,
      ...(nodes !== undefined && { nodes }),
      ...(options.cpuProf && { profileDir: options.out }),
    });
    try {
      await use(cluster, dir);
    } finally {
      await cluster.stop();
    }
  });
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(usage);
  else await main(options);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
