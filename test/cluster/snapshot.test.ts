/**
 * Snapshots between members: whole nodes in one process. Reliability 30–36, H1, H9–H12, H17, L6–L8, L10.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { SnapshotCluster } from "./snapshot-cluster.js";

let cluster: SnapshotCluster;
beforeEach(async () => {
  cluster = await SnapshotCluster.open();
});
afterEach(async () => {
  await cluster.close();
});

function follower(): string {
  return [...cluster.seats.keys()].find((id) => id !== cluster.leader()) ?? "";
}

async function expectEqual(): Promise<void> {
  expect(new Set(await cluster.hashes()).size).toBe(1);
  expect(cluster.fatal).toEqual([]);
}

test("H17 a node that was away while the others cut their logs catches up by one snapshot and the tail", async () => {
  const away = follower();
  cluster.network.isolate(away);
  await cluster.writeBeyond(away);
  cluster.network.heal();
  await cluster.write(100);
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  await cluster.write(100);
  await expectEqual();
  expect(cluster.said.get(away)?.filter(({ event }) => event === "snapshot.installed")).toHaveLength(1);
}, 30_000);
