import { describe, expect, test } from "vitest";
import { encodeConfiguration } from "../../raft/configuration.js";
import { appendEntries, brief, configurationOf, requestVote, snapshot } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

describe("H: what an arrived snapshot does", () => {
  test("H1 it replaces a log that ends before it, and the configuration; the second one is only acknowledged", () => {
    const node = new TestNode({ terms: [1], term: 1 });
    const configuration = configurationOf(["n2", "n3"], ["n1"]);
    node.raft.step(snapshot(2, [11, 2], { configuration }));
    const ready = node.take();
    expect(ready.install).toEqual({ index: 11, term: 2, configuration });
    node.persist();
    expect([node.disk.firstIndex(), node.disk.lastIndex(), node.raft.commitIndex]).toEqual([12, 11, 11]);
    expect(node.raft.configuration).toEqual(configuration);
    const [answer] = node.step(appendEntries(2, [11, 2], []));
    expect(answer && brief(answer)).toBe("n1>n2 t2 AEr ok 11");
    expect(node.step(snapshot(2, [11, 2], { configuration })).map(brief)).toEqual(["n1>n2 t2 AEr ok 11"]);
    expect(node.raft.hasReady()).toBe(false);
  });

  test("H2 one at or below the commit index is only acknowledged", () => {
    const node = new TestNode({ terms: [1, 1, 1], commit: 3 });
    node.step(appendEntries(1, [3, 1], []));
    expect(node.step(snapshot(1, [3, 1])).map(brief)).toEqual(["n1>n2 t1 AEr ok 3"]);
    expect(node.step(snapshot(1, [2, 1])).map(brief)).toEqual(["n1>n2 t1 AEr ok 3"]);
    expect(node.terms).toEqual([1, 1, 1]);
  });

  test("H3 one that the log agrees with says what is committed", () => {
    const node = new TestNode({ terms: [1, 1, 1] });
    node.step(appendEntries(1, [3, 1], []));
    expect(node.step(snapshot(1, [2, 1])).map(brief)).toEqual(["n1>n2 t1 AEr ok 2"]);
    expect([node.raft.commitIndex, node.terms, node.applied.length]).toEqual([2, [1, 1, 1], 2]);
  });

  test("H4 a tail that contradicts it is gone, and the configurations in it", () => {
    const node = new TestNode({ terms: [1], commit: 1, voters: ["n1", "n2", "n3"] });
    const data = encodeConfiguration(configurationOf(["n1", "n2", "n3"], ["n9"]));
    const entries = [
      { index: 2, term: 2, kind: "configuration" as const, data },
      { index: 3, term: 2, data },
    ];
    node.step({ ...appendEntries(2, [1, 1], [], { from: "n3" }), entries });
    expect(node.raft.configuration.members.length).toBe(4);
    node.step(snapshot(3, [3, 3]));
    expect(node.raft.configuration).toEqual(configurationOf(["n1", "n2", "n3"]));
    expect([node.disk.lastIndex(), node.disk.term(3)]).toEqual([3, 3]);
  });

  test("H5 one that contradicts what is committed, or is of the future, stops the node", () => {
    const node = new TestNode({ terms: [1, 1, 1], commit: 2 });
    expect(() => node.raft.step(snapshot(3, [2, 2]))).toThrow("contradicts the committed entry of term 1");
    expect(() => node.raft.step(snapshot(3, [9, 4]))).toThrow("a snapshot of term 4 from a leader of term 3");
    expect(() => new TestNode({ terms: [1], appliedIndex: 2 })).toThrow("below the applied index 2");
  });

  test("H9 it holds what is committed, so it is welcome although another one leads by now", () => {
    const node = new TestNode({ term: 5 });
    node.step(appendEntries(5, [0, 0], [], { from: "n3" }));
    node.step(snapshot(2, [11, 2], { from: "n2" }));
    expect([node.raft.commitIndex, node.raft.term, node.hardState.currentTerm]).toEqual([11, 5, 5]);
  });

  test("H12 between its arrival and the restart nothing moves", () => {
    const node = new TestNode({ terms: [1], preVote: true });
    node.raft.step(snapshot(2, [11, 2]));
    node.raft.campaign();
    for (let at = 0; at < 50; at += 1) node.raft.tick();
    node.raft.step(requestVote(9, [20, 8], { from: "n3", force: true }));
    node.raft.step(appendEntries(9, [1, 1], [9], { from: "n3" }));
    node.raft.readIndex(1);
    expect([node.raft.role, node.raft.propose([new Uint8Array(1)]).ok]).toEqual(["follower", false]);
    const ready = node.take();
    expect([ready.entries, ready.messages, ready.messagesAfterPersist]).toEqual([[], [], []]);
    expect([ready.install?.index, ready.reads]).toEqual([11, [{ context: 1, index: 0 }]]);
  });

  test("H12 what was being written when it arrived is written first", () => {
    const node = new TestNode();
    node.raft.step(appendEntries(2, [0, 0], [2, 2]));
    node.take();
    node.raft.step(appendEntries(2, [2, 2], [2]));
    node.raft.step(snapshot(2, [11, 2]));
    expect(node.raft.hasReady()).toBe(false);
    expect(node.persist().map(brief)).toEqual(["n1>n2 t2 AEr ok 2"]);
    const ready = node.take();
    expect([ready.entries.length, ready.install?.index]).toEqual([1, 11]);
  });

  test("H14 a node that the snapshot names as removed refuses it; one that it does not name yet takes it", () => {
    const removed = new TestNode();
    removed.step(snapshot(2, [11, 2], { configuration: configurationOf(["n2"], [], ["n1"]) }));
    expect([removed.raft.commitIndex, removed.raft.protocolErrors]).toEqual([0, 1]);
    const early = new TestNode({ configuration: configurationOf([]) });
    early.step(snapshot(2, [11, 2], { configuration: configurationOf(["n2", "n3"]) }));
    expect(early.raft.commitIndex).toBe(11);
    early.raft.campaign();
    expect(early.raft.role).toBe("follower");
  });

  test("H14 what no leader sends is refused", () => {
    const node = new TestNode();
    const whole = snapshot(2, [11, 2]);
    const wrong = [
      ...[{ to: "n2" }, { lastIndex: 0 }, { lastIndex: 1.5 }, { lastTerm: 0 }, { term: NaN }],
      ...[{ configuration: configurationOf([]) }, { configuration: configurationOf(["n1", "n1"]) }],
    ];
    for (const part of wrong) node.step({ ...whole, ...part });
    expect([node.raft.commitIndex, node.raft.protocolErrors]).toEqual([0, wrong.length]);
  });

  test.each([
    ["voter", "learner", configurationOf(["n2", "n3"], ["n1"]), "follower"],
    ["learner", "voter", configurationOf(["n1", "n2", "n3"]), "candidate"],
  ])("H15 it may make a %s a %s", (before, _, configuration, role) => {
    const was = before === "voter" ? configurationOf(["n1", "n2", "n3"]) : configurationOf(["n2", "n3"], ["n1"]);
    const node = new TestNode({ configuration: was });
    node.step(snapshot(2, [11, 2], { configuration }));
    node.raft.campaign();
    expect(node.raft.role).toBe(role);
  });

  test("a node that restarts with it in place goes on from there", () => {
    const node = new TestNode({ terms: [1] });
    node.step(snapshot(2, [11, 2]));
    node.restart();
    node.step(appendEntries(2, [11, 2], [2], { commit: 12 }));
    expect(node.applied.map(({ index }) => index)).toEqual([12]);
  });
});

