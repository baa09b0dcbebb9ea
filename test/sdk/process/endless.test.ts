/**
 * A process that goes on for years stays small: what is stored of it does not depend on how long it has run.
 */
import { expect, test } from "vitest";
import { process } from "../../../sdk/sdk.js";
import { createTestCluster } from "../../../sdk/testing.js";

const iterations = 10_000;
/** A pause after this many. */
const perDay = 100;
const dataBytesMax = 4096;
/** One request of the worker for each iteration. */
const patienceMs = 300_000;

/** Bills again and again, remembers the last ten receipts. */
const subscription = process("subscription", { version: 1 }, async (p) => {
  const first = { count: 0, total: 0, receipts: [] as string[] };
  return p.loop(first, async ({ count, total, receipts }, p) => {
    if (count === iterations) return p.done({ total, receipts });
    if (count % perDay === 0) await p.sleep("1 day");
    const receipt = await p.step("bill", ({ idempotencyKey }) => idempotencyKey);
    p.vars["count"] = count;
    return { count: count + 1, total: total + 30, receipts: [...receipts, receipt].slice(-10) };
  });
});

test(
  `${iterations} iterations of a loop, and Data stays below 4 KB at every put-back`,
  async () => {
    const cluster = createTestCluster();
    let [putBacks, largest] = [0, 0];
    cluster.onRequest = ({ method, body = "" }) => {
      if (method !== "PATCH") return undefined;
      const { Data } = JSON.parse(body) as { readonly Data: unknown };
      putBacks += 1;
      largest = Math.max(largest, Buffer.byteLength(JSON.stringify(Data)));
      return undefined;
    };
    let moves = 0;
    const step = cluster.time.step.bind(cluster.time);
    cluster.time.step = (toMs) => {
      moves += 1;
      return step(toMs);
    };
    cluster.worker({ processes: [subscription] });
    const started = await cluster.client.start(subscription, null);
    await cluster.advance(`${iterations / perDay} days`);
    const { total, receipts } = await cluster.client.result(started, { wait: 0 });
    await cluster.close();
    console.log(
      `${iterations} iterations, ${putBacks} put-backs, Data at most ${largest} bytes, ${moves} moves of time`,
    );
    expect(total).toBe(30 * iterations);
    expect(new Set(receipts).size).toBe(10);
    expect(putBacks).toBeGreaterThan(iterations);
    expect(largest).toBeLessThan(dataBytesMax);
    // A worker that holds on to the process for a moment does not look at it all day long.
    expect(moves).toBeLessThan((10 * iterations) / perDay);
  },
  patienceMs,
);
