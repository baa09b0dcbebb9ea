/**
 * The pieces of the guide, run: each does what the guide says.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  approval,
  batch,
  child,
  counter,
  delivery,
  door,
  parent,
  picking,
  rendering,
  retrying,
  saga,
  together,
  tokens,
} from "../../../examples/guide.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
  cluster.worker({
    processes: [approval, batch, child, delivery, door, parent, retrying, saga, together, ...counter.processes],
    activities: [picking, rendering],
  });
});
afterEach(() => cluster.close());

test("a step is tried with its key", async () => {
  const { client } = cluster;
  expect(await client.result(await client.start(retrying, "http://shop"))).toBe("http://shop 36");
});

test("a batch is full or five seconds old", async () => {
  const { client } = cluster;
  const full = await client.start(batch, 2);
  for (const n of [1, 2]) await client.send("items", n, { wait: "1s" });
  expect(await client.result(full)).toEqual([1, 2]);
  const late = await client.start(batch, 100);
  await client.send("items", 3, { wait: "1s" });
  await cluster.advance("5s");
  expect(await client.result(late)).toEqual([3]);
});

test("threads meet on a channel", async () => {
  const started = await cluster.client.start(together, null);
  await cluster.advance("1s");
  expect((await cluster.client.result(started)).sort()).toEqual(["a", "b", "c"]);
});

test("a promise is settled from outside, or not", async () => {
  const { client } = cluster;
  const [first, second] = [await client.start(approval, "a"), await client.start(approval, "b")];
  await cluster.untilQuiescent();
  const { what, decide } = await client.vars(first.id);
  await client.resolve(decide as string, true);
  await cluster.advance("3 days");
  expect([what, await client.result(first), await client.result(second)]).toEqual(["a", "approved", "nobody decided"]);
});

test("a process calls others", async () => {
  const started = await cluster.client.start(parent, null);
  await cluster.advance("2 minutes");
  expect(await cluster.client.result(started)).toEqual({ doubled: 8, failed: "negative", known: 10 });
});

test("what was done is undone", async () => {
  const { client } = cluster;
  const started = await client.start(saga, false);
  await expect(client.result(started)).rejects.toMatchObject({ code: "sold_out" });
  expect(await client.vars(started.id)).toEqual({ undone: ["flight 7"] });
  expect(await client.result(await client.start(saga, true))).toBe("booked");
});

test("a machine goes from state to state", async () => {
  const { client } = cluster;
  const started = await client.start(door, null);
  for (let n = 0; n < 3; n++) await client.send("knock", n, { wait: "1s" });
  expect(await client.result(started)).toBe("opened after 3");
  const locked = await client.start(door, null);
  await client.cancel(locked.id);
  expect(await client.result(locked)).toBe("locked");
});

test("an object counts", async () => {
  const { client } = cluster;
  const visits = counter.of("visits");
  for (const id of ["r1", "r2", "r2"]) await client.result(await client.start(visits.add, 1, { id }));
  expect(await client.result(await client.start(visits.read, null))).toBe(2);
});

test("activities are done by a program and by a person", async () => {
  const { client } = cluster;
  const started = await client.start(delivery, "17");
  await cluster.untilQuiescent();
  await client.resolve(tokens.get("17") ?? "", "taken at noon");
  expect(await client.result(started)).toBe("3 pages, taken at noon");
});
