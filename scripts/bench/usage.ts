/**
 * What processes use, from /proc: CPU, memory, open files. Linux only, as is the bench.
 */
import { readFileSync, readdirSync, statSync, statfsSync } from "node:fs";
import { join } from "node:path";

const ticksPerSecond = 100;
const pageBytes = 4096;
const tmpfs = 0x01021994;

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly rssMiB: number;
  /** Of it, without pages of files, which the system takes back when it needs them. */
  readonly ownMiB: number;
  readonly openFiles: number;
}

export function usageOf(pid: number): ProcessUsage {
  // The name, in brackets, may hold spaces; what follows it does not.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  const [, resident = NaN, ofFiles = NaN] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ").map(Number);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    rssMiB: (resident * pageBytes) / 2 ** 20,
    ownMiB: ((resident - ofFiles) * pageBytes) / 2 ** 20,
    openFiles: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** Processes that it started and that are there, in the order in which it did. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

/** The load generator is this process. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Bytes on disk below `dir`; files that go away meanwhile do not count. */
export function diskBytes(dir: string): number {
  let bytes = 0;
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    try {
      bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512;
    } catch {
      // Deleted by a compaction between the two calls.
    }
  }
  return bytes;
}

/** @throws Error when `dir` is in memory: a sync would cost nothing there */
export function assertOnDisk(dir: string): void {
  if (statfsSync(dir).type === tmpfs) throw new Error(`${dir} is in memory: give a directory on a disk with --data`);
}

/** The number behind `name` in Prometheus text; NaN when it is not there. */
export function metric(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? NaN : Number(line.slice(name.length + 1));
}
