import { describe, expect, test } from "vitest";
import type { Message } from "../../raft/types.js";
import { heartbeat, only, vote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, randomOf } from "./node.js";

function voters(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `n${at + 1}`);
}

describe("C: elections", () => {
  test.each([
    [1, [], [], "leader"],
    [3, ["n2", "n3"], [], "leader"],
    [3, ["n2"], [], "leader"],
    [5, ["n2", "n3"], [], "leader"],
    [5, ["n2"], [], "candidate"],
    [3, [], ["n2", "n3"], "follower"],
    [5, [], ["n2", "n3", "n4", "n5"], "follower"],
    [5, ["n2"], ["n3", "n4", "n5"], "follower"],
    [5, [], ["n2", "n3"], "candidate"],
  ])("C1 %i voters, for %o, against %o: %s", (size, yes, no, role) => {
    const node = new TestNode({ voters: voters(size) });
    node.raft.campaign();
    node.pump();
    for (const from of yes) node.step(vote(1, from));
    for (const from of no) node.step(vote(1, from, { granted: false }));
    expect([node.raft.role, node.raft.term]).toEqual([role, 1]);
  });

  test("C2 the own vote counts only once it is on disk", () => {
    const node = new TestNode();
    node.raft.campaign();
    const ready = node.take();
    expect([ready.messages, only(ready.messagesAfterPersist, "RequestVote").length]).toEqual([[], 2]);
    node.raft.step(vote(1, "n2"));
    node.raft.step(vote(1, "n3"));
    expect(node.raft.role).toBe("candidate");
    node.persist();
    expect(node.raft.role).toBe("leader");
    expect(only(node.take().messages, "AppendEntries").length).toBe(2);
  });

  test("C3 the own vote does not count after conceding", () => {
    const node = new TestNode();
    node.raft.campaign();
    node.take();
    node.raft.step(vote(1, "n3"));
    node.raft.step(heartbeat(1));
    node.persist();
    expect([node.raft.role, node.raft.leader]).toEqual(["follower", "n2"]);
  });

  test("C4 a pre-vote for itself is no vote for itself", () => {
    const node = new TestNode({ preVote: true });
    node.raft.campaign();
    node.pump();
    node.raft.step(vote(1, "n2", { preVote: true }));
    expect(node.raft.role).toBe("candidate");
    node.take();
    node.raft.step(vote(1, "n2"));
    expect(node.raft.role).toBe("candidate");
    node.persist();
    expect(node.raft.role).toBe("leader");
  });

  test.each([
    [3, [], "leader"],
    [3, ["n3"], "leader"],
    [3, ["n2", "n3"], "candidate"],
    [4, ["n2", "n3"], "candidate"],
    [5, ["n2", "n3"], "leader"],
  ])("C5 %i voters, dead %o: %s", (size, dead, role) => {
    for (const preVote of [false, true]) {
      const network = new Network(size, { preVote });
      network.isolate(...dead);
      network.campaign("n1");
      const failing = preVote ? ["preCandidate", 0] : ["candidate", 1];
      const { raft } = network.node("n1");
      expect([raft.role, raft.term]).toEqual(role === "leader" ? ["leader", 1] : failing);
    }
  });

  test.each(["n1", "n2"])("C6 duelling candidates: the one that missed entries disturbs, %s wins", (next) => {
    const network = new Network(3);
    network.cut("n1", "n3");
    network.campaign("n1");
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 candidate t1"]);
    network.heal();
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 follower t2", "n2 follower t2", "n3 follower t2"]);
    expect(network.logs()).toEqual([[1], [1], []]);
    network.campaign(next);
    expect(network.leaders()).toEqual([next]);
  });

  test("C6 with PreVote the leader is not even disturbed", () => {
    const network = new Network(3, { preVote: true });
    network.cut("n1", "n3");
    network.campaign("n1");
    network.campaign("n3");
    network.heal();
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 follower t1"]);
  });

  test("C7 a split vote is resolved by the next timeout", () => {
    const network = new Network(3, { preVote: true });
    network.campaign("n2");
    network.campaign("n1");
    network.isolate("n1");
    // Both get through the pre-vote before either asks for votes.
    network.node("n2").raft.campaign();
    network.node("n3").raft.campaign();
    network.settle();
    expect(network.roles()).toEqual(["n1 leader t2", "n2 candidate t3", "n3 candidate t3"]);
    network.campaign("n2");
    expect(network.roles().slice(1)).toEqual(["n2 leader t4", "n3 follower t4"]);
  });

  test("C7 the next round after a split vote comes within a quarter of an election timeout", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const network = new Network(3, { preVote: true, electionTicks: 40, random: randomOf(seed) });
      network.campaign("n1");
      network.isolate("n1");
      network.node("n2").raft.campaign();
      network.node("n3").raft.campaign();
      network.settle();
      const candidates = network
        .roles()
        .slice(1)
        .map((role) => role.split(" ")[1]);
      expect(candidates).toEqual(["candidate", "candidate"]);
      let ticks = 0;
      // Equal draws split once more: that is one more quarter.
      for (; network.leaders().length < 2 && ticks < 40; ticks++) {
        network.node("n2").raft.tick();
        network.node("n3").raft.tick();
        network.settle();
      }
      expect(ticks).toBeLessThan(40);
    }
  });

  test("C8 entries of a later term that no majority has are overwritten", () => {
    const voted = { term: 2, votedFor: "n3" };
    const network = new Network([{ terms: [1] }, { terms: [1] }, { terms: [2], votedFor: "n3" }, voted, voted]);
    network.campaign("n1");
    expect([network.node("n1").raft.role, network.node("n1").raft.term]).toEqual(["follower", 2]);
    network.campaign("n1");
    expect(network.leaders()).toEqual(["n1"]);
    expect(network.logs()).toEqual(Array(5).fill([1, 3]));
  });

  test("C9 every node can become the leader in turn", () => {
    const network = new Network(3);
    for (const [at, id] of ["n1", "n2", "n3"].entries()) {
      network.campaign(id);
      expect(network.leaders()).toEqual([id]);
      expect(network.node(id).raft.term).toBe(at + 1);
    }
  });

  test("C10 a leader does not campaign", () => {
    const node = new TestNode().elect();
    node.raft.campaign();
    expect([node.raft.role, node.raft.term, node.pump()]).toEqual(["leader", 1, []]);
  });

  test.each([false, true])("C11 a single voter elects itself after one write (PreVote %s)", (preVote) => {
    const node = new TestNode({ voters: ["n1"], preVote });
    node.raft.campaign();
    expect(node.raft.role).toBe("candidate");
    node.take();
    expect(node.raft.role).toBe("candidate");
    node.persist();
    expect([node.raft.role, node.raft.term]).toEqual(["leader", 1]);
    node.propose("a", "b");
    expect([node.raft.commitIndex, node.applied.length]).toEqual([3, 3]);
  });

  test("C12 a candidate comes back from a restart as a follower with the same term and vote", () => {
    const node = new TestNode();
    node.raft.campaign();
    node.pump();
    node.restart();
    expect([node.raft.role, node.raft.term, node.hardState.votedFor]).toEqual(["follower", 1, "n1"]);
    node.step(vote(1, "n2"));
    expect(node.raft.role).toBe("follower");
  });

  test("C13 timeouts cover [T, 2T) and rarely collide", () => {
    const random = randomOf(1);
    const timeout = (): number => {
      const node = new TestNode({ random });
      for (let ticks = 1; ; ticks += 1) {
        node.raft.tick();
        if (node.raft.role === "candidate") return ticks;
      }
    };
    const rounds = 1000;
    const seen = new Set<number>();
    let collisions = 0;
    for (let round = 0; round < rounds; round += 1) {
      const timeouts = Array.from({ length: 5 }, timeout).sort((a, b) => a - b);
      for (const one of timeouts) seen.add(one);
      if (timeouts[0] === timeouts[1]) collisions += 1;
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(collisions / rounds).toBeLessThanOrEqual(0.3);
  });

  test("C13 every campaign draws a new timeout", () => {
    const draws = [0.5, 0, 0.9];
    const node = new TestNode({ random: () => draws.shift() ?? 0 });
    const campaigns: number[] = [];
    for (let ticks = 1; ticks <= 40; ticks += 1) {
      node.raft.tick();
      if (node.raft.term > campaigns.length) campaigns.push(ticks);
    }
    // The number of its reads takes a draw between the first two.
    expect(campaigns).toEqual([15, 34]);
  });

  test("C14 stepping down frees what only a leader keeps", () => {
    const node = new TestNode({ uncommittedBytesMax: 4 }).elect();
    node.propose("full");
    expect(node.raft.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "overloaded" });
    node.raft.readIndex(1);
    node.step(heartbeat(2));
    expect(node.raft.status().progress).toEqual({});
    expect(node.reads).toEqual([{ context: 1, index: 0 }]);
    expect(node.raft.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "not_leader" });
    node.elect();
    expect(node.raft.propose([new Uint8Array(4)]).ok).toBe(true);
  });

  test("TimeoutNow starts a campaign at once that voters may not ignore", () => {
    const network = new Network(3, { preVote: true, checkQuorum: true });
    network.campaign("n1");
    const call: Message = { type: "TimeoutNow", from: "n1", to: "n2", term: 1 };
    network.node("n2").raft.step(call);
    network.settle();
    expect(network.roles()).toEqual(["n1 follower t2", "n2 leader t2", "n3 follower t2"]);
  });
});
