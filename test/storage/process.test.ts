/**
 * The kernel takes part: killed processes, failing system calls, full disks. Reliability 0.1, 0.3, L1, L5, L12, L14.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SegmentLog } from "../../cluster/log.js";
import { run, transpile, type Ended } from "./child.js";
import { Random } from "./random.js";

let outDir: string;
let program: string;
let dir: string;

beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), "slct-program-"));
  program = await transpile("test/storage/program.ts", join(outDir, "out"));
});
afterAll(() => rm(outDir, { recursive: true }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slct-process-"));
});
afterEach(() => rm(dir, { recursive: true }));

const logOptions = { clusterId: "c1", nodeId: "n1", segmentBytes: 256 * 1024 };

function ackedOf({ lines }: Ended): number[] {
  return lines.flatMap((line) => (line.startsWith("acked ") ? [Number(line.slice(6))] : []));
}

/** The log holds entries 1 to at least `acked`, each with its own content. */
async function expectLog(path: string, acked: number): Promise<void> {
  const log = await SegmentLog.open({ ...logOptions, dir: path });
  expect(log.lastIndex()).toBeGreaterThanOrEqual(acked);
  // One more may have been on its way.
  expect(log.lastIndex()).toBeLessThanOrEqual(acked + 1);
  const entries = log.entries(1, log.lastIndex() + 1, Infinity);
  expect(entries.map(({ index }) => index)).toEqual(Array.from({ length: log.lastIndex() }, (_, n) => n + 1));
  for (const { index, data } of entries)
    expect(Buffer.alloc(2000 + (index % 7) * 1000, index % 251).equals(data)).toBe(true);
  const term = Math.floor(acked / 5) * 5;
  expect([term, term + 5]).toContain(log.hardState.currentTerm);
  await log.close();
}

describe("kill -9", () => {
  test("L1 12 times at random moments: what was acknowledged is there", async () => {
    for (let round = 0; round < 12; round++) {
      const killAt = 1 + new Random(round).below(250);
      const path = join(dir, String(round));
      const ended = await run([process.execPath, program, "log", path, "100000"], (line, child) => {
        if (line === `acked ${killAt}`) child.kill("SIGKILL");
      });
      expect(ended.signal, ended.errors).toBe("SIGKILL");
      await expectLog(path, ackedOf(ended).at(-1) ?? 0);
    }
  }, 60_000);
});

describe("a write that fails with EIO", () => {
  test("L12 ends in an error, nothing is acknowledged after it", async () => {
    const path = join(dir, "log");
    const log: [string, ...string[]] = [process.execPath, program, "log", path, "100000"];
    const inject = [
      "-f",
      "-qq",
      "-o",
      join(dir, "trace"),
      "-e",
      "trace=pwritev",
      "-e",
      "inject=pwritev:error=EIO:when=40",
    ];
    // Without strace the error comes from the layer above the system call.
    const hasStrace = spawnSync("strace", ["-V"]).status === 0;
    const ended = await run(hasStrace ? ["strace", ...inject, ...log] : [...log, "40"]);
    expect(ended.code, ended.errors).toBe(1);
    expect(ended.lines.at(-1)).toMatch(/^failed a write to the log failed .*offset \d+, after index \d+/);
    const acked = ackedOf(ended);
    expect(acked.length).toBeGreaterThan(10);
    await expectLog(path, acked.at(-1) ?? 0);
  });
});
