/**
 * Keyed objects: one writer each, messages that are called, sent, delayed and deduplicated.
 */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { Failure, object, process } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

const account = object(
  "account",
  { version: 1 },
  {
    initial: (key) => ({ owner: key, balance: 0, log: [] as string[] }),
    handlers: {
      add: async (o, amount: number) => {
        const before = o.state.balance;
        o.state.balance += amount;
        await o.sleep("1s");
        if (o.state.balance < 0) throw new Failure("not enough", { code: "overdrawn", details: { before } });
        o.state.log.push(await o.step("note", () => `${o.key} ${amount}`));
        return o.state.balance;
      },
      read: (o) => o.state,
      approve: async (o) => {
        const approval = o.promise<string>();
        o.vars["approval"] = approval.id;
        return approval;
      },
    },
  },
);

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
  cluster.worker({ processes: account.processes, cached: 0 });
});
afterEach(() => cluster.close());

const alice = account.of("alice");

describe("an object", () => {
  test("R9 takes one message after the other, however many come at once", async () => {
    const calls = await Promise.all(Array.from({ length: 5 }, () => cluster.client.start(alice.add, 10)));
    await cluster.advance("5s");
    const balances = await Promise.all(calls.map((one) => cluster.client.result(one)));
    expectTypeOf(balances).toEqualTypeOf<number[]>();
    expect(balances.sort((a, b) => a - b)).toEqual([10, 20, 30, 40, 50]);
    const state = await cluster.client.result(await cluster.client.start(alice.read, null));
    expect(state).toMatchObject({
      owner: "alice",
      balance: 50,
      log: ["alice 10", "alice 10", "alice 10", "alice 10", "alice 10"],
    });
  });

  test("has nothing to do with that of another key", async () => {
    await cluster.client.start(alice.add, 1);
    await cluster.advance("1s");
    const bob = await cluster.client.start(account.of("bob").read, null);
    expect(await cluster.client.result(bob)).toMatchObject({ owner: "bob", balance: 0 });
  });

  test("R6 takes a message once per idempotency key", async () => {
    const [first, again] = [
      await cluster.client.start(alice.add, 10, { id: "r1" }),
      await cluster.client.start(alice.add, 10, { id: "r1" }),
    ];
    await cluster.advance("5s");
    expect([await cluster.client.result(first), await cluster.client.result(again)]).toEqual([10, 10]);
    expect([first.created, again.created]).toEqual([true, false]);
  });

  test("keeps nothing of a message that fails, and answers it", async () => {
    const failed = await cluster.client.start(alice.add, -1);
    await cluster.advance("5s");
    await expect(cluster.client.result(failed)).rejects.toMatchObject({ code: "overdrawn", details: { before: 0 } });
    const state = await cluster.client.start(alice.read, null);
    expect(await cluster.client.result(state)).toMatchObject({ balance: 0, log: [] });
  });

  test("refuses a message that it has no handler for", async () => {
    const other = { ...alice.read, wrap: () => ({ key: "alice", handler: "toString", input: null }) };
    const failed = await cluster.client.start(other, null);
    await expect(cluster.client.result(failed)).rejects.toMatchObject({ code: "unknown_handler" });
  });

  test("is called by processes, now and later, and raced against time", async () => {
    const caller = process("caller", { version: 1 }, async (p) => {
      p.spawn(alice.add, 100, { startAt: p.now() + 86_400_000 });
      const now = await p.call(alice.add, 5);
      const r = await p.select({ asked: p.call(alice.approve, null), late: p.after("2 days") });
      return [now, r.tag];
    });
    cluster.worker({ processes: [caller] });
    const started = await cluster.client.start(caller, null);
    await cluster.advance("3 days");
    expect(await cluster.client.result(started)).toEqual([5, "late"]);
    // The message of the next day waits behind the one that awaits its approval.
    const { approval } = await cluster.client.vars("account/alice");
    await cluster.client.resolve(approval as string, "granted");
    await cluster.advance("1s");
    const state = await cluster.client.start(alice.read, null);
    expect(await cluster.client.result(state)).toMatchObject({ balance: 105 });
  });

  test("stays as small as its state", async () => {
    for (let n = 0; n < 20; n++) await cluster.client.start(alice.read, null);
    await cluster.untilQuiescent();
    const { Data, Selects } = await cluster.client.getState("account/alice");
    expect(JSON.stringify(Data).length).toBeLessThan(500);
    expect(Selects.length).toBe(2);
  });
});
