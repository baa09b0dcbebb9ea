/** What the chaos tool's operator does to the members of a real cluster, when two of its changes meet. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ChaosCluster } from "../../chaos/cluster.js";
import { evict, grow } from "../../chaos/operator.js";
import { ProxyNetwork } from "../../chaos/proxy-network.js";
import { Random } from "../../chaos/random.js";
import { waitFor } from "./harness.js";

async function openCluster(): Promise<ChaosCluster> {
  const dir = await mkdtemp(join(tmpdir(), "slct-operator-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const network = new ProxyNetwork(new Random(1));
  onTestFinished(() => network.close());
  const cluster = await ChaosCluster.open({ dir, size: 1, network, flags: [], env: () => ({}) });
  onTestFinished(() => cluster.close());
  return cluster;
}

async function members(cluster: ChaosCluster): Promise<string[]> {
  const response = await fetch(`${cluster.apiOf("n1")}/cluster`);
  const { Nodes } = (await response.json()) as { Nodes: { ID: string }[] };
  return Nodes.map(({ ID }) => ID);
}

test("a node that joins is not waited for when another change takes it out", async () => {
  const cluster = await openCluster();
  const growing = [grow(cluster), grow(cluster)];
  await waitFor("both to be on their way", () => cluster.ids.length === 3);
  // One is taken out before the cluster may have heard of it, one that it knows.
  await evict(cluster, "n2");
  await waitFor("n3 to be known", async () => (await members(cluster)).includes("n3"));
  await evict(cluster, "n3");
  const outcomes = await Promise.all(growing);
  expect(outcomes.map(({ id }) => id)).toEqual(["n2", "n3"]);
  expect(cluster.ids).toEqual(["n1"]);
  expect(await members(cluster)).toEqual(["n1"]);
}, 60_000);

test("a node that joins votes in the end", async () => {
  const cluster = await openCluster();
  expect(await grow(cluster)).toEqual({ id: "n2", outcome: "votes" });
  expect((await cluster.status("n1"))?.Voter).toBe(true);
  expect((await cluster.status("n2"))?.Voter).toBe(true);
}, 60_000);
