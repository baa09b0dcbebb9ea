/**
 * Matchers for states, as a user of vitest has them.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Failure, process } from "../../../sdk/sdk.js";
import { createTestCluster, matchers, type ProcessMatchers, type TestCluster } from "../../../sdk/testing.js";

expect.extend(matchers);
declare module "vitest" {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars
  interface Matchers<T> extends ProcessMatchers {}
}

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

const order = process("order", { version: 1 }, async (p, total: number) => {
  const r = await p.select({ paid: p.recv<number>("paid"), offer: p.send("offers", total), late: p.after("1 day") });
  if (r.tag === "late") throw new Failure("too late", { code: "late" });
  return { total, by: r.tag };
});
const state = () => cluster.client.getState("order/1");

test("what a process waits for, and how it ends", async () => {
  cluster.worker({ processes: [order] });
  await cluster.client.start(order, 30, { id: "1" });
  await cluster.untilQuiescent();
  await expect(state()).toBeBlockedOn({ recv: "paid", send: "offers", time: cluster.time.now() + 86_400_000 });
  await expect(state()).toBeBlockedOn({ time: true });
  await expect(state()).not.toBeBlockedOn({ recv: "offers" });
  await expect(state()).not.toHaveResult(undefined);
  await expect(expect(state()).toBeBlockedOn({ recv: "other" })).rejects.toThrow(
    "order/1 waits on recv paid | send offers | time",
  );
  await cluster.client.send("paid", 30);
  await cluster.untilQuiescent();
  await expect(state()).toHaveResult({ total: 30, by: "paid" });
  await expect(expect(state()).toHaveFailed()).rejects.toThrow('order/1 has returned {"total":30,"by":"paid"}');
});

test("its failure, and its pause", async () => {
  cluster.worker({ processes: [order], warn: () => undefined });
  await cluster.client.start(order, 30, { id: "1" });
  await cluster.advance("1 day");
  await expect(state()).toHaveFailed("late");
  await expect(state()).not.toHaveFailed("other");
  await expect(state()).not.toBePaused();
  const { id } = await cluster.client.start(order, 30, { id: "2" });
  await cluster.untilQuiescent();
  await cluster.client.pauseState(id, "by hand");
  await expect(cluster.client.getState(id)).toBePaused("hand");
});