describe("a node that lost its applied records, and not its log", () => {
  test("votes and acknowledges, applies nothing, and takes a snapshot that its log goes on from", () => {
    const node = new TestNode({ terms: [1, 1, 1], commit: 3, needsSnapshot: true });
    node.disk.compact(2);
    node.restart({ appliedIndex: 0, needsSnapshot: true });
    expect(node.step(appendEntries(1, [3, 1], [1], { commit: 4 })).map(brief)).toEqual(["n1>n2 t1 AEr ok 4"]);
    expect(node.step(requestVote(2, [9, 1], { from: "n3" })).map(brief)).toEqual(["n1>n3 t2 RVr ok"]);
    expect([node.applied, node.raft.commitIndex]).toEqual([[], 4]);
    node.step(snapshot(2, [1, 1]));
    expect(node.needsSnapshot).toBe(true);
    node.step(snapshot(2, [3, 1]));
    expect([node.needsSnapshot, node.disk.firstIndex(), node.disk.lastIndex()]).toEqual([false, 4, 4]);
    node.step(appendEntries(3, [4, 1], [], { commit: 4 }));
    expect(node.applied.map(({ index }) => index)).toEqual([4]);
  });

  test("leads only to bring its log to the others, and hands over", () => {
    const network = new Network([{ terms: [1, 1], needsSnapshot: true }, { terms: [1] }]);
    network.campaign("n2");
    expect(network.leaders()).toEqual([]);
    network.delivered = [];
    network.campaign("n1");
    expect(network.leaders()).toEqual(["n2"]);
    expect(network.node("n1").applied).toEqual([]);
    expect(network.node("n2").terms.slice(0, 2)).toEqual([1, 1]);
    expect(network.node("n2").raft.commitIndex).toBe(4);
  });

  test("takes no proposals while it leads", () => {
    const node = new TestNode({ needsSnapshot: true, preVote: false }).elect();
    expect(node.raft.role).toBe("leader");
    expect(node.raft.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "not_leader" });
  });

  test("does not campaign while it does not know who is a member", () => {
    const node = new TestNode({ terms: [1, 1], needsSnapshot: true, configuration: configurationOf([]) });
    expect(node.tick(100)).toEqual([]);
  });
});
