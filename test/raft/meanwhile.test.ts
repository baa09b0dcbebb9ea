/**
 * What leaves while a write is under way: what promises nothing of it, once.
 */
import { expect, test } from "vitest";
import { appendEntries, brief, heartbeat, requestVote, vote } from "./messages.js";
import { TestNode } from "./node.js";

const meanwhile = (node: TestNode): readonly string[] => node.raft.takeMessages().map(brief);

/** With its first entry written, and a second one under way. */
function writingLeader(): TestNode {
  const node = new TestNode();
  node.raft.campaign();
  node.pump();
  node.step(vote(1, "n2"));
  node.raft.propose([new Uint8Array(1)]);
  node.take();
  return node;
}

test("a leader's heartbeats", () => {
  const node = writingLeader();
  expect(meanwhile(node)).toEqual([]);
  node.raft.tick();
  expect(meanwhile(node)).toEqual(["n1>n2 t1 HB c0", "n1>n3 t1 HB c0"]);
  expect(meanwhile(node)).toEqual([]);
  node.persist();
  expect(node.pump().map(brief)).toEqual([]);
});

test("a follower's answer to a heartbeat, and not that to what it is writing", () => {
  const node = new TestNode({ term: 1 });
  node.raft.step(appendEntries(1, [0, 0], [1]));
  node.take();
  node.raft.step(heartbeat(1));
  expect(meanwhile(node)).toEqual(["n1>n2 t1 HBr"]);
  expect(node.persist().map(brief)).toEqual(["n1>n2 t1 AEr ok 1"]);
});

test("nothing of a term or a vote that is not on disk", () => {
  const node = new TestNode({ term: 1 });
  node.raft.step(appendEntries(1, [0, 0], [1]));
  node.take();
  node.raft.step(heartbeat(2, { from: "n3" }));
  node.raft.step(requestVote(3, [1, 1]));
  expect(meanwhile(node)).toEqual([]);
  node.persist();
  node.take();
  node.raft.step(heartbeat(4, { from: "n3" }));
  expect(meanwhile(node)).toEqual([]);
});
