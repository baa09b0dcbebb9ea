/**
 * What a bench leaves behind when it is ended from outside: nothing.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { childrenOf } from "../../scripts/bench/usage.js";
import { isAlive, waitFor } from "./harness.js";

const script = join(import.meta.dirname, "../../dist/scripts/bench.js");

test("a bench that is ended while it waits for its nodes leaves neither processes nor files, though one node had ended", async () => {
  const dir = mkdtempSync(join(tmpdir(), "slct-bench-test-"));
  const bench = spawn(process.execPath, [script, "--only", "create 256 B", "--data", dir, "--out", dir]);
  const ended = new Promise<number | null>((resolve) => bench.once("exit", resolve));
  const nodes: number[] = [];
  try {
    nodes.push(
      ...(await waitFor("three nodes", () => {
        const found = childrenOf(bench.pid ?? 0);
        return found.length === 3 && found;
      })),
    );
    const [first = 0, ...others] = nodes;
    // The others do not answer, so that the bench has to wait for them.
    for (const pid of others) process.kill(pid, "SIGSTOP");
    process.kill(first, "SIGKILL");
    await waitFor("the end of the first", () => !isAlive(first));
    bench.kill("SIGTERM");
    expect(await ended).toBe(143);
    await waitFor("the end of the others", () => !others.some(isAlive));
    expect(readdirSync(dir)).toEqual([]);
  } finally {
    for (const pid of [bench.pid ?? 0, ...nodes]) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
});
