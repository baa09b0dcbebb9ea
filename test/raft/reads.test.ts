import { describe, expect, test } from "vitest";
import type { Message } from "../../raft/types.js";
import { remove } from "./changes.js";
import { accepted, configurationOf, heartbeat, heartbeatResponse, only } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

/** A leader that has committed its opening entry. */
function serving(): TestNode {
  const node = new TestNode().elect();
  node.step(accepted(1, 1), accepted(1, 1, "n3"));
  return node;
}

/** Asks and returns the round that its heartbeats carry. */
function ask(node: TestNode, context: number): number {
  node.raft.readIndex(context);
  const rounds = only(node.pump(), "Heartbeat").map((message) => message.context);
  expect(new Set(rounds).size).toBe(1);
  return rounds[0] ?? 0;
}

describe("K: linearizable reads", () => {
  test("K1 a leader answers at the commit index of the question, once a quorum confirmed the round", () => {
    const node = serving();
    const round = ask(node, 7);
    expect([round > 0, node.reads]).toEqual([true, []]);
    node.propose("x");
    node.step(accepted(1, 2));
    expect(node.raft.commitIndex).toBe(2);
    node.step(heartbeatResponse(1, 0));
    expect(node.reads).toEqual([]);
    node.step(heartbeatResponse(1, round));
    expect(node.reads).toEqual([{ context: 7, index: 1 }]);
    node.step(heartbeatResponse(1, round, "n3"));
    expect(node.reads.length).toBe(1);
  });

  test("K1 reads of one turn share a round; a round confirms those before it", () => {
    const node = serving();
    node.raft.readIndex(1);
    node.raft.readIndex(2);
    const first = only(node.pump(), "Heartbeat");
    expect(first.length).toBe(2);
    const second = ask(node, 3);
    node.step(heartbeatResponse(1, second));
    expect(node.reads.map((read) => read.context)).toEqual([1, 2, 3]);
  });

  test("K1 K11 a lost round is repeated by the next heartbeat, a confirmed one waits for nothing more", () => {
    const node = serving();
    const round = ask(node, 1);
    expect(only(node.tick(), "Heartbeat").map((message) => message.context)).toEqual([round, round]);
    node.step(heartbeatResponse(1, round));
    expect(only(node.tick(), "Heartbeat").map((message) => message.context)).toEqual([0, 0]);
  });

  test("K1 a single voter answers at once", () => {
    const node = new TestNode({ voters: ["n1"] }).elect();
    node.raft.readIndex(1);
    expect(node.take().reads).toEqual([{ context: 1, index: 1 }]);
  });

  test("K2 a follower asks the leader", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.propose("n1", "x");
    network.node("n2").raft.readIndex(5);
    network.settle();
    expect(network.node("n2").reads).toEqual([{ context: 5, index: 2 }]);
    expect(network.node("n1").reads).toEqual([]);
  });

  test("K2 without a leader, or from a node that does not lead, the answer is: ask again", () => {
    const node = new TestNode();
    node.raft.readIndex(1);
    expect(node.take().reads).toEqual([{ context: 1, index: 0 }]);
    node.persist();
    node.step(heartbeat(1));
    const answers = node.step({ type: "ReadIndex", from: "n3", to: "n1", term: 1, context: 9 });
    expect(only(answers, "ReadIndexResponse")).toMatchObject([{ to: "n3", context: 9, index: 0 }]);
  });

  test("K2 a question whose answer is lost is refused in the end", () => {
    const node = new TestNode({ random: () => 0.99 });
    node.step(heartbeat(1));
    node.raft.readIndex(1);
    for (let at = 0; at < 19; at += 1) {
      node.tick();
      node.step(heartbeat(1));
    }
    expect(node.reads).toEqual([]);
    node.tick();
    expect(node.reads).toEqual([{ context: 1, index: 0 }]);
  });

  test("K3 a new leader defers reads until it has committed in its term", () => {
    const node = new TestNode({ terms: [1, 1], term: 1 }).elect();
    node.raft.readIndex(1);
    expect(only(node.pump(), "Heartbeat")).toEqual([]);
    const [round] = only(node.step(accepted(2, 3)), "Heartbeat").map((message) => message.context);
    expect(node.reads).toEqual([]);
    node.step(heartbeatResponse(2, round ?? 0));
    expect(node.reads).toEqual([{ context: 1, index: 3 }]);
  });

  test("K4 an isolated old leader never answers, and refuses when it steps down", () => {
    const network = new Network(3, { preVote: true, checkQuorum: true });
    network.campaign("n1");
    network.isolate("n1");
    network.node("n1").raft.readIndex(1);
    network.tick("n1", 9);
    expect(network.node("n1").reads).toEqual([]);
    network.tick("n1");
    expect(network.node("n1").reads).toEqual([{ context: 1, index: 0 }]);
  });

  test("K5 a late confirmation of an earlier round does not confirm a later read", () => {
    const node = serving();
    const first = ask(node, 1);
    const second = ask(node, 2);
    expect(second).toBeGreaterThan(first);
    node.step(heartbeatResponse(1, first));
    expect(node.reads).toEqual([{ context: 1, index: 1 }]);
    const third = ask(node, 3);
    node.step(heartbeatResponse(1, first, "n3"), heartbeatResponse(1, second, "n3"));
    expect(node.reads.map((read) => read.context)).toEqual([1, 2]);
    node.step(heartbeatResponse(1, third));
    expect(node.reads.map((read) => read.context)).toEqual([1, 2, 3]);
  });

  test("K5 an old leader that missed an election is not confirmed by what was under way before it", () => {
    const network = new Network(3, { preVote: true });
    network.campaign("n1");
    const late: Message[] = [];
    network.allow = (message) => message.type !== "HeartbeatResponse" || late.push(message) === 0;
    network.node("n1").raft.readIndex(1);
    network.settle();
    expect(late.length).toBe(2);
    network.isolate("n1");
    network.campaign("n2");
    network.propose("n2", "x");
    network.node("n1").raft.readIndex(2);
    network.settle();
    for (const message of late) network.deliver(message);
    // The first was asked before the other leader existed.
    expect(network.node("n1").reads).toEqual([{ context: 1, index: 1 }]);
    network.heal();
    network.tick("n1");
    expect(network.node("n1").reads.slice(1)).toEqual([{ context: 2, index: 0 }]);
  });

  test("K5 a read asked while a round is under way waits for the next one", () => {
    const node = serving();
    const first = ask(node, 1);
    node.raft.readIndex(2);
    node.raft.step(heartbeatResponse(1, first));
    node.pump();
    expect(node.reads.map((read) => read.context)).toEqual([1]);
  });

  test("K6 a context asked twice is answered once, for the later question", () => {
    const follower = new TestNode();
    follower.step(heartbeat(1));
    follower.raft.readIndex(1);
    const [early] = only(follower.pump(), "ReadIndex");
    follower.raft.readIndex(1);
    const [late] = only(follower.pump(), "ReadIndex");
    const response = (context: number | undefined, index: number) =>
      ({ type: "ReadIndexResponse", from: "n2", to: "n1", term: 1, context: context ?? 0, index }) as const;
    follower.step(response(early?.context, 4));
    expect(follower.reads).toEqual([]);
    follower.step(response(late?.context, 6), response(late?.context, 6));
    expect(follower.reads).toEqual([{ context: 1, index: 6 }]);
  });

  test("K6 answers to an earlier life of a node do not match", () => {
    const draws = [0.1, 0.2, 0.3, 0.4];
    const node = new TestNode({ random: () => draws.shift() ?? 0 });
    const question = (): number => {
      node.step(heartbeat(1));
      node.raft.readIndex(1);
      return only(node.pump(), "ReadIndex")[0]?.context ?? 0;
    };
    const before = question();
    node.restart();
    question();
    node.step({ type: "ReadIndexResponse", from: "n2", to: "n1", term: 1, context: before, index: 4 });
    expect(node.reads).toEqual([]);
  });

  test("K7 only voters confirm, and only rounds that were opened", () => {
    const node = serving();
    const round = ask(node, 1);
    node.step(heartbeatResponse(1, round, "n9"), heartbeatResponse(1, round + 1));
    expect([node.reads, node.raft.protocolErrors]).toEqual([[], 1]);
  });

  test("K9 a leader that was stopped answers no read before a majority has confirmed it again", () => {
    const network = new Network(3, { preVote: true, checkQuorum: true });
    network.campaign("n1");
    network.tickAll(3);
    // Stopped for three timeouts: no time passes for it, and what the others send waits.
    network.isolate("n1");
    network.tick("n2", 10);
    network.tick("n3", 10);
    expect(network.leaders()).toEqual(["n1", "n3"]);
    network.propose("n3", "x");
    network.node("n1").raft.readIndex(1);
    network.settle();
    expect(network.node("n1").reads).toEqual([]);
    network.heal();
    network.tick("n1");
    expect(network.node("n1").reads).toEqual([{ context: 1, index: 0 }]);
    network.tick("n3");
    network.node("n1").raft.readIndex(2);
    network.settle();
    expect(network.node("n1").reads.at(-1)).toEqual({ context: 2, index: network.node("n3").raft.commitIndex });
  });

  test("K7 nor do learners and those that were removed", () => {
    const node = new TestNode({ configuration: configurationOf(["n1", "n2", "n3"], ["n4"]) }).elect();
    node.step(accepted(1, 1));
    const round = ask(node, 1);
    node.step(heartbeatResponse(1, round, "n4"));
    expect(node.reads).toEqual([]);
    const other = serving();
    other.raft.changeMembers(remove("n3"));
    const asked = ask(other, 1);
    other.step(heartbeatResponse(1, asked, "n3"));
    expect(other.reads).toEqual([]);
    other.step(heartbeatResponse(1, asked));
    expect(other.reads).toEqual([{ context: 1, index: 1 }]);
  });

  test("K8 a read that waits for a member is answered when that is removed and the others are enough", () => {
    const node = new TestNode({ voters: ["n1", "n2"] }).elect();
    node.step(accepted(1, 1));
    ask(node, 1);
    expect(node.reads).toEqual([]);
    node.raft.changeMembers(remove("n2"));
    node.pump();
    expect(node.reads).toEqual([{ context: 1, index: 1 }]);
    const four = new TestNode({ voters: ["n1", "n2", "n3", "n4"] }).elect();
    four.step(accepted(1, 1), accepted(1, 1, "n3"));
    const round = ask(four, 1);
    four.step(heartbeatResponse(1, round));
    expect(four.reads).toEqual([]);
    four.raft.changeMembers(remove("n4"));
    four.pump();
    expect(four.reads).toEqual([{ context: 1, index: 1 }]);
  });

  test("K8 also one that was asked in the same turn as the removal", () => {
    const node = new TestNode({ voters: ["n1", "n2"] }).elect();
    node.step(accepted(1, 1));
    node.raft.readIndex(1);
    node.raft.changeMembers(remove("n2"));
    node.pump();
    expect(node.reads).toEqual([{ context: 1, index: 1 }]);
  });

  test("K10 the index of a read is one that its node may still have to apply", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.allow = (message) => message.to !== "n3" || message.type !== "AppendEntries";
    network.propose("n1", "x");
    network.node("n3").raft.readIndex(1);
    network.settle();
    expect(network.node("n3").reads).toEqual([{ context: 1, index: 2 }]);
    expect(network.node("n3").appliedIndex).toBeLessThan(2);
  });

  test("K11 every question is refused when the leader changes", () => {
    const follower = new TestNode();
    follower.step(heartbeat(1));
    follower.raft.readIndex(1);
    follower.raft.readIndex(2);
    follower.step(heartbeat(2, { from: "n3" }));
    expect(follower.reads).toEqual([
      { context: 1, index: 0 },
      { context: 2, index: 0 },
    ]);
    const leader = serving();
    const round = ask(leader, 1);
    leader.step(heartbeat(2));
    expect(leader.reads).toEqual([{ context: 1, index: 0 }]);
    leader.step(heartbeatResponse(1, round), heartbeatResponse(1, round, "n3"));
    expect(leader.reads.length).toBe(1);
  });
});
