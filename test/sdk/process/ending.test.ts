/**
 * Loops, cancellation, undoing: how parts of a process end, and the process itself.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunningData } from "../../../sdk/client/process-data.js";
import { Failure, process, type ProcessContext } from "../../../sdk/sdk.js";
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

describe("loops", () => {
  test("keep what the body returns, and only that", async () => {
    const { id, result } = await start((p) =>
      p.loop({ n: 0, sum: 0 }, async ({ n, sum }, p) => {
        if (n === 3) return p.done(sum);
        const value = await p.recv<number>("numbers");
        return { n: n + 1, sum: sum + (await p.step("add", () => value)) };
      }),
    );
    for (const n of [1, 2]) await cluster.client.send("numbers", n, { wait: "1s" });
    await cluster.untilQuiescent();
    const data = await dataOf(id);
    expect(data.loops).toEqual({ "1": { n: 2, carry: { n: 2, sum: 3 } } });
    expect(data.journal.map(({ op }) => op)).toEqual(["start"]);
    await cluster.client.send("numbers", 3);
    expect(await result()).toBe(6);
  });

  test("may stand in loops and be followed by more", async () => {
    const { result } = await start(async (p) => {
      const sums = await p.loop<number[], number[]>([], async (sums, p) => {
        if (sums.length === 2) return p.done(sums);
        const sum = await p.loop({ n: 0 }, async ({ n }, p) => {
          await p.sleep("1s");
          return n === 2 ? p.done(n + sums.length) : { n: n + 1 };
        });
        return [...sums, sum];
      });
      const last = await p.step("last", () => 7);
      return [...sums, last];
    });
    await cluster.advance("10s");
    expect(await result()).toEqual([2, 3, 7]);
  });

  test("end by what their body throws", async () => {
    const { result } = await start((p) =>
      p
        .loop(0, async (_, p): Promise<number> => {
          await p.sleep("1s");
          throw new Failure("enough", { code: "stop" });
        })
        .then(null, async (error: Failure) => (await p.sleep("1s"), error.code)),
    );
    await cluster.advance("2s");
    expect(await result()).toBe("stop");
  });

  test("leave nothing behind of an iteration that is over", async () => {
    const { id, result } = await start((p) =>
      p.loop(0, async (n, p) => {
        void p.go((p) => p.recv(`side-${n}`));
        await p.recv("next");
        return n + 1;
      }),
    );
    for (let n = 0; n < 3; n++) await cluster.client.send("next", n, { wait: "1s" });
    await cluster.untilQuiescent();
    const { Selects } = await cluster.client.getState(id);
    expect(Selects.flatMap(({ Cases }) => Cases.map(({ Chan }) => Chan))).toEqual(["test/1/cancel", "side-3", "next"]);
    await cluster.client.cancel(id);
    await expect(result()).rejects.toMatchObject({ code: "cancelled" });
  });

  test("beside a loop nothing may be asked for but by a thread", async () => {
    const { id } = await start(async (p) => {
      void p.loop(0, async (n, inner) => {
        await inner.sleep("1s");
        await p.sleep("1s");
        return n;
      });
      await p.recv("never");
    });
    await expect(cluster.client.result(id)).rejects.toMatchObject({ code: "not_durable" });
  });
});

describe("cancellation", () => {
  test("interrupts what is waited for; cleaning up may wait again", async () => {
    const undone: string[] = [];
    const { id, result } = await start(async (p) => {
      p.defer(async () => void undone.push(await p.step("undo first", () => "first")));
      p.defer(async () => {
        await p.sleep("1s");
        undone.push(await p.step("undo second", () => "second"));
      });
      try {
        await p.recv("never");
      } finally {
        undone.push(p.signal.aborted ? "aborted" : "not aborted");
      }
    });
    await cluster.untilQuiescent();
    expect(await cluster.client.cancel(id, "too expensive")).toBe(true);
    expect(await cluster.client.cancel(id)).toBe(false);
    await cluster.advance("1s");
    await expect(result()).rejects.toMatchObject({
      code: "cancelled",
      message: "too expensive",
      details: "too expensive",
    });
    // Without anything in memory the code has run twice up to its sleep.
    expect(undone).toEqual(["aborted", "aborted", "second", "first"]);
  });

  test("reaches a running step at once", async () => {
    let running = false;
    const { id, result } = await start(
      (p) =>
        p.step("endless", ({ signal }) => {
          running = true;
          return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
        }),
      { newsAfter: 0 },
    );
    await until(() => running);
    await cluster.client.cancel(id);
    await expect(result()).rejects.toMatchObject({ message: "stopped" });
  });

  test("in a loop interrupts the iteration that it meets, and none after it", async () => {
    const { id, result } = await start((p) => {
      const beside = p.go((p) => p.recv("never").then(null, (error: Failure) => error.code));
      return p.loop<string[], string[]>([], async (seen, p) => {
        const aborted = p.signal.aborted;
        if (seen.length === 4) return p.done([...seen, (await beside) as string]);
        try {
          await p.sleep("1s");
          return [...seen, aborted ? "slept late" : "slept"];
        } catch (error) {
          return [...seen, (error as Failure).code];
        }
      });
    });
    await cluster.advance("1500ms");
    await cluster.client.cancel(id);
    await cluster.advance("10s");
    expect(await result()).toEqual(["slept", "cancelled", "slept late", "slept late", "cancelled"]);
  });

  test("before the start ends it unrun", async () => {
    let runs = 0;
    const later = process("later", { version: 1 }, () => Promise.resolve(++runs));
    cluster.worker({ processes: [later] });
    const started = await cluster.client.start(later, null, { startAt: cluster.time.now() + 60_000 });
    await cluster.client.cancel(started.id);
    await expect(cluster.client.result(started)).rejects.toMatchObject({ code: "cancelled" });
    await cluster.advance("1h");
    expect(runs).toBe(0);
  });

  test("loses no value that was received before it", async () => {
    const seen: unknown[] = [];
    const definition = process("test", { version: 1 }, async (p) => {
      seen.push(await p.recv("jobs"));
      await p.recv("jobs");
    });
    const started = await cluster.client.start(definition, null, { id: "1" });
    const worker = cluster.worker({ processes: [definition], cached: 0 });
    await cluster.untilQuiescent();
    const stopped = worker.stop();
    // Its put-back still waits for the next result.
    await cluster.advance("1s");
    await stopped;
    await cluster.client.cancel(started.id);
    await cluster.client.send("jobs", "first");
    cluster.worker({ processes: [definition] });
    await expect(cluster.client.result(started)).rejects.toMatchObject({ code: "cancelled" });
    expect(seen).toEqual(["first"]);
  });

  test("of a child by its parent", async () => {
    const child = process("child", { version: 1 }, (p) => p.recv("never"));
    cluster.worker({ processes: [child] });
    const { result } = await start(async (p) => {
      const { id, result } = p.spawn(child, null);
      await p.sleep("1s");
      p.cancel(id, "not needed");
      return result.then(
        () => "done",
        (error: Failure) => error.message,
      );
    });
    await cluster.advance("1s");
    expect(await result()).toBe("not needed");
  });
});

describe("undoing", () => {
  test("happens in reverse order when the process fails, and its own errors are told", async () => {
    const undone: number[] = [];
    const { result } = await start(async (p) => {
      for (const n of [1, 2, 3]) {
        await p.step(`do ${n}`, () => n);
        p.defer(async () => {
          undone.push(await p.step(`undo ${n}`, () => n));
          if (n === 2) throw new Error("stuck");
        });
      }
      throw new Failure("sold out", { code: "sold_out" });
    });
    await expect(result()).rejects.toMatchObject({ code: "sold_out", message: "sold out; undoing it: stuck" });
    expect(undone).toEqual([3, 2, 1]);
  });

  test("does not happen when it succeeds, and not in loops", async () => {
    let undone = 0;
    const { result } = await start(async (p) => {
      p.defer(() => Promise.resolve(void undone++));
      return p
        .loop(0, (_, p) => {
          p.defer(() => Promise.resolve());
          return Promise.resolve(p.done());
        })
        .then(null, (error: Failure) => error.code);
    });
    expect(await result()).toBe("not_durable");
    expect(undone).toBe(0);
  });
});
