import { describe, expect, test } from "vitest";
import type { NodeId } from "../../raft/types.js";
import { T, Timeline } from "./timeline.js";

const seeds = Array.from({ length: 3 }, (_, at) => at + 1);

/** A cluster whose leader is `leader`, in its usual state: heartbeats came and went. */
function ledBy(leader: NodeId, size: number, seed: number): Timeline {
  const timeline = new Timeline(size, { seed });
  timeline.elect(leader);
  timeline.run(3);
  return timeline;
}

/** Runs with one proposal a tick. @returns how many leaders were elected meanwhile, and how much was acknowledged */
function underLoad(timeline: Timeline, ticks: number): { elections: number; acknowledged: number } {
  const before = [timeline.reigns.length, timeline.acknowledged.length] as const;
  timeline.run(ticks, () => timeline.propose());
  timeline.settle();
  return {
    elections: timeline.reigns.length - before[0],
    acknowledged: timeline.acknowledged.length - before[1],
  };
}

/** Ticks until `holds`, `atMost` of them. */
function ticksUntil(timeline: Timeline, holds: () => boolean, atMost: number): number {
  for (let ticks = 0; ticks <= atMost; ticks += 1) {
    if (holds()) return ticks;
    timeline.run(1);
  }
  return Infinity;
}

describe("M: partitions that leave a leader its majority cost nothing", () => {
  const shapes: [name: string, size: number, links: [NodeId, NodeId][], leaders: NodeId[]][] = [
    [
      "M1 a clique of three, n4 on a thread to n2, n5 on one to n3",
      5,
      [
        ["n1", "n2"],
        ["n1", "n3"],
        ["n2", "n3"],
        ["n4", "n2"],
        ["n5", "n3"],
      ],
      ["n3", "n2", "n1"],
    ],
    [
      "M2 a triangle with one side cut",
      3,
      [
        ["n1", "n2"],
        ["n2", "n3"],
      ],
      ["n3", "n1", "n2"],
    ],
    [
      "M6 a ring in which everybody sees another majority",
      5,
      [
        ["n1", "n2"],
        ["n2", "n3"],
        ["n3", "n4"],
        ["n4", "n5"],
        ["n5", "n1"],
      ],
      ["n1", "n4"],
    ],
    [
      "M7 two halves and a bridge",
      5,
      [
        ["n1", "n2"],
        ["n4", "n5"],
        ["n3", "n1"],
        ["n3", "n2"],
        ["n3", "n4"],
        ["n3", "n5"],
      ],
      ["n3", "n1", "n5"],
    ],
  ];

  test.each(shapes)("%s: the leader stays for 100T, and so does its throughput", (_, size, links, leaders) => {
    for (const leader of leaders) {
      for (const seed of seeds) {
        const timeline = ledBy(leader, size, seed);
        timeline.link(links);
        const ticks = 100 * T;
        expect(underLoad(timeline, ticks), `${leader}, seed ${seed}`).toEqual({ elections: 0, acknowledged: ticks });
        expect(timeline.leaders).toEqual([leader]);
        timeline.recover();
        expect(timeline.reigns.length, `after the healing, ${leader}, seed ${seed}`).toBe(1);
      }
    }
  });
});

describe("M: links that work one way", () => {
  function oneWay(timeline: Timeline, id: NodeId, open: "out" | "in" | "none"): void {
    for (const other of timeline.ids) {
      if (other === id) continue;
      if (open !== "out") timeline.cut(id, other);
      if (open !== "in") timeline.cut(other, id);
    }
  }

  test.each([
    ["M3 a follower that sends and does not hear deposes nobody", "out"],
    ["M4 a follower that hears and cannot send keeps quiet", "in"],
  ] as const)("%s", (_, open) => {
    for (const seed of seeds) {
      const timeline = ledBy("n2", 3, seed);
      oneWay(timeline, "n1", open);
      const ticks = 100 * T;
      expect(underLoad(timeline, ticks)).toEqual({ elections: 0, acknowledged: ticks });
      expect(timeline.node("n1").raft.term).toBe(1);
      if (open === "in") expect(timeline.node("n1").raft.role).toBe("follower");
      timeline.recover();
      expect(timeline.reigns.length).toBe(1);
    }
  });

  test.each([
    ["M3 a leader that sends and does not hear steps down within 2T", "out", 2 * T],
    ["M4 a leader that hears and cannot send is replaced within 3T", "in", 3 * T],
  ] as const)("%s", (_, open, within) => {
    for (const seed of seeds) {
      const timeline = ledBy("n1", 3, seed);
      oneWay(timeline, "n1", open);
      const gone = () => timeline.node("n1").raft.role !== "leader";
      const replaced = () => timeline.leaders.some((id) => id !== "n1");
      expect(ticksUntil(timeline, open === "out" ? gone : replaced, within), `seed ${seed}`).toBeLessThanOrEqual(
        within,
      );
      // While it sends, the others hear of a leader; once it does not, they elect one of them.
      expect(ticksUntil(timeline, replaced, 4 * T), `seed ${seed}`).toBeLessThanOrEqual(4 * T);
      const { elections, acknowledged } = underLoad(timeline, 100 * T);
      expect(elections).toBe(0);
      expect(acknowledged).toBeGreaterThanOrEqual(100 * T);
      timeline.recover();
    }
  });

  test.each([
    ["and it hears all", ["in"]],
    ["and it hears nobody else", ["in", "out"]],
  ] as const)("M5 a leader that reaches a minority only, %s, is replaced and stays so", (_, ways) => {
    for (const seed of seeds) {
      const timeline = ledBy("n1", 5, seed);
      for (const other of ["n3", "n4", "n5"]) {
        timeline.cut("n1", other);
        if (ways.length > 1) timeline.cut(other, "n1");
      }
      const replaced = () => timeline.leaders.some((id) => id !== "n1") && !timeline.leaders.includes("n1");
      expect(ticksUntil(timeline, replaced, 4 * T), `seed ${seed}`).toBeLessThanOrEqual(4 * T);
      const { acknowledged } = underLoad(timeline, 100 * T);
      expect(acknowledged, `seed ${seed}`).toBeGreaterThanOrEqual(100 * T);
      timeline.recover();
    }
  });
});
