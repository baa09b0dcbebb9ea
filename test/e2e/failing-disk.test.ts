/**
 * Disks that fail under real processes: an error of the kernel on the log of a single node, and a flipped bit in the log
 * of one node of three.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { isAlive, TestCluster, waitFor } from "./harness.js";
import { agreedHash } from "./replicas.js";

const hasStrace = spawnSync("strace", ["-V"]).status === 0;
/** Of each thread that writes; the writes before it succeed. */
const failingWrite = 10;
/** How a batch reaches the log; descriptors are opened so that a write is synced (docs/decisions/006). */
const writes = "pwritev,pwrite64";
const writesMax = 200;

let cluster: TestCluster;
afterEach(() => cluster.close());

/** @returns status of the answer, 0: none */
async function write(name: string, { once }: { once: boolean }): Promise<number> {
  const body = { Data: `needle-${name}`, Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: "never" }] }] };
  const answer = await cluster.call(`/state/${name}`, { method: "PUT", body, once }).catch(() => ({ status: 0 }));
  return answer.status;
}

const reason = hasStrace ? "" : " (strace is missing)";
test.skipIf(!hasStrace)(
  `L12 a write that fails ends the process, and nothing is acknowledged after it${reason}`,
  async () => {
    cluster = await TestCluster.open(1);
    await cluster.stopAll();
    const script = await cluster.startAll();
    const { pid } = cluster.member("n1");
    const inject = ["-e", `trace=${writes}`, "-e", `inject=${writes}:error=EIO:when=${failingWrite}+`];
    const tracer = spawn("strace", ["-f", "-p", String(pid), "-o", "/dev/null", ...inject], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const gone = once(tracer, "exit");
    await once(tracer.stderr, "data");
    const acknowledged: string[] = [];
    const after: string[] = [];
    let failed = false;
    for (let n = 0; n < writesMax && isAlive(pid); n++) {
      const done = (await write(`w${n}`, { once: true })) === 201;
      failed ||= !done;
      if (done) (failed ? after : acknowledged).push(`w${n}`);
    }
    await gone;
    expect([failed, after]).toEqual([true, []]);
    expect(acknowledged.length).toBeGreaterThan(0);
    await waitFor("the end", () => script.stderr.some((line) => line.includes("node n1 ended")));
    expect(script.stderr.join()).toMatch(/node n1 ended: exit code [1-9]/);

    await cluster.stopAll();
    await cluster.startAll();
    for (const name of acknowledged) expect([name, (await cluster.call(`/state/${name}`)).status]).toEqual([name, 200]);
  },
);

test("L10 a node whose log has a flipped bit does not start, and the others lose nothing", async () => {
  cluster = await TestCluster.open(3);
  for (let n = 0; n < 50; n++) expect(await write(`a${n}`, { once: false })).toBe(201);
  await agreedHash(cluster);
  await cluster.kill("n3", "SIGKILL");
  const log = join(cluster.dir, "n3", "log");
  const file = readdirSync(log)
    .map((name) => join(log, name))
    .find((path) => readFileSync(path).includes("needle-a25"));
  const bytes = readFileSync(file ?? "");
  const at = bytes.indexOf("needle-a25");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file ?? "", bytes);

  await expect(cluster.start("n3")).rejects.toThrow(/ended at once \(exit code [1-9].*the log is damaged/s);
  for (let n = 50; n < 60; n++) expect(await write(`a${n}`, { once: false })).toBe(201);
  for (let n = 0; n < 60; n++) expect((await cluster.call(`/state/a${n}`)).status).toBe(200);
  // What is done about it: test/e2e/members.test.ts.
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file ?? "", bytes);
  await cluster.start("n3");
  await agreedHash(cluster);
});
