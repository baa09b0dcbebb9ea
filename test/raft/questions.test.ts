import { describe, expect, test } from "vitest";
import type { Message } from "../../raft/types.js";
import { accepted, configurationOf, only } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

const question = (from: string, term = 1): Message => ({ type: "ReadIndex", from, to: "n1", term, context: 9 });

/** What the leader n1 answers without having heard of anybody else since. */
function answersOf(voters: readonly string[], learners: readonly string[], from: string): unknown[] {
  const node = new TestNode({ configuration: configurationOf(voters, learners) }).elect();
  node.step(...["n2", "n3", "n4"].map((id) => accepted(1, 1, id)));
  expect(node.raft.commitIndex).toBe(1);
  const sent = node.step(question(from));
  return [only(sent, "ReadIndexResponse").map(({ index }) => index), only(sent, "Heartbeat").length > 0];
}

describe("K: a question of a follower is a confirmation", () => {
  test.each([
    ["of two", ["n1", "n2"], [], "n2", [[1], false]],
    ["of three", ["n1", "n2", "n3"], [], "n3", [[1], false]],
    ["of four", ["n1", "n2", "n3", "n4"], [], "n2", [[], true]],
    ["of a learner, beside three voters", ["n1", "n2", "n3"], ["n4"], "n4", [[], true]],
    ["of a learner, beside a single voter", ["n1"], ["n2"], "n2", [[1], false]],
  ])("%s", (_, voters, learners, from, expected) => {
    expect(answersOf(voters, learners, from)).toEqual(expected);
  });

  test("the leader's own question is none", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.isolate("n1");
    network.node("n1").raft.readIndex(1);
    network.settle();
    expect(network.node("n1").reads).toEqual([]);
  });

  test("it is answered at the commit index of when it arrives, by two messages", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.propose("n1", "x");
    network.delivered = [];
    network.node("n3").raft.readIndex(5);
    network.settle();
    expect(network.delivered.map(({ type }) => type)).toEqual(["ReadIndex", "ReadIndexResponse"]);
    expect(network.node("n3").reads).toEqual([{ context: 5, index: 2 }]);
  });

  test("one that was under way while another leader was elected serves no read of after that", () => {
    const network = new Network(3);
    network.campaign("n1");
    const late: Message[] = [];
    network.allow = (message) => message.type !== "ReadIndex" || late.push(message) === 0;
    network.node("n3").raft.readIndex(1);
    network.settle();
    expect(late.length).toBe(1);
    network.isolate("n1");
    network.campaign("n2");
    network.propose("n2", "y");
    // Its leader has changed, so it was told to ask again: of the new one.
    expect(network.node("n3").reads).toEqual([{ context: 1, index: 0 }]);
    network.heal();
    for (const message of late) network.deliver(message);
    network.settle();
    expect(network.node("n3").reads).toEqual([{ context: 1, index: 0 }]);
    network.node("n3").raft.readIndex(2);
    network.settle();
    expect(network.node("n3").reads.at(-1)).toEqual({ context: 2, index: network.node("n2").raft.commitIndex });
  });

  test("a question of an earlier term confirms nothing", () => {
    const node = new TestNode({ term: 1 }).elect();
    expect(node.raft.term).toBe(2);
    expect(only(node.step(question("n2", 1)), "ReadIndexResponse")).toEqual([]);
  });

  test("a leader that has committed nothing in its term answers when it has", () => {
    const node = new TestNode({ terms: [1], term: 1 }).elect();
    expect(only(node.step(question("n2", 2)), "ReadIndexResponse")).toEqual([]);
    const sent = node.step(accepted(2, 2, "n3"));
    expect(only(sent, "ReadIndexResponse").map(({ index }) => index)).toEqual([2]);
  });
});
