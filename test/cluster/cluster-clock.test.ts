import { describe, expect, it } from "vitest";
import { ClusterClock, skewMsMax } from "../../cluster/cluster-clock.js";

const startMs = 1_700_000_000_000;
const hourMs = 3_600_000;

/** True time passes for all; each node's wall clock is off by what the test says. */
function open(others: readonly string[]) {
  const world = { trueMs: startMs, offMs: 0 };
  const time = { wallMs: () => Math.floor(world.trueMs + world.offMs), nowMs: () => world.trueMs - startMs };
  const clock = new ClusterClock({ time, others: () => others });
  const hear = (id: string, offMs = 0, transitMs = 0) => clock.heard(id, world.trueMs + offMs - transitMs);
  const offBy = () => clock.nowMs() - world.trueMs;
  return { world, clock, hear, offBy };
}

describe("the stamp", () => {
  it("is the wall clock while that agrees with the others", () => {
    const { world, hear, offBy } = open(["n2", "n3"]);
    world.offMs = 40;
    hear("n2", -30);
    hear("n3", 10);
    expect(offBy()).toBe(40);
  });

  it("N10 never goes back: a new leader whose clock is an hour behind goes on where the log stands", () => {
    const { world, clock, hear, offBy } = open(["n2", "n3"]);
    clock.advance(startMs - 10);
    hear("n2");
    hear("n3");
    world.offMs = -hourMs;
    expect(offBy()).toBe(-10);
    world.trueMs += 10_000;
    // Not an hour late, but no more than the bound.
    expect(offBy()).toBe(-skewMsMax);
    const stamps = Array.from({ length: 100 }, (_, n) => {
      world.offMs = n % 2 === 0 ? -hourMs : hourMs;
      world.trueMs += 1;
      return clock.nowMs();
    });
    expect(stamps).toEqual([...stamps].sort((a, b) => a - b));
  });

  it("N11 of a leader whose clock jumps an hour ahead is early by the bound and no more", () => {
    const { world, hear, offBy } = open(["n2", "n3"]);
    hear("n2", 5);
    hear("n3", -5);
    expect(offBy()).toBe(0);
    world.offMs = hourMs;
    expect(offBy()).toBe(skewMsMax + 5);
    world.trueMs += hourMs / 2;
    hear("n2", 5);
    hear("n3", -5);
    expect(offBy()).toBe(skewMsMax + 5);
  });

  it("follows when the clocks of most others step as well", () => {
    const { world, hear, offBy } = open(["n2", "n3"]);
    hear("n2");
    hear("n3");
    world.offMs = hourMs;
    expect(offBy()).toBe(skewMsMax);
    hear("n2", hourMs);
    expect(offBy()).toBe(hourMs);
  });

  it("is early by no more than the bound if one of two clocks is ahead, whichever it is", () => {
    const own = open(["n2", "n3"]);
    own.hear("n2");
    own.world.offMs = hourMs;
    expect(own.offBy()).toBe(skewMsMax);
    const other = open(["n2", "n3"]);
    other.hear("n2", hourMs);
    expect(other.offBy()).toBe(0);
  });

  it("goes by what a silent member said for an hour, then no longer", () => {
    const { world, hear, offBy } = open(["n2", "n3"]);
    hear("n2");
    hear("n3");
    world.offMs = -hourMs;
    world.trueMs += hourMs - 1000;
    hear("n2");
    expect(offBy()).toBe(-skewMsMax);
    world.trueMs += 2000;
    hear("n2", -hourMs);
    // Time stands still: what was heard of n3 does not count any more, and two clocks are an hour behind.
    expect(offBy()).toBe(-skewMsMax - 2000);
  });

  it("does not take what was late on its way for a clock that is behind", () => {
    const { world, hear, offBy } = open(["n2", "n3"]);
    for (const transitMs of [2, 900, 1200, 700]) {
      world.trueMs += 1000;
      hear("n2", 0, transitMs);
      hear("n3", 0, transitMs);
    }
    expect(offBy()).toBe(0);
  });

  it("counts members only, and is the wall clock of one that is alone", () => {
    const { world, hear, offBy } = open([]);
    hear("n2");
    hear("n3");
    world.offMs = hourMs;
    expect(offBy()).toBe(hourMs);
  });

  it("L16 of a node that boots with a clock earlier than its last stamp does not go back", () => {
    const { world, clock, offBy } = open([]);
    clock.advance(startMs);
    world.offMs = -hourMs;
    expect(offBy()).toBe(0);
    world.trueMs += 5000;
    expect(offBy()).toBe(-5000);
    expect(clock.aheadMs()).toBe(hourMs - 5000);
    world.trueMs += hourMs;
    expect(offBy()).toBe(-hourMs);
    expect(clock.aheadMs()).toBe(0);
  });
});

it("tells how far the wall clock is from the middle one", () => {
  const { world, clock, hear } = open(["n2", "n3"]);
  hear("n2", 20);
  hear("n3", -20);
  expect(clock.skewMs()).toBe(0);
  world.offMs = -hourMs;
  expect(clock.skewMs()).toBe(-hourMs + 20);
});
