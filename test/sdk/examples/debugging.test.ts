/**
 * A process as somebody saved it, traced.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createTestCluster } from "slct/testing";
import { trace } from "../../../examples/debugging.js";
import { order } from "../../../examples/order.js";

test("a saved process shows what it waits for", async () => {
  const cluster = createTestCluster();
  cluster.worker({ processes: [order] });
  await cluster.client.start(order, { id: "17", total: 30 }, { id: "17" });
  await cluster.untilQuiescent();
  const folder = await mkdtemp(join(tmpdir(), "slct-"));
  await writeFile(join(folder, "order-17.json"), JSON.stringify(await cluster.client.getState("order/17")));
  expect(await trace(join(folder, "order-17.json"))).toEqual([
    expect.stringMatching(/^1 recv paid-17 \| recv cancel-17 \| time \(order\.ts:\d+\): "open"$/),
  ]);
  await rm(folder, { recursive: true });
  await cluster.close();
});
