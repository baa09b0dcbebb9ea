/**
 * The plainest replicated store (replica.ts) as something that can be measured like slct.
 */
import { fork, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts, loopback } from "../free-ports.js";
import { Connection } from "./connection.js";
import type { Subject } from "./workload.js";

const size = 3;
const program = fileURLToPath(new URL("replica.js", import.meta.url));

export async function openYardstick(dir: string): Promise<Subject<Connection>> {
  const home = join(dir, "yardstick");
  mkdirSync(home, { recursive: true });
  const [leaderPort = 0, ...ports] = await freePorts(size + 1, new Set());
  const nodes: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => ended(node, () => node.kill("SIGKILL"))));
  };
  try {
    // The leader first: the others connect to it.
    for (const [n, port] of ports.entries()) {
      const role = n === 0 ? ["leader"] : [];
      const node = fork(program, [join(home, `${n}`), `${port}`, `${leaderPort}`, ...role]);
      nodes.push(node);
      const gone = ended(node, () => undefined).then(() => Promise.reject(new Error("a node of the yardstick ended")));
      gone.catch(() => undefined);
      await Promise.race([new Promise((resolve) => node.once("message", resolve)), gone]);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ name: "yardstick", pids: nodes.map(({ pid }) => pid ?? 0), stop },
    open: (worker) => Connection.open(`http://${loopback}:${ports[worker % size]}`),
    // It does not count them.
    syncs: () => Promise.resolve(NaN),
  };
}

async function ended(node: ChildProcess, end: () => void): Promise<void> {
  if (node.exitCode !== null || node.signalCode !== null) return;
  const gone = new Promise((resolve) => node.once("exit", resolve));
  end();
  await gone;
}
