/** A node whose log lines cannot be written, because the disk they go to is full, goes on without them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { isReady } from "../../scripts/cluster-status.js";
import { freePorts } from "../../scripts/free-ports.js";
import { waitFor } from "./harness.js";

const dir = mkdtempSync(join(tmpdir(), "slct-log-"));
const closers: (() => unknown)[] = [() => rmSync(dir, { recursive: true })];
afterEach(() =>
  closers
    .splice(0)
    .reverse()
    .forEach((close) => close()),
);

test("a full disk under the log lines ends nothing", async () => {
  const [port = 0] = await freePorts(1, new Set());
  const full = openSync("/dev/full", "w");
  const flags = ["--id", "n1", "--cluster-id", "c", "--data-dir", dir, "--port", String(port), "--callback-slots", "0"];
  const node = spawn(process.execPath, ["dist/src/main.js", ...flags], { stdio: ["ignore", "ignore", full] });
  closeSync(full);
  closers.push(() => node.kill("SIGKILL"));
  const ended = once(node, "exit");
  await waitFor("the node", () => node.exitCode === null && isReady(`http://127.0.0.1:${port}`));
  node.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
