import { describe, expect, test } from "vitest";
import type { Term } from "../../raft/types.js";
import { remove } from "./changes.js";
import { accepted, appendEntries, brief, heartbeat, only, vote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

const voters = ["n1", "n2", "n3", "n4", "n5"];

/** What a leader of `term` with this log commits; the first match is its own, of what it has on disk, then its followers'. */
function committedBy(matches: readonly number[], terms: readonly Term[], term: Term): number {
  const own = terms.filter((one) => one === term);
  const followers = voters.slice(1, matches.length);
  const node = new TestNode({
    terms: terms.slice(0, terms.length - own.length),
    term: term - 1,
    voters: voters.slice(0, matches.length),
  });
  node.raft.campaign();
  node.take();
  node.persist();
  for (const id of followers) node.raft.step(vote(term, id));
  expect(node.raft.role).toBe("leader");
  // Without an entry of its term in the log, the opening one is still on its way to the disk.
  if (own.length === 0) node.take();
  else node.pump();
  if (own.length > 1) node.propose(...own.slice(1).map(String));
  expect(node.disk.lastIndex()).toBe(matches[0]);
  followers.forEach((id, at) => node.step(accepted(term, matches[at + 1] ?? 0, id)));
  return node.raft.commitIndex;
}

describe("F: committing", () => {
  test.each([
    [[1], [1], 1, 1],
    [[1], [1], 2, 0],
    [[2], [1, 2], 2, 2],
    // No leader has an entry of a later term: where a row says so, the second entry is of the same one.
    [[2, 1, 1], [1, 1], 1, 1],
    [[2, 1, 1], [1, 1], 2, 0],
    [[2, 1, 2], [1, 2], 2, 2],
    [[2, 1, 2], [1, 1], 2, 0],
    [[2, 1, 1, 1], [1, 1], 1, 1],
    [[2, 1, 1, 2], [1, 1], 1, 1],
    [[2, 1, 2, 2], [1, 2], 2, 2],
    [[2, 1, 2, 2], [1, 1], 2, 0],
    [[2, 1, 1], [1, 2], 2, 0],
    [[2, 1, 1, 2], [1, 2], 2, 0],
    [[3, 2, 2], [1, 1, 2], 2, 0],
    [[3, 2, 3], [1, 1, 2], 2, 3],
    [[3, 1, 2, 2], [1, 1, 2], 2, 0],
  ])("F1 matches %o of log %o in term %i: commit %i", (matches, terms, term, commit) => {
    expect(committedBy(matches, terms, term)).toBe(commit);
  });

  test.each([
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [3, 2, true],
    [5, 0, false],
    [5, 1, false],
    [5, 2, true],
    [5, 3, true],
    [5, 4, true],
  ])("F2 %i voters, %i acknowledgements: committed %s", (size, acks, committed) => {
    const node = new TestNode({ voters: voters.slice(0, size) }).elect();
    node.propose("x");
    for (let at = 0; at < acks; at += 1) node.step(accepted(1, 2, `n${at + 2}`));
    expect(node.raft.commitIndex).toBe(committed ? 2 : 0);
  });

  test("F3 entries of earlier terms are committed only along with one of the own", () => {
    const node = new TestNode({ terms: [1, 2] }).elect();
    const commits = [1, 2, 3].map((match) => {
      node.step(accepted(3, match));
      return node.raft.commitIndex;
    });
    expect(commits).toEqual([0, 0, 3]);
    expect(node.applied.map((entry) => entry.term)).toEqual([1, 2, 3]);
  });

  function cutOff(): Network {
    const network = new Network(5);
    network.campaign("n1");
    for (const id of ["n3", "n4", "n5"]) network.cut("n1", id);
    network.propose("n1", "x");
    network.propose("n1", "y");
    expect(network.node("n1").raft.commitIndex).toBe(1);
    network.heal();
    return network;
  }

  test("F4 a new leader commits what it inherited not before its own entry is on a majority", () => {
    const network = cutOff();
    network.allow = (message) => message.type !== "AppendEntries";
    network.campaign("n2");
    expect(network.node("n2").raft.commitIndex).toBe(1);
    network.heal();
    network.tick("n2");
    network.propose("n2", "z");
    expect(network.commits()).toEqual([5, 5, 5, 5, 5]);
  });

  test("F5 which its opening entry achieves at once", () => {
    const network = cutOff();
    network.campaign("n2");
    expect(network.node("n2").raft.commitIndex).toBe(4);
    expect(network.commits()).toEqual([4, 4, 4, 4, 4]);
  });

  /** Figure 3.7 up to (c): s1 leads term 4, its entry of term 2 is on three of five. */
  function figure8(): Network {
    const network = new Network([
      { terms: [1, 2], term: 3 },
      { terms: [1, 2], term: 3 },
      { terms: [1], term: 3, votedFor: "n5" },
      { terms: [1], term: 3, votedFor: "n5" },
      { terms: [1, 3], term: 3, votedFor: "n5" },
    ]);
    network.allow = (message) => message.type !== "AppendEntries";
    network.isolate("n5");
    network.campaign("n1");
    expect(network.roles()[0]).toBe("n1 leader t4");
    return network;
  }

  test("F6 an entry of an earlier term on a majority is not committed, and may be overwritten", () => {
    const network = figure8();
    network.heal();
    network.isolate("n5", "n4");
    // The old entry travels alone, the opening one of term 4 is held back.
    for (const id of ["n2", "n3"]) {
      const node = network.node(id);
      node.raft.step(appendEntries(4, [1, 1], [2], { from: "n1", to: id }));
      const [answer] = only(node.pump(), "AppendEntriesResponse");
      if (answer !== undefined) network.node("n1").raft.step(answer);
      network.queue.length = 0;
    }
    expect(network.node("n1").raft.status().progress).toMatchObject({ n2: { matchIndex: 2 }, n3: { matchIndex: 2 } });
    expect(network.node("n1").raft.commitIndex).toBe(0);
    network.heal();
    network.isolate("n1");
    network.campaign("n5");
    network.campaign("n5");
    expect(network.logs().slice(1)).toEqual(Array(4).fill([1, 3, 5]));
  });

  test("F6 once an entry of term 4 is on a majority, the other can never win", () => {
    const network = figure8();
    network.heal();
    network.isolate("n4", "n5");
    network.tick("n1");
    expect(network.node("n1").raft.commitIndex).toBe(3);
    network.heal();
    network.isolate("n1");
    for (let at = 0; at < 3; at += 1) network.campaign("n5");
    expect(network.node("n5").raft.role).not.toBe("leader");
    network.campaign("n2");
    expect(network.logs().slice(1)).toEqual(Array(4).fill([1, 2, 4, network.node("n2").raft.term]));
  });

  test("F7 a leader counts itself up to what it has on disk, and applies no further", () => {
    const one = new TestNode().elect();
    one.propose("2", "3");
    one.raft.propose([new Uint8Array([4]), new Uint8Array([5])]);
    one.take();
    one.raft.step(accepted(1, 5));
    expect(one.raft.commitIndex).toBe(3);
    one.raft.step(accepted(1, 5, "n3"));
    expect(one.raft.commitIndex).toBe(5);
    expect(one.applied).toEqual([]);
    one.persist();
    expect(one.take().committed.map((entry) => entry.index)).toEqual([1, 2, 3, 4, 5]);
  });

  test("F7 entries leave before the leader has them on disk", () => {
    const node = new TestNode().elect();
    node.step(accepted(1, 1), accepted(1, 1, "n3"));
    node.raft.propose([new Uint8Array([2])]);
    const ready = node.take();
    expect(only(ready.messages, "AppendEntries").map((message) => message.entries.length)).toEqual([1, 1]);
    expect(node.disk.lastIndex()).toBe(1);
  });

  test("F8 F12 committed entries come once and in order, also across a restart", () => {
    const node = new TestNode({ terms: [1, 1, 2, 2], commit: 3, appliedIndex: 2 });
    node.pump();
    expect(node.applied.map((entry) => entry.index)).toEqual([3]);
    node.restart();
    node.step(appendEntries(2, [4, 2], [2], { commit: 4 }), heartbeat(2, { commit: 5 }));
    expect(node.applied.map((entry) => entry.index)).toEqual([4, 5]);
    node.restart();
    node.pump();
    expect([node.raft.commitIndex, node.applied]).toEqual([5, []]);
  });

  test("F12 the commit index is written along with entries, and never for its own sake", () => {
    const node = new TestNode({ voters: ["n1"] }).elect();
    node.propose("x");
    expect([node.raft.commitIndex, node.raft.hasReady(), node.hardState.commitIndex]).toEqual([2, false, 1]);
    node.propose("y");
    expect([node.raft.commitIndex, node.hardState.commitIndex]).toEqual([3, 2]);
  });

  test("F9 the commit index of a follower does not fall", () => {
    const node = new TestNode({ terms: [1, 1, 1] });
    node.step(heartbeat(1, { commit: 3 }), heartbeat(1, { commit: 1 }), appendEntries(1, [3, 1], [], { commit: 2 }));
    expect(node.raft.commitIndex).toBe(3);
  });

  test("F10 what waits for a member is committed when that is removed and the others are enough", () => {
    const node = new TestNode({ voters: ["n1", "n2"] }).elect();
    node.step(accepted(1, 1));
    node.propose("hello");
    expect(node.raft.commitIndex).toBe(1);
    node.raft.changeMembers(remove("n2"));
    expect(node.raft.commitIndex).toBe(2);
    node.pump();
    expect([node.raft.commitIndex, node.applied.length]).toEqual([3, 3]);
  });

  test("F11 followers learn a new commit index at once, without waiting for a heartbeat", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.propose("n1", "x");
    expect(network.commits()).toEqual([2, 2, 2]);
    expect(network.delivered.some((message) => message.type === "Heartbeat")).toBe(false);
  });

  test("F11 also when the leader's own disk is the last to confirm", () => {
    const node = new TestNode().elect();
    node.step(accepted(1, 1), accepted(1, 1, "n3"));
    node.raft.propose([new Uint8Array([2])]);
    node.take();
    node.raft.step(accepted(1, 2));
    expect(node.raft.commitIndex).toBe(1);
    node.persist();
    expect(node.take().messages.map(brief)).toEqual(["n1>n2 t1 AE(2,1)[] c2", "n1>n3 t1 AE(2,1)[] c2"]);
  });

  test("F11 a follower that missed the message learns it with the next heartbeat", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.allow = (message) => message.to !== "n3" || message.type !== "AppendEntries" || message.entries.length > 0;
    network.propose("n1", "x");
    expect(network.commits()).toEqual([2, 2, 1]);
    network.tick("n1");
    expect(network.commits()).toEqual([2, 2, 2]);
  });

  test("a log that ends below what was committed or applied does not start", () => {
    expect(() => new TestNode({ terms: [1], commit: 2 })).toThrow("below the recorded commit index 2");
    expect(() => new TestNode({ terms: [1], appliedIndex: 2 })).toThrow("below the applied index 2");
    expect(() => new TestNode({ terms: [3], term: 2 })).toThrow("later term");
    expect(() => new TestNode({ voters: ["n1", "n1"] })).toThrow("names an id twice");
  });
});
