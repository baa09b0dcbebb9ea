/**
 * The cluster script as a child process, for programs that need a cluster: the tour, the end-to-end tests.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface RunningMember {
  readonly id: string;
  /** Base URL of the API. */
  readonly api: string;
  readonly pid: number;
}

export interface ClusterChild {
  readonly nodes: readonly RunningMember[];
  /** As known when the script was ready. */
  readonly leader: string;
  readonly pid: number;
  /** Everything the script printed so far, line by line. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Resolves with exit code and signal when the script is gone. */
  readonly ended: Promise<Ended>;
  /** SIGTERM; resolves when the script and its nodes are gone. */
  stop(): Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Written by tsc; when this file runs from source (under vitest), the build is still what is started. */
export const clusterScript = fileURLToPath(new URL("dist/scripts/cluster.js", rootUrl()));

/**
 * Starts the script and waits for READY. It has its own bound of 60 s.
 * @param within command that the script is an argument of, and becomes
 * @throws Error with what it printed when it ends before it is ready
 */
export async function startCluster(
  flags: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  within: readonly string[] = [],
): Promise<ClusterChild> {
  const [program = "", ...rest] = [...within, process.execPath, clusterScript, ...flags];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"], env });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const ended = new Promise<Ended>((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  createInterface({ input: child.stderr }).on("line", (line) => stderr.push(line));
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      stdout.push(line);
      if (line.startsWith("READY ")) resolve(line.slice("READY ".length));
    });
  });
  const first = await Promise.race([ready, ended]);
  if (typeof first !== "string") {
    throw new Error(`the cluster script ended with code ${first.code}:\n${[...stdout, ...stderr].join("\n")}`);
  }
  const { nodes, leader } = JSON.parse(first) as Pick<ClusterChild, "nodes" | "leader">;
  return { nodes, leader, pid: child.pid ?? 0, stdout, stderr, ended, stop: () => stop(child, ended) };
}

function stop(child: ChildProcess, ended: Promise<Ended>): Promise<Ended> {
  child.kill("SIGTERM");
  return ended;
}

function rootUrl(): URL {
  return new URL(import.meta.url.includes("/dist/scripts/") ? "../../" : "../", import.meta.url);
}
