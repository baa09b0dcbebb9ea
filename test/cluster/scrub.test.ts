import { expect, it } from "vitest";
import { Scrub } from "../../cluster/scrub.js";
import { ManualTime } from "./manual-time.js";

/** A store that takes so long to read at full speed. */
function open(fullMs: number) {
  const time = new ManualTime();
  const passes: { readonly share: number; readonly beganMs: number }[] = [];
  const world = { damaged: false, busyMs: 0 };
  const scrub = new Scrub({
    time,
    verify: ({ share }) => {
      passes.push({ share, beganMs: time.nowMs() });
      world.busyMs += fullMs;
      return new Promise((resolve, reject) => {
        time.after(fullMs / share, () => (world.damaged ? reject(new Error("damaged")) : resolve()));
      });
    },
  });
  return { time, passes, scrub, world };
}

it("reads a small store whole every minute, with a share too small to feel", async () => {
  const { time, passes, world } = open(100);
  await time.pass(600_000);
  const gaps = passes.slice(1).map(({ beganMs }, n) => beganMs - (passes[n]?.beganMs ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(60_000);
  expect(world.busyMs / 600_000).toBeLessThan(0.005);
});

it("takes no more than half a percent of the time for a large one", async () => {
  const { time, passes, world } = open(60_000);
  await time.pass(3_600_000);
  expect(passes.every(({ share }) => share <= 0.005)).toBe(true);
  expect(world.busyMs / 3_600_000).toBeLessThan(0.02);
});

it("ends with the store", async () => {
  const { time, passes, scrub, world } = open(10);
  world.damaged = true;
  await time.pass(100_000);
  expect([passes.length, time.timers]).toEqual([1, 0]);
  scrub.close();
  const second = open(10);
  await second.time.pass(1000);
  second.scrub.close();
  expect(second.time.timers).toBe(0);
});
