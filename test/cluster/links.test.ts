/**
 * What a node does when a link of it comes up: whole nodes in one process, only the links are in memory.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ids, SnapshotCluster } from "./snapshot-cluster.js";

let cluster: SnapshotCluster;
beforeEach(async () => {
  cluster = await SnapshotCluster.open();
});
afterEach(() => cluster.close());

test("a request that was lost with a link is sent again when it is up, and not when its time is over", async () => {
  const follower = ids.find((id) => id !== cluster.leader()) ?? "";
  cluster.network.isolate(follower);
  const answer = cluster.seat(follower).submit({ kind: "make", chan: "c", buffer: 1 });
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  cluster.network.heal();
  expect((await answer).outcome).toMatchObject({ ok: true });
});
