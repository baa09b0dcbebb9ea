import { describe, expect, test } from "vitest";
import type { Message } from "../../raft/types.js";
import { accepted, appendEntries, brief, heartbeat, only, requestVote, vote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, type NodeSetup } from "./node.js";

function inRole(role: string, setup: NodeSetup = {}): TestNode {
  const node = new TestNode({ preVote: role === "preCandidate", ...setup });
  if (role === "leader") node.elect();
  else if (role !== "follower") {
    node.raft.campaign();
    node.pump();
  }
  expect(node.raft.role).toBe(role);
  return node;
}

describe("A: terms and stale traffic", () => {
  test("A1 a follower adopts the later term of a leader, on disk before it answers", () => {
    const node = new TestNode({ term: 1 });
    node.raft.step(appendEntries(2, [0, 0], []));
    const ready = node.take();
    expect(ready.hardState).toEqual({ currentTerm: 2, votedFor: null, commitIndex: 0 });
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist.map(brief)).toEqual(["n1>n2 t2 AEr ok 0"]);
    expect([node.raft.role, node.raft.leader]).toEqual(["follower", "n2"]);
  });

  test.each(["candidate", "leader"])("A2 A3 a %s of an earlier term follows the later leader", (role) => {
    const node = inRole(role);
    expect(node.raft.term).toBe(1);
    node.step(appendEntries(2, [0, 0], []));
    expect([node.raft.role, node.raft.term, node.raft.leader]).toEqual(["follower", 2, "n2"]);
  });

  test.each([
    [{}, []],
    [{ preVote: true }, ["n1>n2 t2 AEr rej"]],
    [{ checkQuorum: true }, ["n1>n2 t2 AEr rej"]],
  ])("A4 entries of an earlier leader are not taken (%o)", (setup, answers) => {
    const node = new TestNode({ term: 2, ...setup });
    expect(node.step(appendEntries(1, [0, 0], [1])).map(brief)).toEqual(answers);
    expect(node.step(heartbeat(1)).map(brief)).toEqual(answers);
    expect([node.terms, node.raft.term, node.raft.leader]).toEqual([[], 2, null]);
  });

  test("A5 A6 votes and pre-votes of an earlier term are refused with the current one", () => {
    const node = new TestNode({ term: 2, votedFor: "n3" });
    expect(node.step(requestVote(1, [9, 1])).map(brief)).toEqual(["n1>n2 t2 RVr rej"]);
    expect(node.step(requestVote(1, [9, 1], { preVote: true })).map(brief)).toEqual(["n1>n2 t2 PVr rej"]);
    expect(node.hardState).toMatchObject({ currentTerm: 2, votedFor: "n3" });
  });

  test.each(["follower", "preCandidate", "candidate", "leader"])("A7 a %s gives way to a later term", (role) => {
    const voting = inRole(role);
    const logLength = role === "leader" ? 1 : 0;
    voting.step(requestVote(3, [1, 3]));
    expect([voting.raft.role, voting.raft.term, voting.raft.leader]).toEqual(["follower", 3, null]);
    expect(voting.terms.length).toBe(logLength);
    const following = inRole(role);
    following.step(appendEntries(3, [0, 0], []));
    expect([following.raft.role, following.raft.term, following.raft.leader]).toEqual(["follower", 3, "n2"]);
    expect(following.terms.length).toBe(logLength);
  });

  test.each([appendEntries(1, [0, 0], []), heartbeat(1)])(
    "A8 a candidate concedes to the leader of its term",
    (call) => {
      const node = inRole("candidate");
      node.step(call);
      expect([node.raft.role, node.raft.term, node.raft.leader]).toEqual(["follower", 1, "n2"]);
      expect(node.hardState.votedFor).toBe("n1");
    },
  );

  test("A9 two leaders in one term are fatal, for the leader and for a follower", () => {
    const leader = new TestNode({ term: 2 }).elect();
    expect(() => leader.raft.step(appendEntries(3, [0, 0], []))).toThrow("two leaders in term 3");
    const follower = new TestNode();
    follower.step(heartbeat(3));
    expect(() => follower.raft.step(heartbeat(3, { from: "n3" }))).toThrow("two leaders in term 3");
  });

  test("A10 messages of an old leader change nothing", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.campaign("n2");
    network.campaign("n1");
    network.delivered = [];
    network.node("n1").raft.step(appendEntries(2, [2, 2], [2], { from: "n2", to: "n1" }));
    network.node("n3").raft.step(appendEntries(2, [2, 2], [2], { from: "n2", to: "n3" }));
    network.settle();
    network.propose("n1", "next");
    expect(network.logs()).toEqual(Array(3).fill([1, 2, 3, 3]));
    expect(network.commits()).toEqual([4, 4, 4]);
  });

  test("A11 strangers move neither the term nor the commit index of a leader that is alive", () => {
    const leader = new TestNode({ checkQuorum: true }).elect();
    const strangers: Message[] = [
      requestVote(9, [9, 9], { from: "n9" }),
      { ...accepted(9, 1, "n9"), success: false },
      { ...accepted(1, 1, "n9") },
      vote(9, "n9", { granted: false }),
    ];
    expect(leader.step(...strangers)).toEqual([]);
    expect([leader.raft.role, leader.raft.term, leader.raft.commitIndex]).toEqual(["leader", 1, 0]);
    expect(Object.keys(leader.raft.status().progress)).toEqual(["n2", "n3"]);
  });

  test("A11 leaders and candidates of a configuration that is not known here are followed and voted for", () => {
    const node = new TestNode({ term: 1 });
    expect(node.step(requestVote(2, [0, 0], { from: "n9" })).map(brief)).toEqual(["n1>n9 t2 RVr ok"]);
    node.step(appendEntries(2, [0, 0], [2], { from: "n9" }));
    expect([node.raft.leader, node.terms]).toEqual(["n9", [2]]);
  });

  test("A11 what is addressed to another node is refused", () => {
    const node = new TestNode();
    node.step(heartbeat(1), { ...heartbeat(2), to: "n3" });
    expect([node.raft.term, node.raft.protocolErrors]).toEqual([1, 1]);
  });

  test("an answer whose term is not on disk yet waits for it", () => {
    const node = new TestNode({ term: 1 });
    node.raft.step(heartbeat(2));
    node.raft.step(requestVote(2, [0, 0], { from: "n3" }));
    const ready = node.take();
    expect(only(ready.messages, "HeartbeatResponse")).toEqual([]);
    expect(ready.messagesAfterPersist.map(brief)).toEqual(["n1>n2 t2 HBr", "n1>n3 t2 RVr rej"]);
    node.persist();
    node.raft.step(heartbeat(2));
    expect(node.take().messages.map(brief)).toEqual(["n1>n2 t2 HBr"]);
  });
});
