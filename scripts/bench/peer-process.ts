/**
 * The node of a peer as a child process.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface PeerProcess {
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  /** Of what it printed. */
  tail(): string;
  /** SIGTERM, and SIGKILL if that is not enough; resolves when the process is gone. */
  stop(): Promise<void>;
}

const stopMs = 8000;
const tailBytes = 2000;

export interface PeerLaunch {
  readonly dir: string;
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** What it prints goes to a file in `dir`. @throws Error when there is no such program */
export async function startPeer({ dir, name, command, env }: PeerLaunch): Promise<PeerProcess> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const logFile = join(dir, `${name}.log`);
  const log = openSync(logFile, "a", 0o600);
  const [program = "", ...flags] = command;
  const child = spawn(program, flags, { stdio: ["ignore", log, log], cwd: dir, env: { ...process.env, ...env } });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  // However this process ends, the node ends first: nobody writes to the directory while it is removed.
  const kill = () => child.kill("SIGKILL");
  process.prependOnceListener("exit", kill);
  void ended.then(() => process.removeListener("exit", kill));
  return {
    pid: child.pid ?? 0,
    ended,
    tail: () => readFileSync(logFile, "utf8").slice(-tailBytes),
    stop: async () => {
      child.kill("SIGTERM");
      const patience = setTimeout(() => child.kill("SIGKILL"), stopMs);
      await ended;
      clearTimeout(patience);
    },
  };
}
