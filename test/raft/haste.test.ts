import { describe, expect, test } from "vitest";
import { heartbeat, only, requestVote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, randomOf } from "./node.js";

const careful = { preVote: true, checkQuorum: true, electionTicks: 40 };
/** The longest until the next round: two ticks and a quarter of the shortest timeout. */
const soon = 12;

/** A cluster led by n1, which is then cut off. `behind` misses an entry. */
function leaderless(seed: number, behind?: string): Network {
  const network = new Network(3, { ...careful, random: randomOf(seed) });
  network.campaign("n1");
  if (behind !== undefined) network.isolate(behind);
  network.propose("n1", "x");
  network.heal();
  network.isolate("n1");
  return network;
}

/** Ticks of both that are left until one of them leads. */
function ticksToLeader(network: Network, ticksMax: number): number {
  for (let ticks = 0; ticks < ticksMax; ticks++) {
    if (network.leaders().some((id) => id !== "n1")) return ticks;
    for (const id of ["n2", "n3"]) network.node(id).raft.tick();
    network.settle();
  }
  return Infinity;
}

describe("what hastens the next round", () => {
  test("a PreVote without an answer is asked for again", () => {
    const node = new TestNode({ ...careful, random: () => 0.9 });
    node.step(heartbeat(1));
    node.tick(76);
    expect(node.raft.role).toBe("preCandidate");
    expect(only(node.tick(soon), "RequestVote").map(({ to, preVote }) => [to, preVote])).toEqual([
      ["n2", true],
      ["n3", true],
    ]);
  });

  test("who refuses a PreVote for want of entries campaigns itself", () => {
    const node = new TestNode({ ...careful, terms: [1, 1], random: () => 0.9 });
    node.step(heartbeat(1));
    node.tick(40);
    node.step(requestVote(2, [1, 1], { from: "n3", preVote: true }));
    node.tick(soon);
    expect(node.raft.role).toBe("preCandidate");
  });

  test("not while the leader is heard of", () => {
    const node = new TestNode({ ...careful, terms: [1, 1], random: () => 0.9 });
    node.step(heartbeat(1));
    node.tick(39);
    node.step(requestVote(2, [1, 1], { from: "n3", preVote: true }));
    node.tick(soon);
    expect([node.raft.role, node.raft.leader]).toEqual(["follower", "n2"]);
  });

  test.each([undefined, "n2", "n3"])("%s misses an entry: no round of the election takes a whole timeout", (behind) => {
    const ticks = Array.from({ length: 100 }, (_, seed) => ticksToLeader(leaderless(seed + 1, behind), 200));
    // The timeout itself is 40 to 79 ticks; equal draws split the votes now and then.
    expect(Math.min(...ticks)).toBeGreaterThanOrEqual(40);
    expect(Math.max(...ticks)).toBeLessThan(79 + 3 * soon);
  });
});

describe("the leader's process is known to have ended", () => {
  test.each([undefined, "n2", "n3"])("%s misses an entry: another one is elected soon", (behind) => {
    for (let seed = 1; seed <= 100; seed++) {
      const network = leaderless(seed, behind);
      for (const id of ["n2", "n3"]) network.node(id).raft.stopped("n1");
      expect(ticksToLeader(network, 200)).toBeLessThan(4 * soon);
    }
  });

  test("if only one knows, after the other's timeout", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const network = leaderless(seed);
      network.node("n3").raft.stopped("n1");
      const ticks = ticksToLeader(network, 200);
      expect(ticks).toBeGreaterThanOrEqual(39);
      expect(ticks).toBeLessThan(79);
    }
  });

  test("if it is not true, the leader stays: one heartbeat and it is followed again", () => {
    const network = new Network(3, careful);
    network.campaign("n1");
    network.node("n3").raft.stopped("n1");
    expect(network.node("n3").raft.leader).toBe(null);
    network.tick("n3", soon);
    network.tick("n1");
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 follower t1"]);
  });

  test("nothing for a leader, nor for who does not lead", () => {
    const network = new Network(3, careful);
    network.campaign("n1");
    network.node("n1").raft.stopped("n1");
    network.node("n1").raft.stopped("n2");
    network.node("n2").raft.stopped("n3");
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 follower t1"]);
    expect(network.node("n2").raft.leader).toBe("n1");
  });
});
