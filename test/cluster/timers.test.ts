import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SlctError } from "../../src/errors.js";
import { dueOf, keys } from "../../src/select/keys.js";
import type { Engine } from "./engine.js";
import { open, sleeper, startMs } from "./timers-bench.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "Date"], now: startMs });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a deadline", () => {
  it("is not proposed before it is due, and then once", async () => {
    const { timers, commit, expired, isAwake } = open();
    timers.start();
    await vi.advanceTimersByTimeAsync(0);
    await commit(sleeper("a", startMs + 5000));
    await vi.advanceTimersByTimeAsync(4999);
    expect(expired()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(isAwake("a")).toBe(true);
    await vi.advanceTimersByTimeAsync(5000);
    expect(expired()).toHaveLength(1);
  });

  it("that is disarmed in time is not proposed", async () => {
    const { timers, commit, expired } = open();
    timers.start();
    await commit(sleeper("a", startMs + 5000));
    await commit({ kind: "delete", id: "a", force: true });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(expired()).toEqual([]);
  });

  it("beyond the horizon is found when the horizon reaches it", async () => {
    const { timers, commit, isAwake, world } = open();
    await commit(sleeper("a", startMs + 200_000));
    timers.start();
    await commit(sleeper("b", startMs + 150_000));
    await vi.advanceTimersByTimeAsync(150_000);
    expect([isAwake("a"), isAwake("b")]).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(50_000);
    expect(isAwake("a")).toBe(true);
    expect(world.rangeCalls).toBeLessThan(10);
  });

  it("armed while the store is scanned is not lost", async () => {
    const { timers, commit, isAwake, world } = open();
    let release: () => void = () => undefined;
    world.hold = new Promise((resolve) => (release = resolve));
    timers.start();
    await commit(sleeper("a", startMs + 10));
    release();
    await vi.advanceTimersByTimeAsync(10);
    expect(isAwake("a")).toBe(true);
  });

  it("survives a jump of the wall clock in either direction", async () => {
    const { timers, commit, isAwake } = open();
    timers.start();
    await commit(sleeper("a", startMs + 3_600_000));
    await commit(sleeper("b", startMs + 3_700_000));
    vi.setSystemTime(startMs + 3_600_000);
    await vi.advanceTimersByTimeAsync(2000);
    expect([isAwake("a"), isAwake("b")]).toEqual([true, false]);
    vi.setSystemTime(startMs);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isAwake("b")).toBe(false);
    vi.setSystemTime(startMs + 3_700_000);
    await vi.advanceTimersByTimeAsync(2000);
    expect(isAwake("b")).toBe(true);
  });
});

