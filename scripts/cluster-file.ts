/**
 * `cluster.json`: what makes the nodes of a data directory one cluster. Written at the first start, and when nodes are
 * added or removed by the script.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readIfThere, replaceFile } from "../cluster/small-file.js";
import { freePorts } from "./free-ports.js";

export interface ClusterMember {
  readonly id: string;
  /** Default: the loopback address. */
  readonly host?: string;
  readonly apiPort: number;
  readonly peerPort: number;
  /** It was added later: it learns from the others who they are. */
  readonly joined?: true;
}

export interface ClusterFile {
  readonly clusterId: string;
  readonly members: readonly ClusterMember[];
  /** Signs the callbacks of all nodes. */
  readonly webhookSecret: string;
}

/** What the command line says; absent: whatever the file says, or the default for a new cluster. */
export interface Wanted {
  readonly nodes?: number;
  readonly port?: number;
}

const defaults = { nodes: 3, port: 8081 };

/**
 * The cluster of `dir`, made new if there is none.
 * @throws Error when the file is damaged or contradicts what is wanted
 */
export async function openCluster(dir: string, wanted: Wanted): Promise<ClusterFile> {
  const file = join(dir, "cluster.json");
  const found = read(file);
  if (found === undefined) return createCluster(dir, wanted);
  const nodes = found.members.length;
  const port = found.members[0]?.apiPort;
  const rest = "leave the flag out or use another --data";
  if ((wanted.nodes ?? nodes) !== nodes) throw new Error(`${file} is of ${nodes} nodes, not ${wanted.nodes}: ${rest}`);
  if ((wanted.port ?? port) !== port)
    throw new Error(`${file} has its API at port ${port}, not ${wanted.port}: ${rest}`);
  return found;
}

function read(file: string): ClusterFile | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const found = parse(text);
  if (found === undefined) throw new Error(`${file} is damaged: restore it, or use another --data`);
  return found;
}

function parse(text: string): ClusterFile | undefined {
  try {
    const found = JSON.parse(text) as Partial<ClusterFile>;
    const { clusterId, members, webhookSecret } = found;
    const isMember = (member: Partial<ClusterMember>) =>
      typeof member.id === "string" && Number.isInteger(member.apiPort) && Number.isInteger(member.peerPort);
    if (typeof clusterId !== "string" || typeof webhookSecret !== "string" || !members?.length) return undefined;
    return members.every(isMember) ? { clusterId, members, webhookSecret } : undefined;
  } catch {
    return undefined;
  }
}

/** A new cluster, whatever is in `dir`. */
export async function createCluster(dir: string, wanted: Wanted): Promise<ClusterFile> {
  const { nodes, port } = { ...defaults, ...wanted };
  const numbers = Array.from({ length: nodes }, (_, n) => n);
  const apiPorts = numbers.map((n) => port + n);
  const peerPorts = await freePorts(nodes, new Set(apiPorts));
  const cluster: ClusterFile = {
    clusterId: `local-${randomUUID()}`,
    members: numbers.map((n) => ({ id: `n${n + 1}`, apiPort: port + n, peerPort: peerPorts[n] ?? 0 })),
    webhookSecret: `whsec_${randomBytes(32).toString("base64")}`,
  };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  write(dir, cluster);
  return cluster;
}

/** One more, on free ports. */
export async function addMember(dir: string, cluster: ClusterFile, id: string): Promise<ClusterMember> {
  const taken = new Set(cluster.members.flatMap(({ apiPort, peerPort }) => [apiPort, peerPort]));
  const [apiPort = 0, peerPort = 0] = await freePorts(2, taken);
  const member: ClusterMember = { id, apiPort, peerPort, joined: true };
  write(dir, { ...cluster, members: [...cluster.members, member] });
  return member;
}

export function dropMember(dir: string, cluster: ClusterFile, id: string): void {
  write(dir, { ...cluster, members: cluster.members.filter((member) => member.id !== id) });
}

function write(dir: string, cluster: ClusterFile): void {
  replaceFile(join(dir, "cluster.json"), `${JSON.stringify(cluster, null, 2)}\n`);
}
