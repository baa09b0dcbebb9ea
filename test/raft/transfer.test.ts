import { describe, expect, test } from "vitest";
import { cluster, leading, remove } from "./changes.js";
import { accepted, brief, configurationOf, heartbeatResponse, only, requestVote, vote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, randomOf } from "./node.js";

const careful = { preVote: true, checkQuorum: true };
const one = new Uint8Array([1]);

/** As {@link leading}, both followers up to date. */
function handingOver(to: string): TestNode {
  const node = leading();
  expect(node.raft.transferTo(to)).toEqual({ ok: true });
  return node;
}

describe("J: leadership transfer", () => {
  test("J1 a voter that has everything is told at once, and leads", () => {
    const network = cluster(3, 0, careful);
    network.delivered = [];
    expect(network.node("n1").raft.transferTo("n2")).toEqual({ ok: true });
    network.settle();
    expect(network.transcript()[0]).toBe("n1>n2 t1 TN");
    expect(network.roles()).toEqual(["n1 follower t2", "n2 leader t2", "n3 follower t2"]);
  });

  test("J2 who does not lead refuses, and names the leader to forward to", () => {
    const network = cluster(3);
    const { raft } = network.node("n2");
    expect([raft.transferTo("n3"), raft.leader]).toEqual([{ ok: false, reason: "not_leader" }, "n1"]);
  });

  test("J3 a voter that lags is caught up first", () => {
    const network = cluster(3);
    network.isolate("n3");
    network.propose("n1", "x", "y");
    network.node("n1").raft.transferTo("n3");
    network.settle();
    expect(network.leaders()).toEqual(["n1"]);
    network.heal();
    network.tick("n1", 2);
    expect(network.leaders()).toEqual(["n3"]);
    expect(network.logs()).toEqual(Array(3).fill([1, 1, 1, 2]));
  });

  test("J4 to itself, to a stranger, to a learner: nothing happens", () => {
    const node = leading({ configuration: configurationOf(["n1", "n2", "n3"], ["n4"]) });
    const reasons = ["n1", "n9", "n4"].map((id) => node.raft.transferTo(id));
    expect(reasons).toEqual(["self", "unknown", "learner"].map((reason) => ({ ok: false, reason })));
    expect([node.raft.status().transferTo, node.raft.propose([one]).ok]).toEqual([null, true]);
  });

  test("J5 to a voter that is cut off: no proposals for an election timeout, then as before", () => {
    const network = cluster(3, 0, careful);
    network.isolate("n3");
    network.propose("n1", "x");
    const { raft } = network.node("n1");
    raft.transferTo("n3");
    network.tick("n1", 9);
    expect(raft.propose([one])).toEqual({ ok: false, reason: "transferring" });
    expect(raft.changeMembers(remove("n3"))).toEqual({ ok: false, reason: "transferring" });
    network.tick("n1");
    expect([raft.role, raft.status().transferTo, raft.propose([one]).ok]).toEqual(["leader", null, true]);
  });

  test("J5 a call that was lost is repeated with the next sign of life", () => {
    const node = handingOver("n2");
    expect(only(node.pump(), "TimeoutNow").length).toBe(1);
    expect(only(node.step(heartbeatResponse(1, 0)), "TimeoutNow").map(brief)).toEqual(["n1>n2 t1 TN"]);
    expect(only(node.step(heartbeatResponse(1, 0, "n3")), "TimeoutNow")).toEqual([]);
  });

  test("J6 asked again the time goes on; another one takes its place; for this node it is called off", () => {
    const node = leading();
    node.propose("x");
    node.raft.transferTo("n2");
    node.tick(6);
    node.raft.transferTo("n2");
    node.tick(4);
    expect(node.raft.status().transferTo).toBe(null);
    node.raft.transferTo("n2");
    node.tick(6);
    node.raft.transferTo("n3");
    node.tick(9);
    expect(node.raft.status().transferTo).toBe("n3");
    expect(node.raft.transferTo("n1")).toEqual({ ok: false, reason: "self" });
    expect([node.raft.status().transferTo, node.raft.propose([one]).ok]).toEqual([null, true]);
  });

  test("J7 members do not change while a transfer is under way, so its target stays", () => {
    const node = leading();
    node.raft.changeMembers(remove("n2"));
    expect(node.raft.transferTo("n2")).toEqual({ ok: false, reason: "unknown" });
    const other = handingOver("n2");
    expect(other.raft.changeMembers(remove("n2"))).toEqual({ ok: false, reason: "transferring" });
  });

  test("J8 C14 a later term ends the transfer along with the leadership", () => {
    const node = handingOver("n2");
    node.step(requestVote(5, [9, 4], { from: "n3" }));
    expect([node.raft.role, node.raft.term, node.raft.status().transferTo]).toEqual(["follower", 5, null]);
    expect(node.tick(20).filter(({ type }) => type === "TimeoutNow")).toEqual([]);
  });

  test("J9 the voters let go of a leader that is alive, without PreVote", () => {
    const network = cluster(5, 0, careful);
    network.delivered = [];
    network.node("n1").raft.transferTo("n4");
    network.settle();
    const requests = only(network.delivered, "RequestVote");
    expect(requests.every(({ force, preVote }) => force && !preVote)).toBe(true);
    expect(network.leaders()).toEqual(["n4"]);
  });

  test("J10 what was decided under an earlier term of the same leader is refused", () => {
    const network = cluster(3);
    const { raft } = network.node("n1");
    network.campaign("n2");
    network.campaign("n1");
    expect([raft.role, raft.term]).toEqual(["leader", 3]);
    expect(raft.propose([one], 1)).toEqual({ ok: false, reason: "stale_term" });
    expect(raft.changeMembers(remove("n3"), 1)).toEqual({ ok: false, reason: "stale_term" });
  });

  test("J11 a node that is no member ignores the call, and votes for it lead to nothing", () => {
    const node = new TestNode({ id: "n1", configuration: configurationOf(["n2", "n3"]) });
    expect(node.step({ type: "TimeoutNow", from: "n2", to: "n1", term: 1 })).toEqual([]);
    node.step(vote(1, "n2"), vote(1, "n3"));
    expect([node.raft.role, node.raft.term]).toEqual(["follower", 1]);
  });

  test("J12 a hundred transfers while entries are proposed lose none that was committed", () => {
    const random = randomOf(12);
    const network = cluster(3, 0, { ...careful, random });
    const committed: number[] = [];
    for (let at = 0; at < 100; at += 1) {
      const [from] = network.leaders();
      const to = ["n1", "n2", "n3"].filter((id) => id !== from)[at % 2] ?? "";
      const leader = network.node(from ?? "");
      leader.raft.propose([new Uint8Array([at])]);
      if (random() < 0.5) network.pump();
      expect(leader.raft.transferTo(to).ok).toBe(true);
      leader.raft.propose([new Uint8Array([at])]);
      let ticks = 0;
      for (network.settle(); network.leaders()[0] !== to; ticks += 1) network.tickAll();
      expect(ticks).toBeLessThanOrEqual(10);
      committed.push(Math.max(...network.commits()));
    }
    network.tickAll(2);
    // Whatever is committed is checked against every later leader on the way.
    expect(network.invariants.committed.length - 1).toBeGreaterThanOrEqual(committed.at(-1) ?? Infinity);
    const accepted = network.node("n1").applied.filter(({ data }) => data.length > 0).length;
    expect(accepted).toBe(100);
  });

  test("a target that has lost what it acknowledged is not called", () => {
    const node = leading();
    node.propose("x");
    node.step(accepted(1, 2));
    node.step({ ...accepted(1, 0), prevLogIndex: 3, success: false, hint: { index: 0, term: 0 } });
    expect(node.raft.transferTo("n2")).toEqual({ ok: true });
    expect(only(node.tick(20), "TimeoutNow").length).toBe(1);
  });

  test("a network of one has nobody to hand over to", () => {
    const network = new Network(1);
    network.campaign("n1");
    expect(network.node("n1").raft.transferTo("n2")).toEqual({ ok: false, reason: "unknown" });
  });
});
