/**
 * Real processes that join, leave, lose their disks and restart, under load: nothing acknowledged is lost.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../../scripts/free-ports.js";
import { TestCluster, waitFor } from "./harness.js";
import { Load } from "./load.js";
import { agreedHash } from "./replicas.js";
import { gauge } from "./vitals.js";

const mainFile = join(import.meta.dirname, "..", "..", "dist", "src", "main.js");
/** A failed write succeeds on retry within this time, whatever orderly thing is done to the nodes. */
const healMsMax = 1500;

interface Node {
  readonly ID: string;
  readonly Voter: boolean;
  readonly Role: string;
  readonly Reachable: boolean;
}
interface Cluster {
  readonly Nodes: readonly Node[];
  readonly Removed: readonly string[];
  readonly Changing: boolean;
}

async function shown(of: TestCluster, node?: string): Promise<Cluster> {
  return (await of.call<Cluster>("/cluster", node === undefined ? {} : { node, once: true })).body;
}

async function votes(of: TestCluster, id: string): Promise<void> {
  await waitFor(`${id} to vote`, async () => {
    const { Nodes, Changing } = await shown(of, id);
    return !Changing && Nodes.find(({ ID }) => ID === id)?.Voter;
  });
}

/** What happened to the writes meanwhile, and that none is lost. */
async function settle(of: TestCluster, load: Load): Promise<void> {
  const { count, healedMs, failures } = await load.stop();
  const [longest = 0] = healedMs;
  const gap = Math.round(load.longestGapMs(0));
  console.log(
    `${count} writes, ${healedMs.length} repeated, healed within ${Math.round(longest)} ms; longest gap ${gap} ms`,
  );
  if (failures.size > 0) console.log([...failures].map((failure) => failure.join(" × ")).join(", "));
  expect(longest).toBeLessThanOrEqual(healMsMax);
  expect(await load.missing()).toEqual([]);
  await agreedHash(of);
}

/** More of the load went through since it was asked. */
async function progress(load: Load, writes = 20): Promise<void> {
  const before = load.count;
  await waitFor(`${writes} more writes`, () => load.count >= before + writes);
}

