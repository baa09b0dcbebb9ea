/**
 * A worker dies at every request it makes, before it arrives or after: the next one goes on, and nothing happens twice to
 * anybody who deduplicates.
 */
import { describe, expect, test } from "vitest";
import { process, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type Fault, type TestCluster, type TestWorker } from "../../../sdk/testing.js";

/** Requests of a worker until everything below has ended; the test says if there are more. */
const requestsMax = 60;
const lease = "3s";

/** Something outside that knows idempotency keys. */
class Bank {
  readonly bookings = new Map<string, string>();
  calls = 0;

  book(key: string, what: string): string {
    this.calls += 1;
    this.bookings.set(key, what);
    return `${what} booked`;
  }
}

const child = process("crash-child", { version: 1 }, async (p, n: number) => {
  await p.sleep("1s");
  return n + 1;
});

function order(bank: Bank) {
  return process("crash-order", { version: 1 }, async (p: ProcessContext) => {
    const booked = await p.step("first", ({ idempotencyKey }) => bank.book(idempotencyKey, "first"));
    const grown = await p.call(child, 1);
    const words = await p.loop<string[], string[]>([], async (seen, p) => {
      if (seen.length === 2) return p.done(seen);
      const word = await p.recv<string>("words");
      await p.step("loop", ({ idempotencyKey }) => bank.book(idempotencyKey, word));
      return [...seen, word];
    });
    await p.send("out", p.uuid());
    return [booked, grown, ...words];
  });
}

async function run(dieAt: number, fault: Fault): Promise<{ requests: number; outcome: unknown; bank: Bank }> {
  const cluster = createTestCluster();
  const bank = new Bank();
  let requests = 0;
  const victims: TestWorker[] = [];
  const isWorkers = (path: string, method: string) => path.includes("poll") || method === "PATCH";
  cluster.onRequest = ({ method, path }) => {
    if (!isWorkers(path, method) || requests++ !== dieAt) return undefined;
    // Dead once this request is decided on: dropped, or done without anybody who hears of it.
    queueMicrotask(() => victims[0]?.kill());
    return fault;
  };
  victims.push(cluster.worker({ processes: [order(bank), child], cached: 0, lease }));
  const outcome = await drive(cluster, bank, () => requests > dieAt);
  await cluster.close();
  return { requests, outcome, bank };
}

async function drive(cluster: TestCluster, bank: Bank, isDead: () => boolean) {
  const { client } = cluster;
  const started = await client.start(order(bank), null, { id: "1" });
  const sent = ["a", "b"].map((word) => client.send("words", word, { wait: "1h" }));
  const out = client.recv("out", { wait: "1h" });
  let hasHeir = false;
  for (let n = 0; n < 3; n++) {
    if (isDead() && !hasHeir) {
      hasHeir = true;
      cluster.worker({ processes: [order(bank), child], cached: 0, lease });
    }
    await cluster.advance("10s");
  }
  await Promise.all(sent);
  const result = await client.result(started, { wait: 0 });
  return { words: [...result].sort(), out: (await out).ok };
}

describe.each(["drop", "lose"] as const)("a worker dies, its last request: %s", (fault) => {
  test("R2 R8 R25 at every request it makes", async () => {
    for (let dieAt = 0; ; dieAt++) {
      const { requests, outcome, bank } = await run(dieAt, fault);
      const expected = { words: ["a", "b", "first booked", 2].sort(), out: true };
      expect(outcome, `died at request ${dieAt}`).toEqual(expected);
      expect([...bank.bookings.values()].sort(), `died at request ${dieAt}`).toEqual(["a", "b", "first"]);
      expect(bank.calls).toBeLessThanOrEqual(4);
      if (requests <= dieAt) break;
      expect(dieAt).toBeLessThan(requestsMax);
    }
  });
});

test("a step that kills its worker each time is not tried for ever", async () => {
  const cluster = createTestCluster({ attemptsMax: 3 });
  let victim: TestWorker | undefined;
  let kills = 0;
  const poison = process("poison", { version: 1 }, (p) =>
    p.step("fall over", () => {
      kills += 1;
      victim?.kill();
      return new Promise<never>(() => undefined);
    }),
  );
  const { id } = await cluster.client.start(poison, null);
  for (let n = 0; n < 4; n++) {
    victim = cluster.worker({ processes: [poison] });
    await cluster.advance("1m");
  }
  expect(kills).toBe(3);
  expect(await cluster.client.getState(id)).toMatchObject({ Status: "paused" });
  await expect(cluster.client.result(id, { wait: 0 })).rejects.toMatchObject({ code: "not_ready" });
  await cluster.close();
});
