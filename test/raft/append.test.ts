import { describe, expect, test } from "vitest";
import type { Message } from "../../raft/types.js";
import { appendEntries, brief, entriesOf, heartbeat } from "./messages.js";
import { TestNode } from "./node.js";

describe("E: append and log matching, the follower", () => {
  test.each([
    [[0, 0], "AEr ok 1"],
    [[1, 1], "AEr ok 1"],
    [[2, 2], "AEr ok 2"],
    [[2, 1], "AEr rej (1,1)"],
    [[3, 3], "AEr rej (2,2)"],
  ] as const)("E1 log [1,2] committed to 1, entries after %o: %s", (prev, answer) => {
    const node = new TestNode({ terms: [1, 2], term: 3, commit: 1 });
    expect(node.step(appendEntries(3, prev, [])).map(brief)).toEqual([`n1>n2 t3 ${answer}`]);
  });

  test.each([
    [[2, 2], [3], [1, 2, 3], [3]],
    [
      [1, 1],
      [3, 4],
      [1, 3, 4],
      [3, 4],
    ],
    [[0, 0], [1], [1, 2], []],
    [[0, 0], [3], [3], [3]],
  ] as const)("E2 log [1,2], after %o come %o: %o", (prev, terms, after, written) => {
    const node = new TestNode({ terms: [1, 2], term: 4 });
    node.raft.step(appendEntries(4, prev, terms));
    expect(node.take().entries.map((entry) => entry.term)).toEqual(written);
    node.persist();
    expect(node.terms).toEqual(after);
  });

  test.each([
    [[1, 1], [], 1, 2, 1],
    [[0, 0], [1], 1, 2, 1],
    [[0, 0], [2], 1, 1, 1],
    [[2, 2], [2, 2], 3, 4, 3],
    [[2, 2], [2], 4, 3, 3],
    [[1, 1], [2], 4, 2, 2],
    [[1, 1], [], 3, 2, 1],
    [[2, 2], [], 4, 2, 2],
    [[3, 2], [], 3, 2, 0],
    [[2, 1], [], 3, 2, 0],
  ] as const)(
    "E3 log [1,2], after %o come %o with commit %i: length %i, commit %i",
    (prev, terms, commit, length, after) => {
      const node = new TestNode({ terms: [1, 2] });
      const answers = node.step(appendEntries(2, prev, terms, { commit }));
      expect([node.terms.length, node.raft.commitIndex]).toEqual([length, after]);
      expect(answers.map(brief).join()).toMatch(after === 0 ? "AEr rej" : "AEr ok");
    },
  );

  test("E4 a conflict with a committed entry is fatal", () => {
    const node = new TestNode({ terms: [1, 2, 3], term: 4, commit: 1 });
    expect(() => node.raft.step(appendEntries(4, [0, 0], [4]))).toThrow("conflicts with a committed entry");
    const denied = new TestNode({ terms: [1, 2, 3], term: 4, commit: 2 });
    expect(() => denied.raft.step(appendEntries(4, [2, 3], []))).toThrow("denies the committed entry 2");
  });

  test("E5 entries from below the commit index are answered at the commit index", () => {
    const node = new TestNode({ terms: [1, 1, 1, 1], commit: 3 });
    expect(node.step(appendEntries(1, [1, 1], [1])).map(brief)).toEqual(["n1>n2 t1 AEr ok 3"]);
    expect(node.terms).toEqual([1, 1, 1, 1]);
    node.restart({ appliedIndex: 3 });
    node.disk.compact(3);
    expect(node.step(appendEntries(1, [1, 1], [1])).map(brief)).toEqual(["n1>n2 t1 AEr ok 3"]);
    expect(node.step(appendEntries(1, [1, 1], [1, 1, 1, 1])).map(brief)).toEqual(["n1>n2 t1 AEr ok 5"]);
  });

  test("E6 a delayed shorter message does not shorten the log", () => {
    const node = new TestNode({ term: 1 });
    node.step(appendEntries(1, [0, 0], [1, 1, 1]));
    node.raft.step(appendEntries(1, [0, 0], [1]));
    expect(node.take().entries).toEqual([]);
    node.persist();
    expect(node.terms).toEqual([1, 1, 1]);
  });

  test("E16 a heartbeat's commit index beyond the log is cut to it", () => {
    const node = new TestNode({ terms: [1, 1] });
    node.step(heartbeat(1, { commit: 9 }));
    expect([node.raft.commitIndex, node.applied.length]).toEqual([2, 2]);
  });

  test.each([
    ["a hole", (call: Message) => ({ ...call, entries: entriesOf([1], 3) })],
    ["a falling term", (call: Message) => ({ ...call, entries: entriesOf([2, 1], 2) })],
    ["an entry of a term to come", (call: Message) => ({ ...call, entries: entriesOf([3], 2) })],
    ["a fraction", (call: Message) => ({ ...call, leaderCommit: 0.5 })],
    ["a negative index", (call: Message) => ({ ...call, leaderCommit: -1 })],
    ["an unsafe integer", (call: Message) => ({ ...call, leaderCommit: 2 ** 53 })],
    ["no number", (call: Message) => ({ ...call, term: Number.NaN })],
    ["a position without a term", (call: Message) => ({ ...call, prevLogTerm: 0, entries: [] })],
    ["an unknown type", (call: Message) => ({ ...call, type: "Install" })],
  ])("E18 %s is refused and counted", (_, spoil) => {
    const node = new TestNode({ terms: [1], term: 2 });
    expect(node.step(spoil(appendEntries(2, [1, 1], [])) as Message)).toEqual([]);
    expect([node.terms, node.raft.leader, node.raft.protocolErrors]).toEqual([[1], null, 1]);
  });

  test("E19 the confirmation of a write says nothing about entries replaced meanwhile", () => {
    const node = new TestNode({ terms: [1], term: 1 });
    node.raft.step(appendEntries(1, [1, 1], [1]));
    node.take();
    node.raft.step(appendEntries(2, [1, 1], [2], { from: "n3", commit: 2 }));
    node.raft.step(heartbeat(3));
    node.persist();
    expect([node.terms, node.raft.commitIndex]).toEqual([[1, 1], 2]);
    const ready = node.take();
    expect(ready.committed.map((entry) => entry.index)).toEqual([1]);
    expect(ready.entries.map((entry) => [entry.index, entry.term])).toEqual([[2, 2]]);
    node.persist();
    expect(node.terms).toEqual([1, 2]);
  });

  test("E19 an entry that came back after being replaced is written again", () => {
    const node = new TestNode({ terms: [1], term: 1 });
    node.raft.step(appendEntries(1, [1, 1], [1]));
    node.take();
    node.raft.step(appendEntries(2, [1, 1], [2], { from: "n3" }));
    node.raft.step(appendEntries(3, [1, 1], [1, 3], { from: "n2" }));
    node.persist();
    expect(node.take().entries.map((entry) => entry.term)).toEqual([1, 3]);
    expect(node.persist().map(brief)).toEqual(["n1>n2 t3 AEr ok 3"]);
    expect(node.terms).toEqual([1, 1, 3]);
  });
});
