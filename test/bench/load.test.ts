import { expect, test } from "vitest";
import { closedLoop, drainMs, openLoop, Samples, type Clock } from "../../scripts/bench/load.js";

/** Time that passes only when everybody waits for it. */
class Time implements Clock {
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  untilMs(atMs: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ atMs, wake }));
  }

  after(ms: number): Promise<void> {
    return this.untilMs(this.#nowMs + ms);
  }

  /** Advances from sleeper to sleeper until `work` is done. */
  async run(work: Promise<void>): Promise<void> {
    let isDone = false;
    const end = work.finally(() => (isDone = true));
    end.catch(() => undefined);
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#sleepers.shift();
      if (next === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
    }
    await end;
  }
}

test("a stall counts for every request that should have begun in it", async () => {
  const time = new Time();
  const samples = new Samples({ fromMs: 0, toMs: 1000 });
  // One connection, 10 requests per second; the third is answered after 450 ms, all others at once.
  const step = async (_: number, __: number, round: number) => {
    if (round === 2) await time.after(450);
    return 1;
  };
  const loop = { connections: [0], workload: { step }, samples, clock: time };
  await time.run(openLoop(loop, { perSecond: 10, startMs: 0 }));
  expect(samples.latenciesMs).toEqual([0, 0, 450, 350, 250, 150, 50, 0, 0, 0]);
  expect(samples.operations).toBe(10);
});

test("the same stall in a closed loop is seen once", async () => {
  const time = new Time();
  const samples = new Samples({ fromMs: 0, toMs: 1000 });
  const step = async (_: number, __: number, round: number) => {
    await time.after(round === 2 ? 450 : 50);
    return 1;
  };
  await time.run(closedLoop({ connections: [0], workload: { step }, samples, clock: time }));
  expect(samples.latenciesMs.filter((ms) => ms > 50)).toEqual([450]);
});

test("what is not answered in the end counts with the time it waited", async () => {
  const time = new Time();
  const samples = new Samples({ fromMs: 0, toMs: 300 });
  const step = () => new Promise<number>(() => undefined);
  const loop = { connections: [0], workload: { step }, samples, clock: time };
  await time.run(openLoop(loop, { perSecond: 10, startMs: 0 }));
  expect(samples.unanswered).toBe(3);
  expect([...samples.latenciesMs].sort((a, b) => a - b)).toEqual([100, 200, 300].map((ms) => ms + drainMs));
});

test("a wrong answer ends an open loop", async () => {
  const time = new Time();
  const samples = new Samples({ fromMs: 0, toMs: 300 });
  const loop = { connections: [0], workload: { step: () => Promise.reject(new Error("wrong")) }, samples, clock: time };
  await expect(time.run(openLoop(loop, { perSecond: 10, startMs: 0 }))).rejects.toThrow("wrong");
});

test("the window counts what ends in it, and the latency of what begins in it", () => {
  const samples = new Samples({ fromMs: 100, toMs: 200 });
  samples.add(90, 110, 1);
  samples.add(150, 160, 4);
  samples.add(190, 230, 1);
  samples.add(150, 160, 0);
  samples.giveUp(90, 500);
  expect(samples.operations).toBe(5);
  expect(samples.latenciesMs).toEqual([10, 40]);
  expect(samples.unanswered).toBe(0);
});

test("an open loop uses all its connections, in turn", async () => {
  const time = new Time();
  const samples = new Samples({ fromMs: 0, toMs: 600 });
  const used: number[] = [];
  const step = (connection: number) => Promise.resolve(used.push(connection) && 1);
  const loop = { connections: [0, 1, 2], workload: { step }, samples, clock: time };
  await time.run(openLoop(loop, { perSecond: 10, startMs: 0 }));
  expect(used).toEqual([0, 1, 2, 0, 1, 2]);
});
