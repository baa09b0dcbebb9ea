import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Timers } from "../../cluster/timers.js";
import { SlctError } from "../../src/errors.js";
import { dueOf, keys } from "../../src/select/keys.js";
import type { Command } from "../../src/select/command.js";
import type { State } from "../../src/select/types.js";
import { Engine } from "./engine.js";

const startMs = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "Date"], now: startMs });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A state with one select that waits for a time. */
const sleeper = (id: string, deadlineMs: number): Command => ({
  ...{ kind: "put", id, digest: id },
  selects: [{ id: "1", choice: "random", cases: [{ op: "time", form: { kind: "at" }, deadlineMs }] }],
});

/** Log time is the stamp of the wall clock, as the leader's intake makes it; `behindMs` sets it back. */
function open() {
  const engine = new Engine();
  const world = { behindMs: 0, rangeCalls: 0, hold: undefined as Promise<void> | undefined };
  const errors: unknown[] = [];
  const commit = (command: Command) => {
    engine.nowMs = Math.max(engine.nowMs, Date.now() - world.behindMs);
    return engine.submit(command);
  };
  const timers = new Timers({
    store: {
      get: (key) => engine.get(key),
      range: async (options) => {
        world.rangeCalls++;
        const page = engine.range(options);
        await world.hold;
        return page;
      },
    },
    submit: commit,
    clock: () => Date.now(),
    observeLateness: (seconds) => expect(seconds).toBeGreaterThanOrEqual(0),
    onError: (error) => errors.push(error),
  });
  engine.listen(({ effects }) => {
    for (const effect of effects) if (effect.kind === "armed") timers.onArmed(effect.key);
  });
  const expired = () => engine.commands.flatMap((command) => (command.kind === "expire" ? [command.keys] : []));
  const isAwake = (id: string) => (engine.get(keys.state(id)) as State).status === "pending";
  return { engine, timers, world, commit, expired, isAwake, errors };
}

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

  it("survives a wall clock that steps back before the stamp", async () => {
    const { timers, commit, isAwake, world, expired } = open();
    timers.start();
    await commit(sleeper("a", startMs + 1000));
    world.behindMs = 300;
    await vi.advanceTimersByTimeAsync(1000);
    expect(isAwake("a")).toBe(false);
    world.behindMs = 0;
    await vi.advanceTimersByTimeAsync(1000);
    expect(isAwake("a")).toBe(true);
    expect(expired().length).toBeGreaterThan(1);
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
