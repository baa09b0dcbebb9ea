/**
 * How a node is, seen from outside: its gauges, the memory of its process.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterFile } from "../../scripts/cluster-file.js";
import type { TestCluster } from "./harness.js";

/** Value of a metric, `name` or `name{label="value"}`. @throws Error when the node does not have it */
export async function gauge(cluster: TestCluster, node: string, name: string): Promise<number> {
  const { body } = await cluster.call<string>("/metrics", { node, once: true });
  const value = body
    .split("\n")
    .find((line) => line.startsWith(`${name} `))
    ?.slice(name.length + 1);
  if (value === undefined) throw new Error(`${node} has no metric ${name}`);
  return Number(value);
}

/** Resident memory of the node's process. @throws Error when it is gone */
export function residentMiB(cluster: TestCluster, node: string): number {
  const status = readFileSync(`/proc/${cluster.member(node).pid}/status`, "utf8");
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`${node} is a zombie`);
  return Number(kibibytes) / 1024;
}

/** As written by the cluster script. */
export function clusterFile(cluster: TestCluster): ClusterFile {
  return JSON.parse(readFileSync(join(cluster.dir, "cluster.json"), "utf8")) as ClusterFile;
}

/** Lines of a node's log from this level on: 40 warnings, 50 errors, 60 fatal. */
export function logged(cluster: TestCluster, node: string, levelMin: number): unknown[] {
  return readFileSync(join(cluster.dir, node, "node.log"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { level: number })
    .filter(({ level }) => level >= levelMin);
}
