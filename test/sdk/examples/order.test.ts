/**
 * A day in two lines: how a process is tested.
 */
import { expect, test } from "vitest";
import { createTestCluster } from "slct/testing";
import { order, paid } from "../../../examples/order.js";

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
