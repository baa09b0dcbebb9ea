/**
 * What a process waits for: selects, channels, timers.
 */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { channel, otherwise, recv, type StandardSchema } from "../../../sdk/client.js";
import { process, type ProcessContext } from "../../../sdk/sdk.js";
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

describe("select", () => {
  test("gives the case that fired, by its name and with its type", async () => {
    const paid = channel<{ amount: number }>("paid");
    const { result } = await start(async (p) => {
      const r = await p.select({ paid: p.recv(paid), offer: p.send("offers", 1), late: p.after("24h") });
      expectTypeOf(r.tag).toEqualTypeOf<"paid" | "offer" | "late">();
      switch (r.tag) {
        case "paid":
          if (r.ok) expectTypeOf(r.value).toEqualTypeOf<{ amount: number }>();
          return r.ok ? r.value.amount : "closed";
        case "offer":
          return "offered";
        case "late":
          expectTypeOf(r.at).toEqualTypeOf<number>();
          return "late";
      }
    });
    await cluster.client.send(paid, { amount: 30 });
    expect(await result()).toBe(30);
    await expect(cluster.client.recv("offers")).rejects.toMatchObject({ code: "not_ready" });
  });

  test("mixes cases made by p with cases made outside, a default among them", async () => {
    const { result } = await start(
      async (p) => (await p.select({ a: recv("a"), b: p.recv("b"), no: otherwise() })).tag,
    );
    expect(await result()).toBe("no");
  });

  test("in order, if asked for", async () => {
    await cluster.client.makeChannel("a", 20);
    await cluster.client.makeChannel("b", 20);
    for (let n = 0; n < 20; n++) await cluster.client.send("a", n);
    for (let n = 0; n < 20; n++) await cluster.client.send("b", n);
    const { result } = await start(async (p) => {
      const tags = [];
      for (let n = 0; n < 10; n++)
        tags.push((await p.select({ b: p.recv("b"), a: p.recv("a") }, { choice: "order" })).tag);
      for (let n = 0; n < 10; n++) tags.push((await p.select({ b: p.recv("b"), a: p.recv("a") })).tag);
      return tags.join("");
    });
    expect(await result()).toMatch(/^b{10}(?=.*a)(?=.*b)[ab]{10}$/);
  });
});

