/**
 * Activities: what is done elsewhere for a process, with heartbeats, limits and ends that come from outside.
 */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import type { Failure, StandardSchema } from "../../../sdk/sdk.js";
import { activity, implement, process, type ActivityContext, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { until } from "../process/running.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

/** Runs a process under the key 1, on a worker without any activity. */
async function start<T>(run: (p: ProcessContext) => Promise<T>) {
  const definition = process<null, T>("test", { version: 1 }, run);
  cluster.worker({ processes: [definition], cached: 0 });
  const started = await cluster.client.start(definition, null, { id: "1" });
  return { id: started.id, result: () => cluster.client.result(started) };
}

const failureOf = (promise: PromiseLike<unknown>) => promise.then(null, (error: Failure) => error) as Promise<Failure>;
const seen = ({ code, message, details }: Failure) => ({ code, message, details: details ?? null });

/** Lets time pass while a step runs: there is no rest to wait for. */
async function pass(ms: number): Promise<void> {
  const end = cluster.time.now() + ms;
  const settle = async () => {
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await settle();
  while ((cluster.time.nextMs ?? Infinity) <= end) {
    cluster.time.step(cluster.time.nextMs ?? end);
    await settle();
  }
  cluster.time.step(end);
}

describe("an activity", () => {
  const add = activity<{ a: number; b: number }, number>("math", "add");

  test("T2 T3 P7 is done by whoever has its queue, and gives a typed result", async () => {
    cluster.worker({ activities: [implement(add, ({ a, b }) => a + b)] });
    const { result } = await start(async (p) => {
      const sum = await p.call(add, { a: 1, b: 2 });
      expectTypeOf(sum).toEqualTypeOf<number>();
      const both = await Promise.all([p.call(add, { a: sum, b: 0 }), p.call(add, { a: sum, b: 1 })]);
      return [sum, ...both];
    });
    expect(await result()).toEqual([3, 3, 4]);
  });

  test("is started by a client as well, once per key", async () => {
    let runs = 0;
    cluster.worker({ activities: [implement(add, ({ a, b }) => (runs++, a + b))] });
    const started = await cluster.client.start(add, { a: 1, b: 2 }, { id: "k" });
    expect(await cluster.client.result(started)).toBe(3);
    const again = await cluster.client.start(add, { a: 5, b: 5 }, { id: "k" });
    expect([again.created, await cluster.client.result(again), runs]).toEqual([false, 3, 1]);
  });

  test("T23 that the worker of its queue does not know fails the request", async () => {
    const subtract = activity<number, number>("math", "subtract");
    cluster.worker({ activities: [implement(add, () => 0)] });
    const { result } = await start(async (p) => seen(await failureOf(p.call(subtract, 1))));
    expect(await result()).toMatchObject({ code: "unknown_activity", message: "queue math has no activity subtract" });
  });

  test("T21 is there once", () => {
    const one = implement(add, () => 0);
    expect(() => cluster.worker({ activities: [one, one] })).toThrow("twice");
  });

  test("T6 P18 is tried again by its policy; what it throws is told when that is over", async () => {
    const flaky = activity<number, string>("math", "flaky", { retry: { attempts: 3, first: "1s", never: ["EBAD"] } });
    const attempts: number[] = [];
    const fail = (n: number, a: ActivityContext): string => {
      attempts.push(a.attempt);
      if (n === 1 && a.attempt === 2) return "second";
      throw Object.assign(new Error("no"), { code: n === 3 ? "EBAD" : "EMORE" });
    };
    cluster.worker({ activities: [implement(flaky, fail)] });
    const { result } = await start(async (p) => [
      await p.call(flaky, 1),
      seen(await failureOf(p.call(flaky, 2))).code,
      seen(await failureOf(p.call(flaky, 3))).code,
    ]);
    await cluster.advance("1m");
    expect(await result()).toEqual(["second", "EMORE", "EBAD"]);
    expect(attempts).toEqual([1, 2, 1, 2, 3, 1]);
  });

  test("T19 gives what its schema lets through", async () => {
    const even: StandardSchema<unknown, number> = {
      "~standard": {
        ...{ version: 1, vendor: "test" },
        validate: (value) => (Number(value) % 2 === 0 ? { value: Number(value) } : { issues: [{ message: "odd" }] }),
      },
    };
    const doubled = activity<number, number>("math", "doubled", { result: even, retry: { attempts: 1 } });
    cluster.worker({ activities: [implement(doubled, (n, a) => (n === 0 ? a.pending() : n))] });
    const { id, result } = await start(async (p) => {
      const pending = p.spawn(doubled, 0, { id: "pending" });
      return [
        await p.call(doubled, 2),
        seen(await failureOf(p.call(doubled, 3))),
        seen(await failureOf(pending.result)),
      ];
    });
    await cluster.untilQuiescent();
    expect(id).toBe("test/1");
    await cluster.client.resolve(await tokenOf("math/pending"), 7);
    const odd = { code: "invalid_value", message: "a value of channel result: odd" };
    expect(await result()).toMatchObject([2, odd, odd]);
  });
});

/** As the state shows it: the channel that it waits on. */
async function tokenOf(id: string): Promise<string> {
  const { Selects } = await cluster.client.getState(id);
  const chans = Selects.flatMap(({ Cases }) => Cases.map(({ Chan }) => String(Chan)));
  return chans.find((chan) => /\/p\/\d+\/[0-9a-f]{32}$/.test(chan)) ?? "";
}

describe("heartbeats", () => {
  const long = activity<null, string>("long", "work", { heartbeat: "10s", retry: { attempts: 1 } });
  const silent = (context: ActivityContext) =>
    new Promise<string>((_, reject) =>
      context.signal.addEventListener("abort", () => reject(context.signal.reason as Error)),
    );

  test("T7 T8 T9 who is silent has failed, and the last details come back", async () => {
    let running = 0;
    cluster.worker({
      activities: [implement(long, (_, a) => (a.heartbeat({ done: ++running }), silent(a)))],
    });
    const { result } = await start(async (p) => seen(await failureOf(p.call(long, null))));
    await until(() => running > 0);
    await pass(9_000);
    expect(await cluster.client.hasState("test/1")).toBe(true);
    await pass(1_000);
    expect(await result()).toEqual({
      ...{ code: "timeout", message: "step work was silent for longer than 10s" },
      details: { Kind: "heartbeat", Details: { done: 1 } },
    });
  });

  test("who is heard goes on, and the details are seen by the next attempt, in this worker or another", async () => {
    const details: unknown[] = [];
    let context: ActivityContext | undefined;
    const retried = activity<null, string>("long", "retried", {
      heartbeat: "10s",
      retry: { attempts: 2, first: "1s" },
    });
    const run = async (_: null, a: ActivityContext): Promise<string> => {
      details.push(a.lastDetails ?? null);
      if (details.length === 3) return "done";
      a.heartbeat({ at: details.length });
      if (details.length === 2) throw new Error("broken");
      context = a;
      return silent(a);
    };
    const first = cluster.worker({ activities: [implement(retried, run)], lease: "30s" });
    const { result } = await start(async (p) => p.call(retried, null));
    await until(() => context !== undefined);
    for (let n = 0; n < 3; n++) {
      await pass(8_000);
      context?.heartbeat({ at: 1, n });
    }
    await pass(1_000);
    first.kill();
    cluster.worker({ activities: [implement(retried, run)] });
    await cluster.advance("1m");
    expect(await result()).toBe("done");
    expect(details).toEqual([null, { at: 1, n: 2 }, { at: 2 }]);
  });

  test("T13 T14 cancellation reaches it at once", async () => {
    const reasons: unknown[] = [];
    let running = false;
    const run = async (_: null, a: ActivityContext): Promise<string> => {
      running = true;
      return silent(a).finally(() => reasons.push((a.signal.reason as Error).message));
    };
    cluster.worker({ activities: [implement(long, run)], newsAfter: 0 });
    const started = await cluster.client.start(long, null);
    await until(() => running);
    await cluster.client.cancel(started.id, "not needed");
    await expect(cluster.client.result(started)).rejects.toMatchObject({ message: "not needed" });
    expect(reasons).toEqual(["not needed"]);
  });

  test("T12 who called it and ends first cancels it", async () => {
    let running = false;
    const reasons: unknown[] = [];
    const run = async (_: null, a: ActivityContext): Promise<string> => {
      running = true;
      return silent(a).finally(() => reasons.push((a.signal.reason as Error).message));
    };
    cluster.worker({ activities: [implement(long, run)], newsAfter: 0 });
    const { result } = await start(async (p) => {
      const r = await p.select({ done: p.call(long, null), enough: p.recv("enough") });
      return r.tag;
    });
    await until(() => running);
    await cluster.client.send("enough", true, { wait: "1m" });
    expect(await result()).toBe("enough");
    await until(() => reasons.length > 0);
    expect(reasons).toEqual(["who called it has ended"]);
  });
});

describe("an end that comes later", () => {
  const accept = activity<null, string>("people", "accept", { heartbeat: "1h", timeout: "1 day" });
  let tokens: string[] = [];
  beforeEach(() => {
    tokens = [];
    cluster.worker({ activities: [implement(accept, (_, a) => (tokens.push(a.token), a.pending()))], cached: 0 });
  });
  const call = () => start(async (p) => p.call(accept, null).then(null, seen));

  test("T11 T15 T16 comes from whoever has the token, and only the first counts", async () => {
    const { result } = await call();
    await cluster.untilQuiescent();
    const [token = ""] = tokens;
    await cluster.client.resolve(token, "yes");
    await expect(cluster.client.reject(token, new Error("no"))).rejects.toMatchObject({ code: "closed" });
    expect(await result()).toBe("yes");
    expect(tokens).toEqual([token]);
  });

  test("T17 may be a failure", async () => {
    const { result } = await call();
    await cluster.untilQuiescent();
    await cluster.client.reject(tokens[0] ?? "", Object.assign(new Error("closed today"), { code: "closed_today" }));
    expect(await result()).toMatchObject({ code: "closed_today", message: "closed today" });
  });

  test("T10 must be heard of, by token", async () => {
    const { result } = await call();
    await cluster.untilQuiescent();
    const [token = ""] = tokens;
    for (let n = 0; n < 3; n++) {
      await cluster.advance("59m");
      expect(await cluster.client.heartbeat(token, { n })).toBe(true);
    }
    await cluster.advance("61m");
    const details = { Kind: "heartbeat", Details: { n: 2 } };
    expect(await result()).toEqual({ code: "timeout", message: "accept was silent for longer than 1h", details });
    expect(await cluster.client.heartbeat(token, null, { wait: 0 })).toBe(false);
  });

  test("must come in time, however alive it is", async () => {
    const { result } = await call();
    for (let n = 0; n < 48; n++) {
      await cluster.advance("30m");
      if (n < 47) await cluster.client.heartbeat(tokens[0] ?? "", { n });
    }
    expect(await result()).toMatchObject({ code: "timeout", details: { Kind: "step", Details: { n: 46 } } });
  });
});
