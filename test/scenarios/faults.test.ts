import { describe, expect, test } from "vitest";
import type { NodeId } from "../../raft/types.js";
import { T, Timeline } from "./timeline.js";

const seeds = Array.from({ length: 12 }, (_, at) => at + 1);

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const rest = [...items];
  return items.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0] as Item);
}

function pairs(ids: readonly NodeId[]): [NodeId, NodeId][] {
  return ids.flatMap((a) => ids.filter((b) => b !== a).map((b): [NodeId, NodeId] => [a, b]));
}

/** Every order of `items`. */
function orders<Item>(items: readonly Item[]): Item[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, at) => orders(items.toSpliced(at, 1)).map((rest) => [first, ...rest]));
}

/** Every choice of two of `items`. */
function twoOf<Item>(items: readonly Item[]): [Item, Item][] {
  return items.flatMap((a, at) => items.slice(at + 1).map((b): [Item, Item] => [a, b]));
}

test("M8 links clogged one by one and released in another order: all that waited arrives, and all agree", () => {
  let elections = 0;
  for (const seed of seeds) {
    const timeline = new Timeline(5, { seed });
    timeline.elect("n1");
    for (let swizzle = 0; swizzle < 3; swizzle += 1) {
      const some = pairs(timeline.ids).filter(() => timeline.random() < 0.5);
      for (const [from, to] of some) {
        timeline.clog(from, to);
        timeline.run(Math.ceil(timeline.random() * T), () => timeline.propose());
      }
      for (const [from, to] of shuffled(some, timeline.random)) {
        timeline.unclog(from, to);
        timeline.run(Math.ceil(timeline.random() * T), () => timeline.propose());
      }
    }
    timeline.recover();
    elections += timeline.reigns.length - 1;
  }
  expect(elections, "a swizzle that disturbs nobody shows nothing").toBeGreaterThan(seeds.length);
});

describe("M9 a link that goes up and down every 50 ms for a minute", () => {
  // The defaults: ticks of 25 ms, heartbeats of 50 ms, elections after 600 to 1200 ms.
  const defaults = { electionTicks: 24, heartbeatTicks: 2 };
  const minute = (60 * 1000) / 25;
  const fewElections = 2;

  test.each([
    ["between leader and follower", 3, [["n1", "n2"]]],
    ["between followers", 3, [["n2", "n3"]]],
    [
      "from the leader to all others",
      5,
      [
        ["n1", "n2"],
        ["n1", "n3"],
        ["n1", "n4"],
        ["n1", "n5"],
      ],
    ],
  ] as const)("M9 %s: hardly an election, four fifths of the work are done", (_, size, links) => {
    for (const seed of seeds.slice(0, 2)) {
      for (const phase of [1, 2]) {
        const timeline = new Timeline(size, { ...defaults, seed });
        timeline.elect("n1");
        let asked = 0;
        timeline.run(minute, () => {
          const down = (timeline.now + phase) % 2 === 0;
          for (const [a, b] of links) {
            for (const [from, to] of pairs([a, b])) {
              if (down) timeline.cut(from, to);
              else timeline.join(from, to);
            }
          }
          asked += Math.min(1, timeline.propose());
        });
        expect(timeline.reigns.length - 1, `seed ${seed}`).toBeLessThanOrEqual(fewElections);
        expect(asked / minute, `seed ${seed}: ticks with a leader`).toBeGreaterThanOrEqual(0.8);
        expect(timeline.acknowledged.length / asked, `seed ${seed}`).toBeGreaterThanOrEqual(0.8);
        timeline.recover();
      }
    }
  });
});

describe("M: nodes that die", () => {
  test("M11 all killed at once under load, restarted in every order: what was acknowledged is there", () => {
    let acknowledged = 0;
    for (const seed of seeds) {
      for (const order of orders(["n1", "n2", "n3"])) {
        const timeline = new Timeline(3, { seed });
        timeline.elect("n1");
        timeline.run(2 * T, () => timeline.propose());
        // In the middle of writes and messages.
        timeline.propose();
        for (let rounds = Math.floor(timeline.random() * 4); rounds > 0; rounds -= 1) timeline.round();
        timeline.kill(...timeline.ids);
        acknowledged += timeline.acknowledged.length;
        for (const id of order) {
          timeline.start(id);
          timeline.run(Math.floor(timeline.random() * 3 * T));
        }
        timeline.recover();
      }
    }
    // All but those of the last tick, with which the cluster died.
    expect(acknowledged).toBeGreaterThanOrEqual(seeds.length * 6 * (2 * T - 1));
  });

  test.each([
    [3, [["n1"], ["n2"], ["n3"]]],
    [5, twoOf(["n1", "n2", "n3", "n4", "n5"])],
  ])("M12 %i nodes, of which a minority is dead for ever: the others agree and go on", (size, minorities) => {
    for (const dead of minorities) {
      for (const seed of seeds.slice(0, 4)) {
        const timeline = new Timeline(size, { seed });
        timeline.elect("n1");
        timeline.run(T, () => timeline.propose());
        timeline.propose();
        timeline.round();
        timeline.kill(...dead);
        timeline.run(2 * T, () => timeline.propose());
        timeline.recover();
        const decided = timeline.acknowledged.length;
        timeline.run(20 * T, () => timeline.propose());
        timeline.settle();
        expect(timeline.acknowledged.length - decided, `${dead.join()} dead, seed ${seed}`).toBe(20 * T);
        timeline.recover();
      }
    }
  });
});
