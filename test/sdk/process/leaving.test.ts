/**
 * What a process leaves behind: tasks that nobody awaits any more, records of channels that nobody will close again.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { activity, collector, implement, process } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

const slow = activity<number, string>("slow", "never-done");

describe("an activity that was called in a loop and not awaited", () => {
  async function statuses(): Promise<string[]> {
    const { States } = await cluster.client.listStates({ prefix: "slow/" });
    return States.map(({ Status }) => Status);
  }

  test.each([{ cached: 0 }, { cached: 10 }])(
    "is cancelled when its iteration ends (kept in memory: $cached)",
    async (kept) => {
      cluster.worker({ activities: [implement(slow, (_, a) => a.pending())] });
      const caller = process("caller", { version: 1 }, async (p) => {
        await p.loop(0, async (n, p) => {
          if (n === 2) return p.done();
          const r = await p.select({ done: p.call(slow, n), late: p.after("1m") });
          expect(r.tag).toBe("late");
          return n + 1;
        });
        await p.sleep("1h");
      });
      cluster.worker({ processes: [caller], ...kept });
      const started = await cluster.client.start(caller, null);
      await cluster.untilQuiescent();
      expect(await statuses()).toEqual(["waiting"]);
      await cluster.advance("1m");
      expect((await statuses()).sort()).toEqual(["done", "waiting"]);
      await cluster.advance("1m");
      expect(await statuses()).toEqual(["done", "done"]);
      await cluster.advance("1h");
      await cluster.client.result(started);
    },
  );

  test("is cancelled as well when the loop ends by an error, and one that was awaited is not", async () => {
    const tokens: string[] = [];
    cluster.worker({ activities: [implement(slow, (_, a) => (tokens.push(a.token), a.pending()))] });
    const caller = process("caller", { version: 1 }, async (p) => {
      const failed = p.loop(0, async (_, p): Promise<number> => {
        const first = p.call(slow, 1);
        void p.call(slow, 2);
        await first;
        throw new Error("enough");
      });
      await failed.then(null, () => p.sleep("1h"));
    });
    cluster.worker({ processes: [caller], cached: 0 });
    await cluster.client.start(caller, null, { id: "1" });
    await cluster.untilQuiescent();
    await cluster.client.resolve(tokens[0] as string, "done");
    await cluster.untilQuiescent();
    expect(await statuses()).toEqual(["done", "done"]);
    const { Channels } = await cluster.client.listChannels({ prefix: "slow/" });
    expect(Channels.filter(({ Chan }) => Chan.endsWith("/cancel")).length).toBe(1);
  });
});

describe("channels of processes that are forgotten", () => {
  const quick = process("quick", { version: 1 }, async (p, how: string) => {
    const [promise, buffered] = [p.promise(), p.chan(3)];
    p.resolve(promise.id, how);
    p.make("of-somebody-else", 1);
    await p.send(buffered, how);
    await p.recv(buffered);
    await p.recv("quick-go");
    return promise;
  });
  const names = async () => (await cluster.client.listChannels()).Channels.map(({ Chan }) => Chan);

  test("are deleted with the last that could ask for them, and not before", async () => {
    const collecting = collector(cluster.client);
    cluster.worker({ processes: [quick, collecting] });
    await cluster.client.start(collecting, ["quick"], { id: "1" });
    const done = await cluster.client.start(quick, "done", { id: "a/b" });
    const waits = await cluster.client.start(quick, "waits", { id: "c" });
    await cluster.client.send("quick-go", 1, { wait: "1s" });
    expect(await cluster.client.result(done)).toBe("done");
    await cluster.advance("1 day");
    expect(await names()).toEqual(expect.arrayContaining(["quick/a/b/result", "quick/a/b/c/2"]));
    // Retention of the service: seven days.
    await cluster.advance("8 days");
    expect(await cluster.client.hasState(done.id)).toBe(false);
    const left = await names();
    expect(left.filter((name) => name.startsWith("quick/a"))).toEqual([]);
    expect(left).toEqual(expect.arrayContaining(["of-somebody-else", "quick/c/c/2", "quick/c/cancel"]));
    expect(await cluster.client.vars("collector/1")).toEqual({ deleted: 3 });
    await cluster.client.cancel(waits.id);
  });

  test("so that another process may begin under the same ID", async () => {
    cluster.worker({ processes: [quick] });
    const first = await cluster.client.start(quick, "first", { id: "a" });
    await cluster.untilQuiescent();
    await cluster.client.cancel(first.id);
    await cluster.advance("8 days");
    expect(await cluster.client.collect("quick")).toBe(4);
    const second = await cluster.client.start(quick, "second", { id: "a" });
    await cluster.client.send("quick-go", 1, { wait: "1s" });
    expect(await cluster.client.result(second)).toBe("second");
  });
});
