/**
 * A whole run: one leg on each kind of network, each with a cluster of its own.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { chooseFaults, chooseWorkloads } from "./catalogue.js";
import { openClocks } from "./clocks.js";
import { ChaosCluster } from "./cluster.js";
import type { Report, LegReport } from "./figures.js";
import { runLeg } from "./leg.js";
import type { Network } from "./network.js";
import { NamespaceNetwork, whyNoNamespaces } from "./namespace-network.js";
import { ProxyNetwork } from "./proxy-network.js";
import { Random } from "./random.js";

export type NetworkKind = Network["kind"];

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly nodes: number;
  /** Names of faults and of groups of them; undefined: all. */
  readonly faults?: readonly string[] | undefined;
  readonly workloads?: readonly string[] | undefined;
  readonly networks: readonly NetworkKind[];
  /** Every fault once, in the order given, however long it takes. */
  readonly inOrder: boolean;
  /** This process has mounts of its own, which end with it. */
  readonly mayMount: boolean;
  readonly print: (line: string) => void;
}

/**
 * Short leases and pauses, so that what a dead node held comes back within the run; small files and no tail, so that logs
 * are cut, and who was away for long or is new needs a snapshot.
 */
const nodeFlags = [
  ...["--callback-lease-ms", "3000", "--callback-timeout-ms", "1500"],
  ...["--callback-backoff-ms", "100", "--callback-backoff-max-ms", "500", "--attempts-max", "100000"],
  ...["--log-segment-bytes", String(1024 * 1024), "--overlay-bytes-max", String(1024 * 1024)],
  ...["--log-tail-bytes", "0"],
];
/** Of the one disk that can be filled. */
const smallDiskBytes = 256 * 1024 * 1024;

export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { networks, print } = options;
  const why = networks.includes("namespaces") ? whyNoNamespaces() : undefined;
  if (why !== undefined) print(`no network namespaces (${why}): proxies only`);
  const kinds: NetworkKind[] = why === undefined ? [...networks] : ["proxies"];
  const legs: LegReport[] = [];
  const loads = [loadavg()[0] ?? 0];
  for (const kind of kinds) {
    print(
      `${kind}: ${((options.minutes * 60) / kinds.length).toFixed(0)} s, ${options.nodes} nodes, seed ${options.seed}`,
    );
    legs.push(await leg(options, kind, (options.minutes * 60) / kinds.length));
    loads.push(loadavg()[0] ?? 0);
  }
  const [cpu] = cpus();
  return {
    ...{ at: new Date().toISOString(), commit: commit(), seed: options.seed },
    machine: `${cpus().length} × ${cpu?.model ?? "cpu"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.version}`,
    loads: loads.map((load) => Number(load.toFixed(1))),
    legs,
  };
}

/** Whether something was found that must not be. */
export function isClean({ legs }: Report): boolean {
  return legs.every(({ details }) => details.length === 0);
}

async function leg(options: ChaosOptions, kind: NetworkKind, seconds: number): Promise<LegReport> {
  const { print, nodes, inOrder } = options;
  const random = new Random(options.seed).fork(kind);
  const dir = mkdtempSync(join(tmpdir(), "slct-chaos-"));
  const network = kind === "proxies" ? new ProxyNetwork(random.fork("proxies")) : await NamespaceNetwork.open();
  const { clocks, why } = openClocks(join(dir, "clocks"));
  print(`clocks: ${why}`);
  const smallDisk = options.mayMount ? mountSmallDisk(dir, `n${nodes}`) : undefined;
  const env = (id: string) => clocks?.env(id) ?? {};
  let cluster: ChaosCluster | undefined;
  let report: LegReport | undefined;
  try {
    cluster = await ChaosCluster.open({ dir, size: nodes, network, flags: nodeFlags, env });
    const faults = chooseFaults(options.faults);
    const trueClocks = faults.every(({ group }) => group !== "clock");
    report = await runLeg({
      ...{ cluster, seconds, faults, inOrder, print, random: random.fork("faults") },
      scene: { cluster, random: random.fork("details"), clocks, smallDisk },
      openWorkloads: (target) =>
        Promise.all(
          chooseWorkloads(options.workloads).map(async (open) =>
            open(target, { trueClocks, callbackHost: network.callbackHost }),
          ),
        ),
    });
    return report;
  } finally {
    const keep = report === undefined || report.details.length > 0;
    if (keep) print(`what the nodes left is in ${dir}`);
    await cluster?.close();
    if (smallDisk !== undefined) unmountSmallDisk(dir, smallDisk, keep);
    if (!keep) rmSync(dir, { recursive: true, force: true });
    await network.close();
  }
}

/** The node's data on a file system of its own, in memory. Undefined when that cannot be had. */
function mountSmallDisk(dir: string, id: string): string | undefined {
  const place = join(dir, id);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${smallDiskBytes},mode=0700`, "chaos", place]);
  return mounted.status === 0 ? id : undefined;
}

function unmountSmallDisk(dir: string, id: string, keep: boolean): void {
  const place = join(dir, id);
  // The file system ends with this process.
  if (keep) cpSync(place, `${place}.kept`, { recursive: true });
  spawnSync("umount", [place]);
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return "unknown";
  }
}