describe("one cluster, from its first day on", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open(3);
  });
  afterAll(() => cluster.close());

  test("leadership goes where it is asked to go, and writes only wait", async () => {
    const load = new Load(cluster, 4);
    await progress(load);
    const pausesMs: number[] = [];
    for (let n = 0; n < 12; n++) {
      const to = `n${(n % 3) + 1}`;
      const beganMs = performance.now();
      const { status, body } = await cluster.call("/cluster/transfer", { method: "POST", body: { To: to } });
      expect([status, body]).toEqual([200, { Leader: to }]);
      await progress(load);
      pausesMs.push(load.longestGapMs(beganMs));
    }
    expect(await cluster.leader()).toBe("n3");
    pausesMs.sort((a, b) => a - b);
    const [median, most] = [pausesMs[pausesMs.length >> 1], pausesMs.at(-1)].map((ms) => Math.round(ms ?? 0));
    console.log(`${pausesMs.length} transfers: no write for ${median} ms (median), ${most} ms (longest)`);
    await settle(cluster, load);
  });

  test("a rolling restart fails no write that a retry does not heal", async () => {
    const load = new Load(cluster, 4);
    await progress(load);
    for (const id of ["n1", "n2", "n3"]) {
      await cluster.kill(id, "SIGTERM");
      await cluster.start(id);
      await progress(load);
    }
    await settle(cluster, load);
  });

  test("a second start looks at no other members, and one with another cluster's name ends at once", async () => {
    await cluster.call("/state/kept", { method: "PUT", body: { Selects: [] } });
    await cluster.kill("n3", "SIGTERM");
    // Given last, a flag of the caller would be a repetition: the file is what says who is a member.
    const file = join(cluster.dir, "cluster.json");
    const text = readFileSync(file, "utf8");
    const { clusterId, members } = JSON.parse(text) as { clusterId: string; members: { id: string }[] };
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), clusterId: `${clusterId}-2` }));
    await expect(cluster.start("n3")).rejects.toThrow(
      /ended at once \(exit code 70\)[^]*belongs to node n3 of cluster/,
    );
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), members: members.filter(({ id }) => id === "n3") }));
    await cluster.start("n3");
    writeFileSync(file, text);
    expect((await shown(cluster, "n3")).Nodes.map(({ ID }) => ID)).toEqual(["n1", "n2", "n3"]);
    expect((await cluster.call("/state/kept", { node: "n3", once: true })).status).toBe(200);
  });

  test("a node that joins under the name of another cluster is not let in, and costs nothing", async () => {
    const [peerPort = 0, apiPort = 0] = await freePorts(2, new Set());
    const dir = mkdtempSync(join(tmpdir(), "slct-e2e-"));
    const [Peer, API] = [`127.0.0.1:${peerPort}`, `http://127.0.0.1:${apiPort}`];
    const flags = [
      ...["--id", "n9", "--cluster-id", "theirs", "--data-dir", dir, "--port", String(apiPort), "--join"],
      ...["--members", `n9=${Peer}=${API}`, "--callback-slots", "0"],
    ];
    const stray = promisify(execFile)(process.execPath, [mainFile, ...flags]);
    try {
      const added = await cluster.call("/cluster/members", { method: "POST", body: { ID: "n9", Peer, API } });
      expect(added.status).toBe(201);
      await waitFor("the refusal", async () => {
        const log = readFileSync(join(cluster.dir, await cluster.leader(), "node.log"), "utf8");
        return /refused with 412/.test(log);
      });
      await cluster.call("/state/still", { method: "PUT", body: { Selects: [] } });
      const { Nodes } = await shown(cluster);
      expect(Nodes.find(({ ID }) => ID === "n9")).toMatchObject({ Voter: false, Reachable: false });
      expect((await fetch(`${API}/readyz`)).status).toBe(503);
      expect((await cluster.call("/cluster/members/n9", { method: "DELETE" })).status).toBe(200);
    } finally {
      stray.child.kill("SIGTERM");
      await stray.catch(() => undefined);
      rmSync(dir, { recursive: true });
    }
  });

  test("two nodes come and the first three go one by one: nothing acknowledged is lost", async () => {
    const load = new Load(cluster, 4);
    await progress(load);
    for (const id of ["n4", "n5"]) {
      await cluster.add(id);
      await votes(cluster, id);
      await progress(load);
    }
    // The one that leads goes first: so at least one that leads goes.
    const first = await cluster.leader();
    for (const id of ["n1", "n2", "n3"].sort((a, b) => Number(b === first) - Number(a === first))) {
      await cluster.remove(id);
      await progress(load);
    }
    await settle(cluster, load);
    const { Nodes, Removed } = await shown(cluster);
    expect(Nodes.map(({ ID, Voter }) => [ID, Voter])).toEqual([
      ["n4", true],
      ["n5", true],
    ]);
    expect(Removed).toEqual(expect.arrayContaining(["n1", "n2", "n3"]));
  });

  test("a node whose disk was emptied neither votes nor speaks under its old id, and comes back under a new one", async () => {
    await cluster.add("n6");
    await votes(cluster, "n6");
    const before = new Load(cluster, 4);
    await progress(before, 100);
    await before.stop();
    // Of three only n4 is left: with the vote of an empty n6 it would lead again.
    await cluster.kill("n6", "SIGKILL");
    await cluster.kill("n5", "SIGKILL");
    rmSync(join(cluster.dir, "n6"), { recursive: true });
    const refused = await cluster.start("n6").catch((error: Error) => error.message);
    expect(refused).toMatch(/ended at once \(exit code 70\)[^]*node n4 knows node n6 with another data directory/);
    expect(refused).toMatch(/DELETE \/cluster\/members\/n6/);
    const none = await cluster.call<{ code: string }>("/state/x", { method: "PUT", body: {}, node: "n4", once: true });
    expect([none.status, none.body.code]).toEqual([503, "no_leader"]);

    await cluster.start("n5");
    const load = new Load(cluster, 4);
    await progress(load);
    await cluster.remove("n6");
    await cluster.add("n7");
    await votes(cluster, "n7");
    await progress(load);
    await settle(cluster, load);
    expect(await before.missing()).toEqual([]);
    const again = await cluster.call<{ code: string }>("/cluster/members", {
      method: "POST",
      body: { ID: "n6", Peer: "127.0.0.1:9", API: "http://127.0.0.1:9" },
    });
    expect([again.status, again.body.code]).toEqual([409, "exists"]);
  });
});

test("a node that missed what is no longer in the log comes in by a snapshot", async () => {
  const flags = ["--log-segment-bytes", "1048576", "--log-tail-bytes", "0", "--overlay-bytes-max", "1048576"];
  const cluster = await TestCluster.open(1, flags);
  try {
    const filling = "x".repeat(100_000);
    for (let n = 0; n < 100; n++)
      await cluster.call(`/state/big-${n}`, { method: "PUT", body: { Data: filling, Selects: [] } });
    await waitFor("a cut log", async () => (await gauge(cluster, "n1", "slct_raft_first_index")) > 1);
    const load = new Load(cluster, 2);
    await cluster.add("n2", flags);
    await votes(cluster, "n2");
    await progress(load);
    await settle(cluster, load);
    const { body } = await cluster.call<{ Data: string }>("/state/big-7?consistency=stale", { node: "n2", once: true });
    expect(body.Data).toBe(filling);
    const log = readFileSync(join(cluster.dir, "n2", "node.log"), "utf8");
    expect(log).toMatch(/snapshot/);
  } finally {
    await cluster.close();
  }
});