describe("overdue deadlines", () => {
  /** As many deadlines as two pages and a bit, straight into the records. */
  function backlog(engine: Engine, count: number) {
    for (let n = 0; n < count; n++)
      engine.view.put(keys.deadline(startMs - count + n, n), { kind: "delay", state: "-" });
  }

  it("are proposed in key order, a bounded number at once", async () => {
    const { engine, timers, expired } = open();
    backlog(engine, 10_500);
    timers.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(expired().every(({ length }) => length <= 100)).toBe(true);
    const all = expired().flat();
    expect(all).toHaveLength(10_500);
    expect(all).toEqual([...all].sort());
  });

  it("go into one entry while others are on their way, into another when they have waited, two hundred at once", async () => {
    const { engine, timers, expired } = open();
    timers.start();
    await vi.advanceTimersByTimeAsync(0);
    engine.instant = false;
    const arm = (...dueMs: number[]) => {
      for (const at of dueMs) {
        engine.view.put(keys.deadline(at, at), { kind: "delay", state: "-" });
        timers.onArmed(keys.deadline(at, at));
      }
    };
    const sizes = () => expired().map(({ length }) => length);
    arm(startMs + 1, startMs + 2, startMs + 3, startMs + 4, startMs + 20);
    await vi.advanceTimersByTimeAsync(1);
    expect(sizes()).toEqual([1]);
    await vi.advanceTimersByTimeAsync(10);
    expect(sizes()).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sizes()).toEqual([1, 3]);
    engine.commit();
    await vi.advanceTimersByTimeAsync(8);
    expect(sizes()).toEqual([1, 3, 1]);
    arm(...Array.from({ length: 450 }, (_, n) => startMs - 450 + n));
    await vi.advanceTimersByTimeAsync(5000);
    expect(sizes()).toEqual([1, 3, 1, 100]);
    engine.commit();
    await vi.advanceTimersByTimeAsync(5000);
    expect(sizes()).toEqual([1, 3, 1, 100, 100, 100]);
    engine.commit();
    await vi.advanceTimersByTimeAsync(5000);
    expect(sizes()).toEqual([1, 3, 1, 100, 100, 100, 100, 50]);
  });

  it("of which some were refused are not overtaken by others", async () => {
    const { engine, timers, expired } = open();
    backlog(engine, 650);
    engine.instant = false;
    timers.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(expired()).toHaveLength(2);
    const order = expired().flat();
    expect(order).toEqual([...order].sort());
    // The first is applied and the other one is refused in the same moment.
    const [refused] = engine.queue.splice(1);
    engine.commit();
    refused?.reject(new SlctError("overloaded", "full"));
    await vi.advanceTimersByTimeAsync(500);
    expect(expired()).toHaveLength(2);
    engine.instant = true;
    await vi.advanceTimersByTimeAsync(1000);
    const again = expired().slice(2).flat();
    expect([...order.slice(0, 100), ...again]).toEqual([...new Set([...order, ...again])].sort());
    expect(again).toHaveLength(550);
  });

  it("are not overtaken by one that is armed while the scan runs", async () => {
    const { engine, timers, world, commit, expired } = open();
    backlog(engine, 10_500);
    const releases: (() => void)[] = [];
    const next = () => {
      world.hold = new Promise((resolve) => releases.push(resolve));
    };
    next();
    timers.start();
    await commit(sleeper("late", startMs + 20));
    releases.shift()?.();
    next();
    await vi.advanceTimersByTimeAsync(50);
    expect(expired().flat()).toHaveLength(2500);
    world.hold = undefined;
    releases.shift()?.();
    await vi.advanceTimersByTimeAsync(50);
    const all = expired().flat();
    expect(all).toHaveLength(10_501);
    expect(all).toEqual([...all].sort());
    expect(dueOf(all.at(-1) ?? "")).toBe(startMs + 20);
  });
});

describe("leadership", () => {
  it("that ends stops everything, and begins again from the store", async () => {
    const { timers, commit, expired, isAwake } = open();
    await commit(sleeper("a", startMs + 1000));
    timers.start();
    await vi.advanceTimersByTimeAsync(0);
    timers.stop();
    await commit(sleeper("b", startMs + 500));
    await vi.advanceTimersByTimeAsync(5000);
    expect(expired()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    timers.start();
    await vi.advanceTimersByTimeAsync(1);
    expect([isAwake("a"), isAwake("b")]).toEqual([true, true]);
    expect(expired()).toHaveLength(1);
  });

  it("that ends during a scan or a proposal leaves no timer behind", async () => {
    const { engine, timers, commit, world } = open();
    await commit(sleeper("a", startMs));
    let release: () => void = () => undefined;
    world.hold = new Promise((resolve) => (release = resolve));
    timers.start();
    timers.stop();
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    engine.instant = false;
    timers.start();
    await vi.advanceTimersByTimeAsync(0);
    timers.stop();
    engine.commit();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that cannot commit looks at everything again", async () => {
    const { engine, timers, commit, isAwake } = open();
    await commit(sleeper("a", startMs + 100));
    timers.start();
    engine.outage = new SlctError("overloaded", "full");
    await vi.advanceTimersByTimeAsync(5000);
    engine.outage = undefined;
    await vi.advanceTimersByTimeAsync(1000);
    expect(isAwake("a")).toBe(true);
  });

  it("does not spin while a proposal is on its way", async () => {
    const { engine, timers, commit } = open();
    await commit(sleeper("a", startMs));
    engine.instant = false;
    timers.start();
    await vi.advanceTimersByTimeAsync(0);
    timers.onArmed(keys.deadline(startMs + 1, 1));
    let turns = 0;
    while (Date.now() < startMs + 5000) {
      await vi.advanceTimersToNextTimerAsync();
      turns++;
    }
    expect(turns).toBeLessThan(20);
  });
});