describe("channels", () => {
  test("a receive alone gives the value, and throws on a closed channel", async () => {
    const { result } = await start(async (p) => {
      const value = await p.recv("jobs");
      const error = await p.recv("jobs").then(null, (thrown: unknown) => thrown as { code: string });
      return [value, (error as { code: string }).code];
    });
    await cluster.client.send("jobs", { n: 1 });
    await cluster.client.closeChannel("jobs");
    expect(await result()).toEqual([{ n: 1 }, "closed"]);
  });

  test("a range ends when the channel is closed and drained", async () => {
    const { result } = await start(async (p) => {
      const seen = [];
      for await (const value of p.range(channel<number>("jobs"))) seen.push(value);
      return seen;
    });
    for (const n of [1, 2, 3]) await cluster.client.send("jobs", n, { wait: "1s" });
    await cluster.client.closeChannel("jobs");
    expect(await result()).toEqual([1, 2, 3]);
  });

  test("a send waits for its receiver, and throws on a closed channel", async () => {
    const { result } = await start(async (p) => {
      await p.send("out", "first");
      return p.send("out", "second").then(
        () => "sent",
        (error: { code: string }) => error.code,
      );
    });
    expect(await cluster.client.recv("out")).toEqual({ ok: true, value: "first" });
    await cluster.untilQuiescent();
    await cluster.client.closeChannel("out");
    expect(await result()).toBe("closed");
  });

  test("two threads of one process meet on a channel of their own", async () => {
    const { result } = await start(async (p) => {
      const chan = p.chan<number>();
      const sum = p.go(async (p) => (await p.recv(chan)) + (await p.recv(chan)));
      await p.send(chan, 1);
      await p.send(chan, 2);
      return sum;
    });
    expect(await result()).toBe(3);
  });

  test("a buffered one takes values without a receiver", async () => {
    const { result } = await start(async (p) => {
      const chan = p.chan<number>(2);
      await p.send(chan, 1);
      await p.send(chan, 2);
      return [await p.recv(chan), await p.recv(chan), chan.name];
    });
    expect(await result()).toEqual([1, 2, "test/1/c/1"]);
  });

  test("close gives its value to whoever waits; the second close throws where it was asked for", async () => {
    const waiting = cluster.client.recv("gate", { wait: "1m" });
    const { result } = await start(async (p) => {
      p.close("gate", "open");
      await p.sleep("1s");
      let code = "";
      try {
        p.close("gate", "again");
      } catch (error) {
        code = (error as { code: string }).code;
      }
      return [code, await p.step("after", () => "went on")];
    });
    expect(await waiting).toEqual({ ok: false, closed: true, value: "open" });
    await cluster.advance("1s");
    expect(await result()).toEqual(["closed", "went on"]);
  });

  test("make is fine for what is there already, though others wait there", async () => {
    await cluster.client.makeChannel("places", 1);
    await cluster.client.send("places", "first");
    const waiting = cluster.client.send("places", "second", { wait: "1h" });
    await cluster.untilQuiescent();
    await cluster.client.makeChannel("places", 1);
    await expect(cluster.client.makeChannel("places", 2)).rejects.toMatchObject({ code: "exists" });
    const { result } = await start(async (p) => {
      p.make("places", 1);
      const seen = [await p.recv("places"), await p.recv("places")];
      return seen;
    });
    expect(await result()).toEqual(["first", "second"]);
    await waiting;
  });

  test("make is refused with another size, where it was asked for", async () => {
    await cluster.client.makeChannel("sized", 3);
    const { result } = await start(async (p) => {
      p.make("sized", 3);
      try {
        p.make("sized", 4);
        await p.sleep("1s");
        return "made";
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(await result()).toBe("exists");
  });

  test("values are checked on both sides", async () => {
    const even = channel("even", evenNumber);
    const { result } = await start(async (p) => {
      const codes = [];
      for (const attempt of [() => p.send(even, 3), () => p.recv(even)]) {
        try {
          await attempt();
        } catch (error) {
          codes.push((error as { code: string }).code, (error as Error).message);
        }
      }
      return codes;
    });
    await cluster.client.send("even", 5);
    expect(await result()).toEqual([
      "invalid_value",
      "a value of channel even: odd",
      "invalid_value",
      "a value of channel even: odd",
    ]);
  });
});

const evenNumber: StandardSchema<number> = {
  "~standard": {
    ...{ version: 1, vendor: "test" },
    validate: (value) => (Number(value) % 2 === 0 ? { value: Number(value) } : { issues: [{ message: "odd" }] }),
  },
};

describe("time", () => {
  test("R16 P12 P14 a sleep ends after its time and not before; now is when it fired", async () => {
    const { id, result } = await start(async (p) => {
      const begin = p.now();
      await p.sleep("3 days");
      return p.now() - begin;
    });
    await cluster.advance("2 days 23h 59m 59s 999ms");
    expect((await cluster.client.getState(id)).Status).toBe("waiting");
    await cluster.advance("1ms");
    expect(await result()).toBe(3 * 86_400_000);
  });

  test("P14 at a point in time", async () => {
    const noon = new Date(cluster.time.now() + 3_600_000);
    const { result } = await start(async (p) => {
      await p.at(noon);
      return p.now();
    });
    await cluster.advance("1h");
    expect(await result()).toBe(noon.getTime());
  });

  test("P19 a start in the future", async () => {
    const later = process("later", { version: 1 }, (p) => Promise.resolve(p.info.startedAt));
    cluster.worker({ processes: [later] });
    const startAt = cluster.time.now() + 60_000;
    const started = await cluster.client.start(later, null, { startAt });
    await cluster.advance("1h");
    expect(await cluster.client.result(started)).toBe(startAt);
  });
});
