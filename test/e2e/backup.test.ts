/**
 * A backup of a follower under load becomes a cluster of its own: every record is there, and neither cluster listens to
 * the other. Reliability 55.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inspectArchive, type Inspected } from "../../cluster/restore.js";
import { freePorts, freeRun } from "../../scripts/free-ports.js";
import { TestCluster, waitFor } from "./harness.js";
import { Load } from "./load.js";
import { agreedHash } from "./replicas.js";
import { clusterFile } from "./vitals.js";

const dist = join(import.meta.dirname, "..", "..", "dist");
const mainFile = join(dist, "src", "main.js");
const restoreScript = join(dist, "scripts", "restore.js");

let root: string;
let clusters: TestCluster[];
let stray: ChildProcess | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slct-e2e-"));
  clusters = [];
});
afterEach(async () => {
  if (stray !== undefined && stray.exitCode === null) {
    const ended = once(stray, "exit");
    stray.kill("SIGTERM");
    await ended;
  }
  stray = undefined;
  await Promise.all(clusters.map((cluster) => cluster.close()));
  rmSync(root, { recursive: true, force: true });
});

async function open(): Promise<TestCluster> {
  const cluster = await TestCluster.open(3);
  clusters.push(cluster);
  return cluster;
}

async function backUp(cluster: TestCluster, node: string, name: string): Promise<Inspected> {
  const answer = await fetch(`${cluster.member(node).api}/cluster/backup`);
  expect(answer.status).toBe(200);
  const file = join(root, name);
  await pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), createWriteStream(file));
  return inspectArchive(file);
}

/** One of each kind; returns the lock of the one that is held. */
async function fill(cluster: TestCluster): Promise<string> {
  const put = (id: string, body: object) => cluster.call(`/state/${id}`, { method: "PUT", body });
  await put("held", { Data: { deep: ["1.0", 1] }, Vars: { step: 1 }, Selects: [{ ID: "1", Cases: [{ Op: 4 }] }] });
  const poll = await cluster.call<{ Lock: string }[]>("/state/poll?prefix=held&lease=3600");
  await put("waiting", {
    Selects: [
      {
        ID: "1",
        Cases: [
          { Op: 1, Chan: "jobs-empty" },
          { Op: 3, After: "7d" },
        ],
      },
    ],
  });
  await put("done", { Data: "x".repeat(100_000), Selects: [] });
  await cluster.call("/channel/jobs", { method: "PUT", body: { Buffer: 10 } });
  for (const Data of [1, "two", null]) await cluster.call("/channel/jobs/send", { method: "POST", body: { Data } });
  await cluster.call("/channel/over/close", { method: "POST", body: { Value: "all" } });
  return poll.body[0]?.Lock ?? "";
}

interface Listed {
  readonly ID: string;
  readonly CreatedAt: number;
}

async function listed(cluster: TestCluster): Promise<Listed[]> {
  const states: Listed[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { body } = await cluster.call<{ States: Listed[]; Cursor: string | null }>(`/state?limit=1000${from}`);
    states.push(...body.States);
    cursor = body.Cursor;
  }
  return states;
}

/** Those that the load does not write to. */
async function channels(cluster: TestCluster): Promise<unknown[]> {
  const { body } = await cluster.call<{ Channels: { Chan: string }[] }>("/channel?limit=1000");
  return body.Channels.filter(({ Chan }) => !Chan.startsWith("load-"));
}

/** @returns the states that were compared */
async function expectSame(old: TestCluster, restored: TestCluster, { header }: Inspected): Promise<Set<string>> {
  const there = await listed(restored);
  const names = new Set(there.map(({ ID }) => ID));
  const missing = (await listed(old)).filter(({ ID, CreatedAt }) => CreatedAt < header.nowMs && !names.has(ID));
  expect(missing).toEqual([]);
  for (const { ID } of there) {
    const path = `/state/${ID}?consistency=stale`;
    const [before, after] = await Promise.all([old.call(path), restored.call(path)]);
    expect([before.status, after.status, after.body]).toEqual([200, 200, before.body]);
  }
  const kept = await channels(old);
  expect(kept.length).toBeGreaterThan(2);
  expect(await channels(restored)).toEqual(kept);
  return names;
}

function logOf(cluster: TestCluster, node: string): string {
  return readFileSync(join(cluster.dir, node, "node.log"), "utf8");
}

test("a backup under load, restored as a new cluster: every record", async () => {
  const old = await open();
  const lock = await fill(old);
  const load = new Load(old, 4);
  const leader = await old.leader();
  const follower = old.ids.find((id) => id !== leader) ?? "";
  await waitFor("some writes", () => load.count > 100);
  const before = await listed(old);
  const archive = await backUp(old, follower, "under-load");
  await load.stop();
  const quiet = await backUp(old, follower, "quiet");
  expect({ index: quiet.header.index, hash: quiet.trailer.hash }).toEqual(await agreedHash(old));

  const dir = join(root, "restored");
  const port = await freeRun(3);
  const flags = ["--from", archive.file, "--data", dir, "--port", String(port)];
  const { stdout } = await promisify(execFile)(process.execPath, [restoreScript, ...flags]);
  expect(stdout).toContain(`${archive.trailer.records} records of cluster ${clusterFile(old).clusterId} (n1, n2, n3)`);
  await expect(promisify(execFile)(process.execPath, [restoreScript, ...flags])).rejects.toThrow(/is not empty/);
  const restored = TestCluster.over(dir, port, 3);
  clusters.push(restored);
  await restored.startAll();
  const compared = await expectSame(old, restored, archive);
  // What was there when it was asked for is in it.
  expect(before.map(({ ID }) => ID).filter((id) => !compared.has(id))).toEqual([]);
  console.log(`${compared.size} states compared, ${archive.trailer.records} records in the backup`);
  // It goes on: what was held is held, under the same lock.
  const body = { Lock: lock, Selects: [] };
  expect((await restored.call("/state/held", { method: "PUT", body })).status).toBe(200);
  await agreedHash(restored);
});

test("a restored node and the old cluster refuse each other", async () => {
  const old = await open();
  await fill(old);
  const { file } = await backUp(old, await old.leader(), "backup");
  const [peerPort = 0, apiPort = 0] = await freePorts(2, new Set());
  const [peer, api] = [`127.0.0.1:${peerPort}`, `http://127.0.0.1:${apiPort}`];
  const n1 = clusterFile(old).members.find(({ id }) => id === "n1");
  // It takes a node of the old cluster for a member of its own.
  const members = `m1=${peer}=${api},n1=127.0.0.1:${n1?.peerPort}=${old.member("n1").api}`;
  const flags = ["--data-dir", join(root, "m1"), "--id", "m1", "--cluster-id", "new", "--members", members];
  await promisify(execFile)(process.execPath, [mainFile, "restore", "--from", file, ...flags]);
  stray = spawn(process.execPath, [mainFile, ...flags, "--port", String(apiPort), "--callback-slots", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  stray.stderr?.on("data", (piece: Buffer) => (said += piece.toString()));
  await waitFor("the old cluster to refuse it", () => said.includes("refused with 412"));
  expect((await fetch(`${api}/readyz`)).status).toBe(503);
  expect(
    (await old.call("/cluster/members", { method: "POST", body: { ID: "m1", Peer: peer, API: api } })).status,
  ).toBe(201);
  const leader = await old.leader();
  await waitFor("it to refuse the old cluster", () => logOf(old, leader).includes("refused with 412"));
  expect((await old.call("/state/still", { method: "PUT", body: { Selects: [] } })).status).toBe(201);
});
