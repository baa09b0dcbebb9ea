/**
 * A run in namespaces of its own: its network, its mounts and, without root, its users are nobody else's, and the kernel
 * takes them away with the last process.
 */
import { spawn, spawnSync } from "node:child_process";

const mark = "CHAOS_INSIDE";
const ways = [
  ["--net", "--mount"],
  ["--user", "--map-root-user", "--net", "--mount"],
];

/** A new network namespace has it down. */
const loopbackUp = ["ip", "link", "set", "lo", "up"];

export function isInside(): boolean {
  return process.env[mark] !== undefined;
}

/**
 * Runs this very command again, inside.
 * @returns its exit code; undefined when this system does not allow it
 */
export async function runInside(): Promise<number | undefined> {
  const way = ways.find((flags) => spawnSync("unshare", [...flags, ...loopbackUp]).status === 0);
  if (way === undefined) return undefined;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const start = ["sh", "-c", `${loopbackUp.join(" ")} && exec "$@"`, "chaos"];
  const child = spawn("unshare", [...way, ...start, ...command], {
    stdio: "inherit",
    env: { ...process.env, [mark]: "1" },
  });
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on("SIGTERM", pass);
  process.on("SIGINT", pass);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}
