import { describe, expect, test } from "vitest";
import type { Term } from "../../raft/types.js";
import { brief, configurationOf, heartbeat, requestVote, vote } from "./messages.js";
import { TestNode } from "./node.js";

const fiveVoters = ["n1", "n2", "n3", "n4", "n5"];

function grants(terms: readonly Term[], candidate: readonly [number, number]): boolean {
  const node = new TestNode({ terms, term: 3 });
  const [answer] = node.step(requestVote(4, candidate));
  return answer?.type === "RequestVoteResponse" && answer.granted;
}

describe("B: granting votes", () => {
  test("B1 a free voter grants, and the vote is on disk before the answer leaves", () => {
    const node = new TestNode({ term: 1 });
    node.raft.step(requestVote(1, [0, 0]));
    const ready = node.take();
    expect(ready.hardState).toMatchObject({ currentTerm: 1, votedFor: "n2" });
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist.map(brief)).toEqual(["n1>n2 t1 RVr ok"]);
  });

  test.each([
    ["B2 the same candidate again", "n2", requestVote(1, [0, 0]), "n1>n2 t1 RVr ok", "n2"],
    ["B3 another one in the same term", "n2", requestVote(1, [0, 0], { from: "n3" }), "n1>n3 t1 RVr rej", "n2"],
    ["B4 another one in a later term", "n2", requestVote(2, [0, 0], { from: "n3" }), "n1>n3 t2 RVr ok", "n3"],
  ])("%s", (_, votedFor, request, answer, after) => {
    const node = new TestNode({ term: 1, votedFor });
    expect(node.step(request).map(brief)).toEqual([answer]);
    expect(node.hardState.votedFor).toBe(after);
  });

  test("B5 only a candidate whose log is as good gets the vote", () => {
    const positions = [0, 1, 2, 3].flatMap((index) => [0, 1, 2, 3].map((term) => [index, term] as const));
    const granted = positions.filter((position) => grants([2, 2], position));
    expect(granted.map(String)).toEqual(["1,3", "2,2", "2,3", "3,2", "3,3"]);
    // Index 0 has term 0, and no other has: nobody's log ends otherwise, (0,3) included, and who says so gets no answer.
    for (const position of positions.filter(([index, term]) => (index === 0) !== (term === 0))) {
      const node = new TestNode({ terms: [2, 2], term: 3 });
      expect([node.step(requestVote(4, position)), node.raft.protocolErrors]).toEqual([[], 1]);
    }
  });

  test.each([
    [[1], [1, 1], true],
    [[1], [2, 1], true],
    [[1, 1], [1, 1], false],
    [[2], [2, 1], false],
    [[1, 1], [1, 2], true],
  ] as const)("B6 voter %o, candidate %o: %s", (terms, candidate, expected) => {
    expect(grants(terms, candidate)).toBe(expected);
  });

  test("B7 a refused candidate does not hold back the voter's own campaign, a granted one does", () => {
    const refusing = new TestNode({ terms: [1] });
    refusing.tick(9);
    refusing.step(requestVote(2, [0, 0]));
    refusing.tick();
    expect(refusing.raft.role).toBe("candidate");
    const granting = new TestNode();
    granting.tick(9);
    granting.step(requestVote(2, [0, 0]));
    granting.tick(9);
    expect(granting.raft.role).toBe("follower");
    granting.tick();
    expect(granting.raft.role).toBe("candidate");
  });

  test.each(["follower", "preCandidate", "candidate", "leader"])("B8 a pre-vote changes nothing on a %s", (role) => {
    const node = new TestNode({ preVote: role === "preCandidate" });
    if (role === "leader") node.elect();
    if (role === "candidate" || role === "preCandidate") node.raft.campaign();
    node.pump();
    expect(node.raft.role).toBe(role);
    const before = [node.raft.term, node.raft.role, node.raft.leader, node.hardState];
    node.raft.step(requestVote(5, [9, 4], { preVote: true }));
    const ready = node.take();
    expect(ready.messages.map(brief)).toEqual(["n1>n2 t5 PVr ok"]);
    expect(ready).not.toHaveProperty("hardState");
    expect([node.raft.term, node.raft.role, node.raft.leader, node.hardState]).toEqual(before);
  });

  test("B9 two candidates may have the same pre-vote", () => {
    const node = new TestNode({ term: 1 });
    const answers = ["n2", "n3"].flatMap((from) => node.step(requestVote(2, [0, 0], { from, preVote: true })));
    expect(answers.map(brief)).toEqual(["n1>n2 t2 PVr ok", "n1>n3 t2 PVr ok"]);
  });

  test("B10 a vote that cannot be written is never sent", () => {
    const node = new TestNode({ term: 1 });
    node.raft.step(requestVote(2, [0, 0]));
    expect(node.take().messages).toEqual([]);
    node.raft.step(requestVote(2, [0, 0]));
    node.raft.step(heartbeat(2));
    expect(node.raft.hasReady()).toBe(false);
    expect(() => node.raft.takeReady()).toThrow("not confirmed");
  });

  test("B11 a vote written but not sent still binds after a restart", () => {
    const node = new TestNode({ term: 1 });
    node.raft.step(requestVote(2, [0, 0]));
    node.take();
    node.write();
    node.restart();
    expect(node.step(requestVote(2, [0, 0], { from: "n3" })).map(brief)).toEqual(["n1>n3 t2 RVr rej"]);
    expect(node.step(requestVote(2, [0, 0])).map(brief)).toEqual(["n1>n2 t2 RVr ok"]);
  });

  test("B12 stepping down within a term keeps the vote", () => {
    const node = new TestNode({ term: 4, checkQuorum: true }).elect();
    node.tick(10);
    expect([node.raft.role, node.raft.term]).toEqual(["follower", 5]);
    expect(node.step(requestVote(5, [9, 5])).map(brief)).toEqual(["n1>n2 t5 RVr rej"]);
    expect(node.hardState).toMatchObject({ currentTerm: 5, votedFor: "n1" });
  });

  test("B15 a voter counts once", () => {
    const node = new TestNode({ voters: fiveVoters });
    node.raft.campaign();
    node.pump();
    node.step(vote(1, "n2"), vote(1, "n2"), vote(1, "n2"));
    expect(node.raft.role).toBe("candidate");
    node.step(vote(1, "n3"));
    expect(node.raft.role).toBe("leader");
  });

  test("B16 votes of an earlier campaign do not count", () => {
    const node = new TestNode({ preVote: true, voters: fiveVoters });
    node.raft.campaign();
    node.pump();
    node.step(vote(1, "n2", { preVote: true }), vote(1, "n3", { preVote: true }));
    expect([node.raft.role, node.raft.term]).toEqual(["candidate", 1]);
    node.step(vote(1, "n4", { preVote: true }), vote(1, "n5", { preVote: true }));
    expect(node.raft.role).toBe("candidate");
    node.raft.campaign();
    node.step(vote(2, "n2", { preVote: true }), vote(2, "n3", { preVote: true }), vote(1, "n2"), vote(1, "n3"));
    expect([node.raft.role, node.raft.term]).toEqual(["candidate", 2]);
  });

  test("B13 a learner votes when it is asked by a log as good as its own", () => {
    const node = new TestNode({ terms: [1], configuration: configurationOf(["n2", "n3"], ["n1"]) });
    expect(node.step(requestVote(2, [2, 1])).map(brief)).toEqual(["n1>n2 t2 RVr ok"]);
    expect(node.hardState).toMatchObject({ currentTerm: 2, votedFor: "n2" });
    const better = new TestNode({ terms: [1, 1], configuration: configurationOf(["n2", "n3"], ["n1"]) });
    expect(better.step(requestVote(2, [1, 1])).map(brief)).toEqual(["n1>n2 t2 RVr rej"]);
  });

  test("B14 a node outside its own configuration votes, and never campaigns", () => {
    const node = new TestNode({ configuration: configurationOf(["n2", "n3"]) });
    node.raft.campaign();
    expect(node.tick(100)).toEqual([]);
    expect(node.step(requestVote(2, [0, 0])).map(brief)).toEqual(["n1>n2 t2 RVr ok"]);
    expect([node.raft.role, node.raft.term]).toEqual(["follower", 2]);
  });
});
