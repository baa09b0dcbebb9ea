/**
 * Rows of processes and their workers that no other test is about.
 */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { charge, subscription, unsubscribe } from "../../../examples/subscription.js";
import { activity, Failure, implement, packed, process, worker, type ActivityContext } from "../../../sdk/sdk.js";
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

describe("from outside", () => {
  const patient = process("patient", { version: 1 }, async (p, n: number) => {
    p.vars["asked"] = n;
    const word = await p.recv<string>(`words-${n}`);
    if (word === "no") throw new Failure("was told no", { code: "refused", details: { n } });
    return word;
  });

  test("P21 a result is awaited by ID: the value, the failure, or that it cannot be told", async () => {
    cluster.worker({ processes: [patient] });
    const [first, second, third] = await Promise.all([1, 2, 3].map((n) => cluster.client.start(patient, n)));
    const value = cluster.client.result(first?.id ?? "");
    const failure = cluster.client.result(second?.id ?? "").then(null, (error: unknown) => error);
    await cluster.client.send("words-1", "yes", { wait: "1m" });
    await cluster.client.send("words-2", "no", { wait: "1m" });
    expect(await value).toBe("yes");
    expect(await failure).toMatchObject({ name: "Failure", code: "refused", details: { n: 2 } });
    const late = cluster.client.result(third?.id ?? "", { wait: "1h" }).then(null, (error: unknown) => error);
    await cluster.advance("1h");
    expect(await late).toMatchObject({ name: "SlctError", code: "not_ready" });
    await expect(cluster.client.result("patient/never")).rejects.toMatchObject({
      name: "SlctError",
      code: "not_found",
    });
  });

  test("P23 events are sent to a process, which awaits one and has a handler for others", async () => {
    const seen: string[] = [];
    const listening = process("listening", { version: 1 }, async (p) => {
      void p.go(async (p) => {
        for await (const note of p.range<string>("notes")) await p.step("note", () => void seen.push(note));
      });
      return p.recv<string>("stop");
    });
    cluster.worker({ processes: [listening] });
    const started = await cluster.client.start(listening, null);
    for (const note of ["a", "b", "c"]) await cluster.client.send("notes", note, { wait: "1m" });
    await cluster.untilQuiescent();
    await cluster.client.send("stop", "enough", { wait: "1m" });
    expect(await cluster.client.result(started)).toBe("enough");
    expect(seen).toEqual(["a", "b", "c"]);
  });

  test("P25 a process has a status, and what happens to it is listed in order", async () => {
    const status = async (id: string) => (await cluster.client.getState(id)).Status;
    const { id } = await cluster.client.start(patient, 1, { id: "1" });
    const statuses = [await status(id)];
    let stop: (() => void) | undefined;
    const busy = process("busy", { version: 1 }, (p) =>
      p.step("work", () => new Promise<void>((resolve) => (stop = resolve))),
    );
    cluster.worker({ processes: [patient, busy] });
    const { id: running } = await cluster.client.start(busy, null);
    await until(() => stop !== undefined);
    statuses.push(await status(running));
    stop?.();
    await cluster.client.result(running);
    statuses.push(await status(id));
    await cluster.client.pauseState(id);
    statuses.push(await status(id));
    await cluster.client.resumeState(id);
    await cluster.client.send("words-1", "yes", { wait: "1m" });
    await cluster.client.result(id);
    statuses.push(await status(id));
    expect(statuses).toEqual(["pending", "running", "waiting", "paused", "done"]);
    const events = (await cluster.client.listEvents({ prefix: "patient/1" })).filter(({ ID }) => ID === id);
    expect(events.map(({ Type }) => Type)).toEqual(
      ["created", "handed_out", "put_back", "paused", "resumed", "handed_out", "put_back"].map((one) => `state.${one}`),
    );
  });
});

describe("P22 a subscription", () => {
  const terms = { price: 10, trial: "7 days", cycle: "30 days", cycles: 4, credit: 20 };
  /** The customer has no money in these cycles. */
  const start = async (customer: string, poor: readonly number[]) => {
    const amounts: number[] = [];
    const pay = ({ amount }: { amount: number }) => !poor.includes(amounts.push(amount));
    cluster.worker({ processes: [subscription], activities: [implement(charge, pay)], cached: 0 });
    const started = await cluster.client.start(subscription, { customer, ...terms });
    const vars = () => cluster.client.vars(started.id);
    return { amounts, vars, result: () => cluster.client.result(started, { wait: 0 }) };
  };

  test("carries over what is overdue, and shows each cycle", async () => {
    const { amounts, vars, result } = await start("ada", [2]);
    await cluster.advance("6 days");
    expect(await vars()).toEqual({ phase: "trial" });
    await cluster.advance("1 day");
    expect(await vars()).toEqual({ phase: "subscribed", cycle: 1, amount: 10, overdue: 0, paid: 10 });
    await cluster.advance("30 days");
    expect(await vars()).toMatchObject({ cycle: 2, amount: 10, overdue: 10, paid: 10 });
    await cluster.advance("30 days");
    expect(await vars()).toMatchObject({ cycle: 3, amount: 20, overdue: 0, paid: 30 });
    await cluster.advance("60 days");
    expect(await result()).toBe("4 cycles, 40 paid");
    expect(amounts).toEqual([10, 10, 20, 10]);
  });

  test("ends when too much is owed, or the customer leaves", async () => {
    const poor = await start("bob", [1, 2, 3]);
    await cluster.advance("70 days");
    expect(await poor.result()).toBe("ended, as 30 are owed");
    await cluster.close();
    cluster = createTestCluster();
    const leaving = await start("eve", []);
    await cluster.advance("40 days");
    await cluster.client.send(unsubscribe("eve"), true, { wait: "1m" });
    await cluster.untilQuiescent();
    expect(await leaving.result()).toBe("left in cycle 2");
  });
});
