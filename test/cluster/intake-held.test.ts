import { describe, expect, it } from "vitest";
import { forward, heldTicks, open } from "./intake-bench.js";

describe("while the records are behind", () => {
  it("holds what comes, and takes it in order when they have caught up", () => {
    const { accept, wait, intake, world, elect, run } = open();
    elect();
    world.congested = true;
    expect(accept("n2", 1, 1, [forward(1)])).toEqual([]);
    expect(accept("n3", 1, 1, [forward(1, "other")])).toEqual([]);
    expect(wait(heldTicks - 1)).toEqual([]);
    expect(run()).toEqual([]);
    world.congested = false;
    // What comes now must not overtake what it may depend on.
    expect(accept("n2", 1, 1, [forward(1), forward(2)])).toEqual([]);
    intake.release();
    expect(run()).toEqual(["1", "2", "other"]);
    expect(accept("n2", 1, 1, [forward(3)])).toEqual([]);
    expect(run()).toEqual(["1", "2", "other", "3"]);
  });

  it("refuses what was held for too long, and begins to count anew", () => {
    const { accept, wait, world, elect, run } = open();
    elect();
    world.congested = true;
    accept("n2", 1, 1, [forward(1)]);
    wait(heldTicks - 1);
    accept("n3", 1, 1, [forward(9)]);
    expect(wait(1)).toEqual([
      { origin: "n2", seqs: [1], reason: "overloaded" },
      { origin: "n3", seqs: [9], reason: "overloaded" },
    ]);
    accept("n2", 1, 1, [forward(2)]);
    expect(wait(heldTicks - 1)).toEqual([]);
    expect(wait(1)).toEqual([{ origin: "n2", seqs: [2], reason: "overloaded" }]);
    expect(run()).toEqual([]);
  });

  it("refuses what is more than it holds", () => {
    const { accept, world, elect, intake, run } = open({ uncommittedBytesMax: 1 << 30 });
    elect();
    world.congested = true;
    const large = (seq: number) => forward(seq, "x".repeat(30 * 1024 * 1024));
    expect(accept("n2", 1, 1, [large(1)])).toEqual([]);
    expect(accept("n3", 1, 1, [large(1)])).toEqual([]);
    expect(accept("n2", 1, 1, [large(2), forward(3)])).toEqual([{ seqs: [2, 3], reason: "overloaded" }]);
    world.congested = false;
    intake.release();
    expect(run()).toHaveLength(2);
  });
});

it("takes nothing while what is committed waits to be applied", () => {
  const { accept, wait, raft, world, elect, run } = open({ uncommittedBytesMax: 1 << 24 });
  elect();
  accept(
    "n2",
    1,
    1,
    Array.from({ length: 20_000 }, (_, n) => forward(n + 1, "")),
  );
  run();
  world.applied = raft.commitIndex - 16_385;
  accept("n2", 1, 1, [forward(20_001)]);
  expect(wait(heldTicks)).toEqual([{ origin: "n2", seqs: [20_001], reason: "overloaded" }]);
  world.applied += 1;
  expect(accept("n2", 1, 1, [forward(20_002)])).toEqual([]);
});
