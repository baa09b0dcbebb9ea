/**
 * Rows of processes and their workers that no other test is about.
 */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { activity, implement, packed, process, worker, type ActivityContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { until } from "../process/running.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

describe("P3 a worker and a client", () => {
  test("are made from names, a codec, endpoints, and where warnings go", async () => {
    const library = {
      pack: (value: unknown) => new TextEncoder().encode(JSON.stringify(value)),
      unpack: (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as unknown,
    };
    const codec = packed("text", library);
    const warnings: string[] = [];
    const told = process("told", { version: 1 }, (p) => Promise.resolve(p.info.name + String(Math.random() < 2)));
    cluster.worker({ processes: [told], codec, guard: "warn", warn: (message) => void warnings.push(message) });
    const client = cluster.newClient({ codec });
    const { id } = await client.start(told, null);
    expect(await client.result(id)).toBe("toldtrue");
    expect(warnings).toEqual([expect.stringContaining("Math.random()")]);
    await expect(cluster.client.result(id)).rejects.toMatchObject({ code: "bad_answer" });
    expect(() => worker({ processes: [told] })).toThrow("endpoints");
  });

  test.each([
    ["2s", "1s"],
    ["1h", "30m"],
  ])("a worker that is gone is replaced after its lease of %s", async (lease, half) => {
    let runs = 0;
    const slow = process("slow", { version: 1 }, (p) =>
      p.step("work", () => (++runs === 1 ? new Promise<never>(() => undefined) : runs)),
    );
    const holder = cluster.worker({ processes: [slow], lease });
    const started = await cluster.client.start(slow, null);
    await until(() => runs === 1);
    holder.kill();
    cluster.worker({ processes: [slow] });
    await cluster.advance(half);
    expect(runs).toBe(1);
    await cluster.advance(half);
    expect(await cluster.client.result(started)).toBe(2);
  });
});

describe("activities and processes", () => {
  const render = activity<number, string>("render", "page");

  test("P6 P8 what is costly is done once, however often the process runs again", async () => {
    let runs = 0;
    const book = process("book", { version: 1 }, async (p, pages: number) => {
      const rendered = [];
      for (let n = 1; n <= pages; n++) rendered.push(await p.call(render, n));
      await p.sleep("1 day");
      return rendered.join(", ");
    });
    cluster.worker({ processes: [book], cached: 0, linger: 0 });
    cluster.worker({ activities: [implement(render, (n) => (runs++, `page ${n}`))] });
    const started = await cluster.client.start(book, 3);
    await cluster.advance("1 day");
    expect(await cluster.client.result(started)).toBe("page 1, page 2, page 3");
    expect(runs).toBe(3);
  });

  test("P10 loops, conditions and accumulators are ordinary code", async () => {
    const sums = process("sums", { version: 1 }, async (p, numbers: readonly number[]) => {
      const sum = { even: 0, odd: 0 };
      for (const n of numbers) {
        if (n % 2 === 0) sum.even += await p.step("even", () => n);
        else sum.odd += await p.step("odd", () => n * 10);
      }
      while (sum.odd > 50) sum.odd -= await p.step("less", () => 25);
      return sum;
    });
    cluster.worker({ processes: [sums], cached: 0, linger: 0 });
    expect(await cluster.client.result(await cluster.client.start(sums, [1, 2, 3, 4, 5]))).toEqual({
      even: 6,
      odd: 40,
    });
  });

  test("P16 P18 one worker has several of both, and no more running than it may", async () => {
    const names = ["a", "b", "c"];
    const both = names.map((name) => process(name, { version: 1 }, (p, n: number) => p.call(render, n)));
    const other = activity<number, string>("print", "page");
    let running = 0;
    let most = 0;
    const run = async (n: number) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return `page ${n}`;
    };
    cluster.worker({ processes: both, activities: [implement(render, run), implement(other, run)], concurrency: 2 });
    const started = await Promise.all([1, 2, 3, 4].flatMap((n) => both.map((one) => cluster.client.start(one, n))));
    const printed = await cluster.client.start(other, 9);
    // Fewer than there are names: they are polled for in turn.
    for (let n = 0; n < 30; n++) await cluster.advance("1s");
    const results = await Promise.all(started.map((one) => cluster.client.result(one)));
    expectTypeOf(results).toEqualTypeOf<string[]>();
    expect(results).toEqual([1, 2, 3, 4].flatMap((n) => names.map(() => `page ${n}`)));
    expect([await cluster.client.result(printed), most]).toEqual(["page 9", 2]);
  });

  test("P24 an attempt knows its number, and says when the next one is", async () => {
    const begin = cluster.time.now();
    const noon = begin + 3_600_000;
    const attempts: number[][] = [];
    const busy = activity<null, string>("busy", "work", { retry: { attempts: 4, first: "1s" } });
    const run = (_: null, a: ActivityContext): string => {
      attempts.push([a.attempt, cluster.time.now() - begin]);
      if (a.attempt === 1) a.retryAfter("10m");
      if (a.attempt === 2) a.retryAt(new Date(noon));
      if (a.attempt < 4) throw new Error("busy");
      return "done";
    };
    cluster.worker({ activities: [implement(busy, run)], cached: 0 });
    const started = await cluster.client.start(busy, null);
    await cluster.advance("2h");
    expect(await cluster.client.result(started)).toBe("done");
    const [first, second, third, fourth] = attempts;
    expect([first, second, third]).toEqual([
      [1, 0],
      [2, 600_000],
      [3, 3_600_000],
    ]);
    // The policy's own pause again: 4 s, up to 20 % less.
    expect(fourth?.[0]).toBe(4);
    expect((fourth?.[1] ?? 0) - 3_600_000).toBeGreaterThan(3_000);
    expect((fourth?.[1] ?? 0) - 3_600_000).toBeLessThanOrEqual(4_000);
  });

  test("P24 a time that is none fails the step at once", async () => {
    const busy = activity<null, string>("busy", "work");
    cluster.worker({ activities: [implement(busy, (_, a) => (a.retryAt("soon"), ""))] });
    const started = await cluster.client.start(busy, null);
    await expect(cluster.client.result(started)).rejects.toMatchObject({ code: "bad_time" });
  });

  test("P26 code that gives an activity another name or input does not fit its journal, and both sides are named", async () => {
    const told: string[] = [];
    const first = process("drift", { version: 1 }, async (p) => {
      await p.call(render, 1);
      await p.recv("go");
    });
    const other = activity<number, string>("print", "page");
    const codes = [
      [(n: number) => n + 1, render, /"spawn render \(input [0-9a-f]{8}\)".*"spawn render \(input [0-9a-f]{8}\)"/],
      [(n: number) => n, other, /"spawn render".*"spawn print"/],
    ] as const;
    for (const [change, called, message] of codes) {
      const id = String(told.length);
      const before = cluster.worker({ processes: [first], activities: [implement(render, String)] });
      const started = await cluster.client.start(first, null, { id });
      await cluster.advance("2s");
      before.kill();
      const changed = process("drift", { version: 1 }, async (p) => {
        await p.call(called, change(1));
        await p.recv("go");
      });
      const heir = cluster.worker({ processes: [changed], warn: (text) => void told.push(text) });
      await cluster.client.send("go", null, { wait: "1m" });
      await cluster.advance("1m");
      const state = await cluster.client.getState(started.id);
      expect([state.Status, state.PausedReason ?? state.LastError]).toEqual(["paused", expect.stringMatching(message)]);
      heir.kill();
    }
    expect(told.length).toBe(2);
  });
});

test("P17 workers of processes and of activities are apart, and stop on a signal", async () => {
  const render = activity<number, string>("render", "page");
  const book = process("book", { version: 1 }, (p, n: number) => p.call(render, n));
  const [first, second] = [
    cluster.worker({ processes: [book], stopOn: ["SIGUSR2"] }),
    cluster.worker({ activities: [implement(render, (n) => `page ${n}`)], stopOn: ["SIGUSR2"] }),
  ];
  expect(await cluster.client.result(await cluster.client.start(book, 1))).toBe("page 1");
  globalThis.process.emit("SIGUSR2", "SIGUSR2");
  // What lingers for its next result is not cut off.
  await cluster.advance("1m");
  await Promise.all([first.stopped, second.stopped]);
  const { id } = await cluster.client.start(book, 2);
  await cluster.advance("1m");
  expect((await cluster.client.getState(id)).Status).toBe("pending");
});
