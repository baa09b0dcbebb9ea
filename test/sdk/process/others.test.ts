/**
 * What a process has to do with others: its threads, other processes, promises.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Failure, process, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { start as startIn, type Running } from "./running.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster({ seed: 3 });
});
afterEach(() => cluster.close());

/** Warnings are failures here; a process has run as far as it can. */
async function start<T>(run: (p: ProcessContext) => Promise<T>): Promise<Running<T>> {
  const running = await startIn(cluster, run, { warn: fail });
  await cluster.untilQuiescent();
  return running;
}

function fail(message: string): never {
  throw new Error(message);
}

describe("threads", () => {
  test("run beside each other and may be awaited", async () => {
    const { result } = await start(async (p) => {
      const slow = p.go(async (p) => (await p.sleep("2s"), "slow"));
      const quick = p.go(async (p) => (await p.sleep("1s"), "quick"));
      return [await quick, p.now(), await slow, p.now()];
    });
    const begin = cluster.time.now();
    await cluster.advance("2s");
    expect(await result()).toEqual(["quick", begin + 1000, "slow", begin + 2000]);
  });

  test("end with the process", async () => {
    const { id, result } = await start(async (p) => {
      void p.go(async (p) => p.recv("never"));
      await p.sleep("1s");
    });
    await cluster.advance("1s");
    await result();
    expect(await cluster.client.getState(id)).toMatchObject({ Status: "done", Selects: [] });
    await expect(cluster.client.getChannel("never")).rejects.toMatchObject({ code: "not_found" });
  });

  test("an error that nobody awaits ends the process", async () => {
    const { result } = await start(async (p) => {
      void p.go(async (p) => {
        await p.sleep("1s");
        throw new Failure("broken", { code: "thread" });
      });
      await p.recv("never");
    });
    await cluster.advance("1s");
    await expect(result()).rejects.toMatchObject({ code: "thread", message: "broken" });
  });

  test("an error that is awaited is the awaiter's", async () => {
    const { result } = await start(async (p) => {
      const thread = p.go(async (p): Promise<string> => {
        await p.sleep("1s");
        throw new Failure("broken");
      });
      return thread.then(
        () => "fine",
        (error: Error) => `caught: ${error.message}`,
      );
    });
    await cluster.advance("1s");
    expect(await result()).toBe("caught: broken");
  });
});

describe("other processes", () => {
  const double = process("double", { version: 1 }, async (p, n: number) => {
    await p.sleep("1s");
    if (n < 0) throw new Failure("negative", { code: "negative", details: { n } });
    return n * 2;
  });

  test("R26 P15 are called, and their failures thrown", async () => {
    cluster.worker({ processes: [double] });
    const { result } = await start(async (p) => {
      const calls = [p.call(double, 1), p.call(double, 2)];
      const failed = await p
        .call(double, -1)
        .then(null, (error: Failure) => [error.code, error.message, error.details]);
      return [await calls[0], await calls[1], failed];
    });
    await cluster.advance("1s");
    expect(await result()).toEqual([2, 4, ["negative", "negative", { n: -1 }]]);
  });

  test("are raced against time", async () => {
    cluster.worker({ processes: [double] });
    const { result } = await start(async (p) => {
      const quick = await p.select({ done: p.call(double, 4), late: p.after("2s") });
      const slow = await p.select({ done: p.call(double, 4), late: p.after("500ms") });
      return [quick.tag === "done" && quick.ok && quick.value, slow.tag];
    });
    await cluster.advance("2s");
    expect(await result()).toEqual([8, "late"]);
  });

  test("R7 are the same one under the same key, and started once", async () => {
    cluster.worker({ processes: [double] });
    const { result } = await start(async (p) => {
      const first = p.spawn(double, 5, { id: "five" });
      const second = p.spawn(double, 6, { id: "five" });
      return [first.id, await first.result, await second.result, await p.result<number>("double/five")];
    });
    await cluster.advance("1s");
    expect(await result()).toEqual(["double/five", 10, 10, 10]);
    expect((await cluster.client.listStates({ prefix: "double/" })).States.length).toBe(1);
  });
});

describe("promises", () => {
  test("R12 R15 are settled by whoever knows their ID, before or after they are awaited", async () => {
    const { id, result } = await start(async (p) => {
      const [kept, broken, own] = [p.promise<number>(), p.promise(), p.promise<string>()];
      p.vars["kept"] = kept.id;
      p.vars["broken"] = broken.id;
      p.resolve(own.id, "mine");
      await p.recv("go");
      const reason = await broken.then(null, (error: Failure) => error.code);
      return [await kept, reason, await own];
    });
    const vars = await cluster.client.vars(id);
    expect(vars["kept"]).toMatch(/^test\/1\/p\/1\/[0-9a-f]{32}$/);
    await cluster.client.resolve(vars["kept"] as string, 42);
    await expect(cluster.client.resolve(vars["kept"] as string, 43)).rejects.toMatchObject({ code: "closed" });
    await cluster.client.send("go", null);
    await cluster.client.reject(vars["broken"] as string, new Failure("no", { code: "refused" }));
    expect(await result()).toEqual([42, "refused", "mine"]);
  });

  test("that are settled in a way of their own are broken", async () => {
    const { id, result } = await start(async (p) => {
      const promise = p.promise();
      p.vars["id"] = promise.id;
      const r = await p.select({ promise });
      return r.ok ? "kept" : r.error.code;
    });
    await cluster.client.closeChannel((await cluster.client.vars(id))["id"] as string, 7);
    expect(await result()).toBe("bad_promise");
  });
});
