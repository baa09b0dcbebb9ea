/**
 * The test cluster itself: nothing in it goes on for ever.
 */
import { expect, test } from "vitest";
import { process } from "../../../sdk/sdk.js";
import { createTestCluster } from "../../../sdk/testing.js";

const greet = process("greet", { version: 1 }, async (p, name: string) => {
  await p.sleep("3 days");
  return `Hello ${name}`;
});

test("time passes when the test says so", async () => {
  const cluster = createTestCluster();
  cluster.worker({ processes: [greet] });
  const started = await cluster.client.start(greet, "you");
  await expect(cluster.client.result(started, { wait: 0 })).rejects.toMatchObject({ code: "not_ready" });
  await cluster.advance("3 days");
  expect(await cluster.client.result(started, { wait: 0 })).toBe("Hello you");
  await cluster.close();
});

test("who waits for a cluster that is closed is told", async () => {
  const cluster = createTestCluster();
  const waiting = cluster.client.recv("never", { wait: Infinity }).then(null, (error: unknown) => error);
  await cluster.untilQuiescent();
  await cluster.close();
  expect(await waiting).toMatchObject({ code: "unreachable", message: "the test cluster is closed" });
  await expect(cluster.client.send("x", 1)).rejects.toMatchObject({ code: "unreachable" });
});

test.each(["drop", "lose"] as const)("a client whose requests all %s gives up", async (fault) => {
  const cluster = createTestCluster();
  cluster.onRequest = () => fault;
  await expect(cluster.client.makeChannel("a", 1)).rejects.toMatchObject({ code: "unreachable" });
  cluster.onRequest = () => undefined;
  await cluster.client.makeChannel("a", 1);
  await cluster.close();
});

test("a worker that is killed takes nothing with it", async () => {
  const cluster = createTestCluster();
  const first = cluster.worker({ processes: [greet] });
  const started = await cluster.client.start(greet, "you");
  await cluster.untilQuiescent();
  first.kill();
  cluster.worker({ processes: [greet] });
  await cluster.advance("4 days");
  expect(await cluster.client.result(started)).toBe("Hello you");
  await cluster.close();
});

test("time moves on by itself until something is complete, and what waits for nothing is told", async () => {
  const cluster = createTestCluster({ alwaysReplay: true });
  cluster.worker({ processes: [greet] });
  const { client } = cluster;
  const begin = cluster.time.now();
  const greeting = (async () => {
    const started = await client.start(greet, "you");
    await cluster.advance("1 day");
    expect(cluster.time.now() - begin).toBe(86_400_000);
    return client.result(started);
  })();
  expect(await cluster.complete(greeting)).toBe("Hello you");
  const waiting = process("waiting", { version: 1 }, (p) => p.select({ word: p.recv("word"), go: p.send("go", 1) }));
  cluster.worker({ processes: [waiting] });
  const { id } = await client.start(waiting, null, { id: "1" });
  await expect(cluster.complete(client.result(id))).rejects.toThrow(
    "nothing more happens within 365 days: waiting/1 is waiting on recv word | send go",
  );
  await expect(cluster.complete(client.recv("never", { wait: Infinity }), { within: "1h" })).rejects.toThrow(
    "within 1h",
  );
  await cluster.close();
});
