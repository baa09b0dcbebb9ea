/**
 * The cluster script and the composition root, with real processes.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster } from "../../scripts/cluster-child.js";
import { isAlive, TestCluster, waitFor } from "./harness.js";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");
const mainFile = join(root, "dist", "src", "main.js");

describe("three nodes", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open(3);
  });
  afterAll(() => cluster.close());

  test("a second start finds everything; READY is the only line on stdout; SIGTERM ends it with 0", async () => {
    const created = await cluster.call("/state/kept", { method: "PUT", body: { Data: { n: 1.0 }, Selects: [] } });
    expect(created.status).toBe(201);
    const before = cluster.ids.map((id) => cluster.member(id).pid);
    expect(await cluster.stopAll()).toEqual([{ code: 0, signal: null }]);
    expect(before.filter(isAlive)).toEqual([]);

    const again = await cluster.startAll();
    expect(again.stdout).toHaveLength(1);
    expect(again.nodes).toEqual(
      ["n1", "n2", "n3"].map((id, n) => ({
        id,
        api: `http://127.0.0.1:${cluster.port + n}`,
        pid: cluster.member(id).pid,
      })),
    );
    expect(again.nodes.map(({ id }) => id)).toContain(again.leader);
    for (const node of cluster.ids) {
      const { status, body } = await cluster.call("/state/kept", { node, once: true });
      expect([node, status, body]).toEqual([node, 200, expect.objectContaining({ ID: "kept", Status: "done" })]);
    }
  });

  test("a killed node ends nothing and is not restarted; --only brings it back with what it missed", async () => {
    const victim = await cluster.leader();
    await cluster.kill(victim, "SIGKILL");
    const survivor = cluster.ids.find((id) => id !== victim) ?? "";
    const put = await cluster.call("/state/meanwhile", { method: "PUT", body: { Selects: [] }, node: survivor });
    expect(put.status).toBe(201);
    expect(cluster.ids.filter((id) => isAlive(cluster.member(id).pid))).toEqual(
      cluster.ids.filter((id) => id !== victim),
    );

    const back = await cluster.start(victim);
    expect(back.stdout).toHaveLength(1);
    expect(back.nodes).toEqual([cluster.member(victim)]);
    expect(cluster.ids.filter((id) => id !== victim)).toContain(back.leader);
    const { body } = await cluster.call("/state/meanwhile", { node: victim, once: true });
    expect(body).toMatchObject({ ID: "meanwhile", Status: "done" });
  });

  test("a running cluster is not started twice", async () => {
    await expect(startCluster(["--data", cluster.dir])).rejects.toThrow(/port \d+ of node n1 is in use/);
  });

  test("flags that contradict cluster.json, and a node that is not in it", async () => {
    await expect(startCluster(["--data", cluster.dir, "--nodes", "5"])).rejects.toThrow("is of 3 nodes, not 5");
    await expect(startCluster(["--data", cluster.dir, "--port", "7"])).rejects.toThrow(/API at port \d+, not 7/);
    await expect(startCluster(["--data", cluster.dir, "--only", "n9"])).rejects.toThrow(
      "there is no node n9; the nodes are n1, n2, n3",
    );
  });

  test("secrets and data are for the owner only", () => {
    const modes = ["cluster.json", "n1", "n1/node.log", "n1/log"].map(
      (path) => statSync(join(cluster.dir, path)).mode & 0o077,
    );
    expect(modes).toEqual([0, 0, 0, 0]);
    const { webhookSecret } = JSON.parse(readFileSync(join(cluster.dir, "cluster.json"), "utf8")) as {
      webhookSecret: string;
    };
    expect(webhookSecret).toMatch(/^whsec_/);
    const { pid } = cluster.member("n1");
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(webhookSecret);
  });
});

describe("one node", () => {
  test("a waiting poll is answered when the node stops, and the node exits with 0 within 5 s", async () => {
    const cluster = await TestCluster.open(1);
    try {
      const poll = cluster.call("/state/poll?wait=60", { once: true });
      await waitFor("the parked poll", async () => {
        const { body } = await cluster.call<string>("/metrics", { once: true });
        return /^slct_waits_open 1$/m.test(body);
      });
      const begin = performance.now();
      await cluster.kill("n1", "SIGTERM");
      expect(performance.now() - begin).toBeLessThan(5000);
      expect(await poll).toMatchObject({ status: 200, body: [] });
      const log = readFileSync(join(cluster.dir, "n1", "node.log"), "utf8");
      expect(log).toContain('"event":"stopped"');
      expect(log).not.toContain('"forced":true');
    } finally {
      await cluster.close();
    }
  });

  test("nodes end with their script, even if that is killed", async () => {
    const cluster = await TestCluster.open(1);
    try {
      const script = await cluster.stopAll().then(() => cluster.startAll());
      const { pid } = cluster.member("n1");
      process.kill(script.pid, "SIGKILL");
      await waitFor("the end of the node", () => !isAlive(pid), 8000);
    } finally {
      await cluster.close();
    }
  });

  test("the script ends with its parent", async () => {
    const cluster = await TestCluster.open(1);
    try {
      await cluster.stopAll();
      const script = join(root, "dist", "scripts", "cluster.js");
      const shell = spawn("sh", ["-c", `"$0" "$1" --data "$2" & wait`, process.execPath, script, cluster.dir], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      const [chunk] = (await once(shell.stdout, "data")) as [Buffer];
      const { nodes } = JSON.parse(chunk.toString().replace("READY ", "")) as { nodes: { pid: number }[] };
      shell.kill("SIGKILL");
      const pid = nodes[0]?.pid ?? 0;
      await waitFor("the end of the node", () => !isAlive(pid), 10_000);
    } finally {
      await cluster.close();
    }
  });

  test("a node that does not come up: the end of its log, exit code 1", async () => {
    const dir = mkdtempSync(join(tmpdir(), "slct-e2e-"));
    try {
      await expect(
        startCluster(["--nodes", "1", "--port", "9", "--data", dir, "--tick-ms", "0", "--", "--speed=9"]),
      ).rejects.toThrow(
        /code 1:\nnode n1 ended[^]*--speed is not a known flag[^]*--tick-ms must be a whole number in 5–1000/,
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("main", () => {
  const own = { clusterId: "ours", nodeId: "n1", instance: "0123-4567", epoch: 3, members: [] };

  test("reports every problem of the configuration at once, exit code 78", async () => {
    const env = { PATH: process.env["PATH"], SLCT_COLOUR: "red" };
    const failure = await run(process.execPath, [mainFile, "--port", "x"], { env }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 78, stdout: "" });
    const lines = (failure as { stderr: string }).stderr.split("\n");
    expect(lines[0]).toBe("the configuration is wrong:");
    expect(lines.filter((line) => line.startsWith("  "))).toHaveLength(6);
  });

  test.each([
    ["another node", { ...own, nodeId: "n7" }, "belongs to node n7 of cluster ours, not to node n1 of cluster ours"],
    ["another cluster", { ...own, clusterId: "theirs" }, "belongs to node n1 of cluster theirs, not to node n1 of"],
    ["nobody knows whom, as the file is damaged", { ...own, instance: undefined }, "identity.json is damaged"],
  ])("the data directory of %s: one fatal line, exit code 70", async (_, identity, message) => {
    const dir = mkdtempSync(join(tmpdir(), "slct-e2e-"));
    try {
      writeFileSync(join(dir, "identity.json"), JSON.stringify(identity));
      const flags = ["--id", "n1", "--cluster-id", "ours", "--data-dir", dir, "--port", "0", "--callback-slots", "0"];
      const failure = await run(process.execPath, [mainFile, ...flags]).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 70, stdout: "" });
      const lines = (failure as { stderr: string }).stderr.trim().split("\n");
      expect(lines).toHaveLength(1);
      const err = { message: expect.stringContaining(message) as string };
      expect(JSON.parse(lines[0] ?? "")).toMatchObject({ event: "fatal", nodeId: "n1", err });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("--help and --version", async () => {
    expect((await run(process.execPath, [mainFile, "--help"])).stdout).toContain("--election-timeout-ms");
    expect((await run(process.execPath, [mainFile, "--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
