/**
 * One node of a local cluster as a child process: start, wait until it serves, stop.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Member } from "../cluster/types.js";
import type { ClusterFile, ClusterMember } from "./cluster-file.js";
import { loopback } from "./free-ports.js";

export interface NodeProcess {
  readonly id: string;
  /** Base URL of the API. */
  readonly api: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves with a description of how the process ended. */
  readonly ended: Promise<string>;
  /** Over the channel between parent and child. Resolves when the node has answered, or is gone. */
  ask(message: object): Promise<void>;
  /** SIGKILL; nothing when the process has ended. */
  kill(): void;
  /** SIGTERM, and SIGKILL if that is not enough. Resolves when the process is gone. */
  stop(): Promise<void>;
}

/** How a node is run, where that is not the plain way. */
export interface Launch {
  /** What comes before the flags of the node; default: this Node.js and the node's entry. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const mainFile = fileURLToPath(new URL("../src/main.js", import.meta.url));
/** A node promises to end within 5 s. */
const stopMs = 8000;

export function apiOf(member: ClusterMember): string {
  return `http://${member.host ?? loopback}:${member.apiPort}`;
}

/** @param nodeFlags passed on as they are */
export function startNode(
  dir: string,
  cluster: ClusterFile,
  member: ClusterMember,
  nodeFlags: readonly string[],
  launch: Launch = {},
): NodeProcess {
  const dataDir = join(dir, member.id);
  const logFile = join(dataDir, "node.log");
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const log = openSync(logFile, "a", 0o600);
  // The IPC channel carries nothing: that it breaks tells the node that nobody looks after it any more.
  // Options of node itself (--cpu-prof, --max-old-space-size) are meant for the nodes.
  const { command = [process.execPath, ...process.execArgv, mainFile], env } = launch;
  const [program = "", ...before] = command;
  const child = spawn(program, [...before, ...flagsOf(cluster, member, dataDir, nodeFlags), ...nodeFlags], {
    stdio: ["ignore", log, log, "ipc"],
    env: { SLCT_CALLBACK_SECRETS: cluster.webhookSecret, ...process.env, ...env },
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  return {
    ...{ id: member.id, api: apiOf(member), pid: child.pid ?? 0, logFile, ended },
    ask: async (message) => {
      const answered = new Promise((resolve) => child.once("message", resolve));
      // A node that is gone hears nothing.
      child.send(message, () => undefined);
      await Promise.race([answered, ended]);
    },
    kill: () => void child.kill("SIGKILL"),
    stop: () => stop(child, ended),
  };
}

/** The last lines of a node's log, for a person. */
export function logTail(node: NodeProcess, lines = 12): string {
  return readFileSync(node.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}

/** Those that the cluster begins with. */
export function membersOf(cluster: ClusterFile): Member[] {
  return cluster.members.filter(({ joined }) => joined === undefined).map(addressesOf);
}

function addressesOf(member: ClusterMember): Member {
  return { id: member.id, peer: `${member.host ?? loopback}:${member.peerPort}`, api: apiOf(member) };
}

function flagsOf(cluster: ClusterFile, member: ClusterMember, dataDir: string, nodeFlags: readonly string[]): string[] {
  const known = member.joined ? [addressesOf(member)] : membersOf(cluster);
  const members = known.map(({ id, peer, api }) => `${id}=${peer}=${api}`);
  const allowed = nodeFlags.includes("--callback-allow") ? [] : ["--callback-allow", "127.0.0.0/8,::1,localhost"];
  return [
    ...["--id", member.id, "--cluster-id", cluster.clusterId, "--data-dir", dataDir, "--members", members.join(",")],
    ...(member.joined ? ["--join"] : []),
    ...["--host", member.host ?? loopback, "--port", String(member.apiPort), ...allowed],
  ];
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill("SIGTERM");
  const patience = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await ended;
  clearTimeout(patience);
}
