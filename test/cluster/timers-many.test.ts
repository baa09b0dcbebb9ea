import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "../../src/select/keys.js";
import { open, startMs } from "./timers-bench.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "Date"], now: startMs });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("more deadlines than are kept in memory", () => {
  const many = 45_000;
  const keyOf = (n: number) => keys.deadline(startMs + 1000 + Math.floor(n / 10), n);
  const arm = ({ engine, timers }: ReturnType<typeof open>, from: number, to: number) => {
    // The latest first: who comes later may be due earlier.
    for (let n = to - 1; n >= from; n--) {
      engine.view.put(keyOf(n), { kind: "delay", state: "-" });
      timers.onArmed(keyOf(n));
    }
  };
  const all = Array.from({ length: many }, (_, n) => keyOf(n));

  it("are proposed in order, each once, whether they were armed or found", async () => {
    const world = open();
    world.timers.start();
    await vi.advanceTimersByTimeAsync(0);
    const before = world.world.rangeCalls;
    arm(world, 0, many);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(world.expired().flat()).toEqual(all);
    expect(world.world.rangeCalls).toBeGreaterThan(before);
  });

  it("are all found by a leader that comes later, and by one that reads while more are armed", async () => {
    const world = open();
    arm(world, 20_000, many);
    world.timers.start();
    await vi.advanceTimersByTimeAsync(0);
    arm(world, 0, 20_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(world.expired().flat()).toEqual(all);
  });

  it("are found again after a read that failed", async () => {
    const world = open();
    arm(world, 0, 3000);
    world.world.hold = Promise.reject(new Error("no"));
    world.world.hold.catch(() => undefined);
    world.timers.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(world.errors).toHaveLength(1);
    world.world.hold = undefined;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(world.expired().flat()).toEqual(all.slice(0, 3000));
  });
});
