import { describe, expect, test } from "vitest";
import { promote } from "./changes.js";
import { accepted, brief, configurationOf, heartbeat, requestVote, vote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

const careful = { preVote: true, checkQuorum: true };

describe("D: PreVote, the quorum check and stickiness", () => {
  test("D1 an isolated node does not raise its term", () => {
    const network = new Network(3, careful);
    network.campaign("n1");
    network.isolate("n3");
    network.tick("n3", 1000);
    expect(network.node("n3").raft.term).toBe(1);
    network.heal();
    network.tick("n1");
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 follower t1"]);
  });

  test("D2 without PreVote it does, and deposes the leader once", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.isolate("n3");
    network.tick("n3", 1000);
    expect(network.node("n3").raft.term).toBe(101);
    network.heal();
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 follower t102", "n2 follower t102", "n3 leader t102"]);
  });

  test("D3 a node that misses an entry cannot campaign", () => {
    const network = new Network(3, { preVote: true });
    network.campaign("n1");
    network.isolate("n3");
    network.propose("n1", "x");
    network.heal();
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 follower t1"]);
  });

  test("D4 without the quorum check an up-to-date node can take over", () => {
    const network = new Network(3, { preVote: true });
    network.campaign("n1");
    network.campaign("n2");
    expect(network.roles()).toEqual(["n1 follower t2", "n2 leader t2", "n3 follower t2"]);
  });

  test("D5 a lost pre-vote ends the campaign in the same term", () => {
    const node = new TestNode({ term: 3, preVote: true });
    node.raft.campaign();
    node.pump();
    node.step(vote(3, "n2", { preVote: true, granted: false }), vote(3, "n3", { preVote: true, granted: false }));
    expect([node.raft.role, node.raft.term]).toEqual(["follower", 3]);
  });

  test("D6 a refusal of a later term is adopted", () => {
    const node = new TestNode({ term: 3, preVote: true });
    node.raft.campaign();
    node.step(vote(7, "n2", { preVote: true, granted: false }));
    expect([node.raft.role, node.raft.term, node.hardState.votedFor]).toEqual(["follower", 7, null]);
  });

  test.each([false, true])("D7 nobody is elected while the leader is heard of (PreVote %s)", (preVote) => {
    const network = new Network(3, { checkQuorum: true, preVote });
    network.campaign("n1");
    network.delivered = [];
    network.campaign("n2");
    expect(network.transcript().every((line) => / PV\(| RV\(/.test(line))).toBe(true);
    expect(network.node("n1").raft.role).toBe("leader");
    expect(network.node("n3").raft.term).toBe(1);
  });

  test("D8 a leader that hears nobody steps down within two timeouts and keeps its vote", () => {
    const network = new Network(3, careful);
    network.campaign("n1");
    network.tickAll(5);
    network.isolate("n1");
    network.tick("n1", 10);
    expect(network.roles()[0]).toBe("n1 follower t1");
    expect(network.node("n1").hardState).toMatchObject({ currentTerm: 1, votedFor: "n1" });
  });

  test("D9 a leader that hears a majority stays", () => {
    const network = new Network(3, careful);
    network.campaign("n1");
    network.isolate("n3");
    network.tickAll(100);
    expect(network.roles().slice(0, 2)).toEqual(["n1 leader t1", "n2 follower t1"]);
    expect(network.node("n1").raft.status().progress).toMatchObject({ n2: { heard: "yes" }, n3: { heard: "no" } });
  });

  test.each([
    [9, false, []],
    [10, false, ["n1>n3 t2 RVr ok"]],
    [0, true, ["n1>n3 t2 RVr ok"]],
  ])("D10 %i ticks after the leader's last sign, force %s", (ticks, force, answers) => {
    const node = new TestNode({ checkQuorum: true, random: () => 0.9 });
    node.step(heartbeat(1));
    node.tick(ticks);
    expect(node.step(requestVote(2, [0, 0], { from: "n3", force })).map(brief)).toEqual(answers);
  });

  test("D11 whoever doubts the leader may elect another, though it still leads for others", () => {
    const network = new Network(3, { ...careful, random: () => 0.9 });
    network.campaign("n3");
    network.cut("n3", "n1");
    network.cut("n3", "n2");
    network.tick("n1", 10);
    network.tick("n2", 10);
    network.campaign("n1");
    expect([network.leaders().sort(), network.node("n1").raft.term]).toEqual([["n1", "n3"], 2]);
    network.heal();
    network.tick("n3");
    expect(network.roles()).toEqual(["n1 leader t2", "n2 follower t2", "n3 follower t2"]);
  });

  test("D12 two pre-candidates help each other although the leader is alive", () => {
    const network = new Network(3, careful);
    network.campaign("n3");
    network.campaign("n1");
    expect(network.node("n1").raft.role).toBe("preCandidate");
    network.campaign("n2");
    expect(network.roles()).toEqual(["n1 follower t2", "n2 leader t2", "n3 follower t2"]);
  });

  test("D13 a voter that was just added does not depose the leader before it was silent for a timeout", () => {
    const node = new TestNode({ checkQuorum: true, configuration: configurationOf(["n1"], ["n2"]) }).elect();
    node.tick(30);
    node.step(accepted(1, 1));
    node.tick(9);
    expect(node.raft.changeMembers(promote("n2")).ok).toBe(true);
    node.tick(9);
    expect(node.raft.role).toBe("leader");
    node.tick();
    expect(node.raft.role).toBe("follower");
  });

  test("D14 a candidate that is stuck at a later term frees itself through the leader's heartbeat", () => {
    const network = new Network(3, { checkQuorum: true });
    network.campaign("n1");
    network.isolate("n1");
    network.campaign("n3");
    network.campaign("n3");
    expect([network.node("n3").raft.term, network.node("n3").raft.role]).toEqual([3, "candidate"]);
    network.heal();
    network.tick("n1");
    expect(network.roles()).toEqual(["n1 follower t3", "n2 follower t1", "n3 candidate t3"]);
    expect(network.node("n1").raft.term).toBe(network.node("n3").raft.term);
    network.tick("n2", 10);
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 follower t4", "n2 follower t4", "n3 leader t4"]);
  });

  test("D15 a candidate of a later term with a shorter log: the leader learns the term and is elected anew", () => {
    const network = new Network(
      [
        { terms: [1, 2], term: 2 },
        { terms: [1, 2], term: 2 },
        { terms: [1], term: 4, votedFor: "n3" },
      ],
      careful,
    );
    network.isolate("n3");
    network.node("n1").raft.campaign();
    network.settle();
    expect(network.roles()).toEqual(["n1 leader t3", "n2 follower t3", "n3 follower t4"]);
    network.heal();
    network.campaign("n3");
    network.campaign("n3");
    expect(network.node("n1").raft.role).toBe("leader");
    network.tick("n1");
    expect(network.roles().map((role) => role.slice(3))).toEqual(["follower t4", "follower t3", "preCandidate t4"]);
    network.tick("n2", 10);
    network.tick("n1", 10);
    network.tick("n2", 10);
    expect(network.leaders().length).toBe(1);
    expect(["n1", "n2"]).toContain(network.leaders()[0]);
  });

  test("D16 the same with the leader dead: no deadlock", () => {
    const network = new Network(
      [
        { terms: [1, 2], term: 2 },
        { terms: [1, 2], term: 2 },
        { terms: [1], term: 4, votedFor: "n3" },
      ],
      careful,
    );
    network.isolate("n1");
    for (const id of ["n3", "n2", "n3", "n2"]) network.campaign(id);
    expect(network.leaders()).toEqual(["n2"]);
  });

  test("D17 a node of an earlier term completes an election", () => {
    const network = new Network(3, { preVote: true });
    network.campaign("n1");
    network.isolate("n3");
    network.campaign("n2");
    network.campaign("n1");
    network.campaign("n3");
    expect(network.roles()).toEqual(["n1 leader t3", "n2 follower t3", "n3 preCandidate t1"]);
    network.heal();
    network.isolate("n1");
    for (const id of ["n3", "n2", "n3", "n2"]) network.campaign(id);
    expect(network.leaders()).toEqual(["n1", "n2"]);
    expect(network.node("n3").raft.term).toBe(network.node("n2").raft.term);
  });
});
