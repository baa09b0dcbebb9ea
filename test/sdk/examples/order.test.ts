/**
 * A day in two lines: how a process is tested.
 */
import { expect, test } from "vitest";
import { createTestCluster, explore, matchers, type ProcessMatchers } from "slct/testing";
import { order, paid } from "../../../examples/order.js";

expect.extend(matchers);
declare module "vitest" {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars
  interface Matchers<T> extends ProcessMatchers {}
}

test("an order is shipped two hours after it was paid", async () => {
  const cluster = createTestCluster();
  cluster.worker({ processes: [order] });
  const started = await cluster.client.start(order, { id: "17", total: 30 });
  await cluster.client.send(paid("17"), { amount: 30 }, { wait: "1s" });
  await cluster.advance("2 hours");
  expect(await cluster.client.result(started)).toMatch(/^order 17: shipped, receipt /);
  await cluster.close();
});

test("an order that nobody pays ends after a day", async () => {
  const cluster = createTestCluster();
  cluster.worker({ processes: [order] });
  const started = await cluster.client.start(order, { id: "17", total: 30 });
  await cluster.advance("1 day");
  expect(await cluster.client.result(started)).toBe("order 17: late");
  await cluster.close();
});

test("an order waits for its payment, for a day", async () => {
  const cluster = createTestCluster({ alwaysReplay: true });
  cluster.worker({ processes: [order] });
  await cluster.client.start(order, { id: "1", total: 30 }, { id: "1" });
  await cluster.untilQuiescent();
  await expect(cluster.client.getState("order/1")).toBeBlockedOn({ recv: paid("1"), time: true });
  await cluster.close();
});

test("an order survives whatever happens to its workers", async () => {
  await explore(order, {
    scenario: async ({ client }) => {
      const started = await client.start(order, { id: "17", total: 30 }, { id: "17" });
      await client.send(paid("17"), { amount: 30 }, { wait: "1h" });
      expect(await client.result(started)).toMatch(/^order 17: shipped/);
    },
  });
});
