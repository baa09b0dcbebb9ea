/**
 * Steps: once, again after a failure, beside each other; and the chance and the variables between them.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunningData } from "../../../sdk/client/process-data.js";
import { Failure, process, type ProcessContext, type StepContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { start as startIn, until } from "./running.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

const start = <T>(run: (p: ProcessContext) => PromiseLike<T>, options: { newsAfter?: number } = {}) =>
  startIn(cluster, run, options);

async function dataOf(id: string): Promise<RunningData> {
  return (await cluster.client.getState(id)).Data as unknown as RunningData;
}

describe("steps", () => {
  test("R22 are done once, whatever is waited for behind them", async () => {
    let runs = 0;
    const { result } = await start(async (p) => {
      const first = await p.step("count", () => ++runs);
      await p.sleep("1s");
      return first + (await p.step("count", () => ++runs * 10));
    });
    await cluster.advance("1s");
    expect(await result()).toBe(21);
    expect(runs).toBe(2);
  });

  test("run beside each other", async () => {
    const open: (() => void)[] = [];
    const gate = () => new Promise<void>((resolve) => void open.push(resolve));
    const { result } = await start((p) =>
      Promise.all(["a", "b", "c"].map((name) => p.step(name, async () => (await gate(), name)))),
    );
    await until(() => open.length === 3);
    for (const resolve of open.reverse()) resolve();
    expect(await result()).toEqual(["a", "b", "c"]);
  });

  test("may be many, in a worker of many processes, and nothing is taken for a leak", async () => {
    const warnings: string[] = [];
    const listen = ({ name }: Error) => void warnings.push(name);
    globalThis.process.on("warning", listen);
    const others = Array.from({ length: 12 }, (_, n) => process(`other-${n}`, { version: 1 }, () => Promise.resolve()));
    cluster.worker({ processes: others });
    const { result } = await start(async (p) => {
      const steps = Array.from({ length: 20 }, (_, n) => p.step(`step ${n}`, () => n));
      return (await Promise.all(steps)).length;
    });
    expect(await result()).toBe(20);
    await cluster.untilQuiescent();
    globalThis.process.off("warning", listen);
    expect(warnings).not.toContain("MaxListenersExceededWarning");
  });

  test("P8 P9 are tried again later and later, with the same idempotency key", async () => {
    const attempts: StepContext[] = [];
    const { id, result } = await start((p) =>
      p.step("flaky", (step) => {
        attempts.push(step);
        if (attempts.length < 4) throw new Error("not yet");
        return "done";
      }),
    );
    await cluster.untilQuiescent();
    expect(await dataOf(id)).toMatchObject({
      retries: { 1: { is: "step flaky", attempts: 1, error: { message: "not yet" } } },
    });
    expect(attempts.length).toBe(1);
    await cluster.advance("1s");
    expect(attempts.length).toBe(2);
    await cluster.advance("1500ms");
    expect(attempts.length).toBe(2);
    await cluster.advance("500ms");
    expect(attempts.length).toBe(3);
    await cluster.advance("4s");
    expect(await result()).toBe("done");
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    expect(new Set(attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  });

  test("P9 fail when the attempts are used up, at once for a Failure and for what the policy names", async () => {
    let runs = 0;
    const failing = (error: Error) => () => {
      runs += 1;
      throw error;
    };
    const { result } = await start(async (p) => {
      const outcomes = [];
      for (const [error, retry] of [
        [new Error("always"), { attempts: 2 }],
        [new Failure("no", { code: "declined", details: { why: "funds" } }), {}],
        [Object.assign(new Error("bad"), { code: "EBAD" }), { never: ["EBAD"] }],
        [new TypeError("bug"), { never: (thrown: unknown) => thrown instanceof TypeError }],
      ] as const) {
        const failure = await p.step("x", failing(error), { retry }).then(null, (thrown: Failure) => thrown);
        outcomes.push([failure instanceof Failure, failure?.message, failure?.code, failure?.details]);
      }
      return outcomes;
    });
    await cluster.advance("1s");
    expect(await result()).toEqual(
      [
        [true, "always", "failed", undefined],
        [true, "no", "declined", { why: "funds" }],
        [true, "bad", "EBAD", undefined],
        [true, "bug", "failed", undefined],
      ].map((row) => row.map((cell) => cell ?? null)),
    );
    expect(runs).toBe(5);
  });

  test("that take too long are aborted", async () => {
    const reasons: unknown[] = [];
    let running = false;
    const { result } = await start((p) =>
      p.step(
        "slow",
        ({ signal }) =>
          new Promise((_, reject) => {
            running = true;
            signal.addEventListener("abort", () => {
              reasons.push((signal.reason as { code: string }).code);
              reject(new Error("too late anyway"));
            });
          }),
        { timeout: "5s", retry: { attempts: 1 } },
      ),
    );
    const failed = result().then(null, (error: Failure) => error);
    await until(() => running);
    const begin = cluster.time.now();
    while (reasons.length === 0 && cluster.time.step(cluster.time.nextMs ?? Infinity)) continue;
    expect(cluster.time.now() - begin).toBe(5000);
    expect(await failed).toMatchObject({ code: "timeout" });
    expect(reasons).toEqual(["timeout"]);
  });

  test("give what JSON keeps, the first time too", async () => {
    const { result } = await start(async (p) => {
      const value = await p.step("date", () => ({ at: new Date(0), nothing: undefined }));
      const none = await p.step("none", () => undefined);
      const big = await p.step("big", () => 1n).then(null, (error: Failure) => error.code);
      return [typeof value.at, "nothing" in value, none, big];
    });
    expect(await result()).toEqual(["string", false, null, "not_durable"]);
  });

  test("do not hold up the timers of other threads", async () => {
    let finish: () => void = () => undefined;
    const { result } = await start(
      async (p) => {
        const slow = p.go((p) =>
          p.step("slow", () => new Promise<string>((resolve) => (finish = () => resolve("slow")))),
        );
        await p.sleep("1s");
        await p.step("meanwhile", () => finish());
        return slow;
      },
      { newsAfter: 0 },
    );
    const done = result();
    await until(() => (cluster.time.nextMs ?? Infinity) <= cluster.time.now() + 1000);
    cluster.time.step(cluster.time.now() + 1000);
    expect(await done).toBe("slow");
  });
});

describe("chance", () => {
  test("R24 is the same at every replay and different everywhere else", async () => {
    const drawn = new Set<string>();
    const { result } = await start(async (p) => {
      const first = [p.uuid(), String(p.random())];
      await p.sleep("1s");
      const own = await p.go((p) => Promise.resolve(p.uuid()));
      const looped = await p.loop<string[], string[]>([], async (ids, p) => {
        if (ids.length === 3) return p.done(ids);
        await p.sleep("1s");
        return [...ids, p.uuid()];
      });
      for (const one of [...first, p.uuid(), own, ...looped]) drawn.add(one);
      return first;
    });
    await cluster.advance("1m");
    const [uuid, random] = await result();
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number(random)).toBeGreaterThanOrEqual(0);
    expect(Number(random)).toBeLessThan(1);
    expect(drawn.size).toBe(7);
  });
});

describe("vars and info", () => {
  test("P13 P20 are shown while it runs, and go back with an iteration that is run again", async () => {
    const { id, result } = await start(async (p) => {
      p.vars["phase"] = "begin";
      await p.loop(0, async (n, p) => {
        p.vars["rounds"] = Number(p.vars["rounds"] ?? 0) + 1;
        await p.sleep("1s");
        return n === 2 ? p.done() : n + 1;
      });
      return p.vars["rounds"];
    });
    await cluster.untilQuiescent();
    expect(await cluster.client.vars(id)).toEqual({ phase: "begin", rounds: 1 });
    await cluster.advance("1s");
    expect(await cluster.client.vars(id)).toEqual({ phase: "begin", rounds: 2 });
    await cluster.advance("10s");
    expect(await result()).toBe(3);
    expect(await cluster.client.vars(id)).toEqual({ phase: "begin", rounds: 3 });
  });

  test("P12 say who it is, and when it began", async () => {
    const begin = cluster.time.now();
    const { result } = await start((p) => Promise.resolve({ ...p.info }));
    expect(await result()).toEqual({
      ...{ id: "test/1", name: "test", key: "1", version: "1" },
      startedAt: begin,
      attempt: 1,
    });
  });
});
