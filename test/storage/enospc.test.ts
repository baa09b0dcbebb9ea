/**
 * A full disk: nothing is acknowledged after the first failed write, although there is room again, and everything
 * acknowledged before is there after a restart. `storage.enospc`, reliability 0.1, 48, L14.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SegmentLog } from "../../cluster/log.js";
import { LevelStore } from "../../cluster/store.js";
import { run, transpile } from "./child.js";

const mebibyte = 1024 * 1024;
let root: string;
let program: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-enospc-"));
  program = await transpile("test/storage/program.ts", join(root, "out"));
});
afterAll(() => rm(root, { recursive: true }));

/**
 * Runs the program on a file system of 8 MiB, half of it taken by a file that it may remove. Where mounting one is not
 * allowed, the same calls fail otherwise: those of the log in the layer below it, those of LevelDB by a limit to the size
 * of files.
 */
async function onFullDisk(
  name: string,
  mode: "full-log" | "full-store",
  check: (dir: string, lines: readonly string[]) => Promise<void>,
) {
  const disk = join(root, name);
  await mkdir(disk);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]).status === 0;
  try {
    const filler = join(disk, "filler");
    await writeFile(filler, Buffer.alloc(4 * mebibyte));
    const args = [program, mode, join(disk, "data"), filler];
    const limited: [string, ...string[]] = [
      "sh",
      "-c",
      `trap '' XFSZ; ulimit -f 3000; exec "$@"`,
      "sh",
      process.execPath,
      ...args,
    ];
    const injected: [string, ...string[]] = [process.execPath, ...args, "60"];
    const command: [string, ...string[]] = mounted
      ? [process.execPath, ...args]
      : mode === "full-log"
        ? injected
        : limited;
    const ended = await run(command);
    expect(ended.code, ended.errors).toBe(0);
    await check(join(disk, "data"), ended.lines);
  } finally {
    if (mounted) spawnSync("umount", [disk]);
  }
}

function expectNothingAfterFailure(lines: readonly string[]): number {
  const failed = lines.findIndex((line) => line.startsWith("failed "));
  expect(failed).toBeGreaterThan(-1);
  expect(lines.slice(failed + 1).filter((line) => line !== "onError")).toEqual(
    Array.from({ length: 50 }, () => "refused"),
  );
  const acked = lines.slice(0, failed).filter((line) => line.startsWith("acked "));
  return acked.length;
}

describe("storage.enospc", () => {
  test(
    "L14 the log",
    () =>
      onFullDisk("log", "full-log", async (dir, lines) => {
        const acked = expectNothingAfterFailure(lines);
        const log = await SegmentLog.open({ dir, clusterId: "c1", nodeId: "n1", segmentBytes: 256 * 1024 });
        expect(log.lastIndex()).toBeGreaterThanOrEqual(acked);
        expect(log.entries(1, acked + 1, Infinity)).toHaveLength(acked);
        await log.close();
      }),
    30_000,
  );

  test(
    "L14 the store",
    () =>
      onFullDisk("store", "full-store", async (dir, lines) => {
        const acked = expectNothingAfterFailure(lines);
        expect(acked).toBeGreaterThan(100);
        expect(lines.filter((line) => line === "onError")).toHaveLength(1);
        const errors: unknown[] = [];
        const store = await LevelStore.open({ dir, overlayBytesMax: mebibyte, onError: (error) => errors.push(error) });
        expect(store.appliedIndex).toBeGreaterThanOrEqual(acked);
        for (let index = 1; index <= store.appliedIndex; index++) expect(store.get(`s\0${index}`)).toHaveLength(2000);
        await store.verify();
        expect(errors).toEqual([]);
        await store.close();
      }),
    30_000,
  );
});
