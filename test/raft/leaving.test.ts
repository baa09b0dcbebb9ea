import { describe, expect, test } from "vitest";
import { encodeConfiguration } from "../../raft/configuration.js";
import type { Message } from "../../raft/types.js";
import { add, cluster, leading, membersAt, remove } from "./changes.js";
import {
  accepted,
  appendEntries,
  brief,
  configurationOf,
  heartbeat,
  heartbeatResponse,
  only,
  requestVote,
  vote,
} from "./messages.js";
import { TestNode } from "./node.js";

const careful = { preVote: true, checkQuorum: true };

describe("I: leaving", () => {
  test("I11 a leader that removes itself does not count itself, and hands over when that is committed", () => {
    const network = cluster(3, 0, careful);
    network.allow = ({ type, from }) => type !== "AppendEntriesResponse" || from !== "n3";
    expect(network.change("n1", remove("n1")).ok).toBe(true);
    network.propose("n1", "x");
    // Of n2 and n3 both are needed now.
    expect([network.node("n1").raft.role, network.node("n1").raft.commitIndex]).toEqual(["leader", 1]);
    network.heal();
    network.delivered = [];
    network.tick("n1", 2);
    expect(network.transcript()).toContain("n1>n2 t1 TN");
    expect(network.leaders()).toEqual(["n2"]);
    expect(network.node("n1").raft.role).toBe("follower");
    expect(network.node("n2").raft.commitIndex).toBe(4);
    network.node("n1").raft.campaign();
    expect(network.node("n1").tick(50)).toEqual([]);
    expect(network.node("n1").raft.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "not_leader" });
  });

  test("I11 of two voters the leader leaves: the other one alone commits it", () => {
    const network = cluster(2);
    network.change("n1", remove("n1"));
    expect(network.leaders()).toEqual(["n2"]);
    network.propose("n2", "x");
    expect(network.node("n2").raft.commitIndex).toBe(network.node("n2").terms.length);
  });

  test("I11 figure 4.6: who alone has the entry that removes it still campaigns, until that is committed", () => {
    const network = cluster(2);
    network.isolate("n1");
    network.change("n1", remove("n1"));
    network.restart("n1");
    network.heal();
    // n2 cannot win without n1, whose log is longer.
    network.campaign("n2");
    expect(network.leaders()).toEqual([]);
    network.campaign("n1");
    network.tick("n1", 2);
    expect(network.leaders()).toEqual(["n2"]);
    expect(membersAt(network, "n2")).toEqual(["n2"]);
    network.tick("n1", 50);
    expect(network.roles()[0]).toMatch("n1 follower");
  });

  test("I12 a removed node that does not know it neither deposes the leader nor comes back through an old one", () => {
    const network = cluster(3, 0, { checkQuorum: true });
    network.isolate("n3");
    network.change("n1", remove("n3"));
    network.heal();
    network.tick("n3", 100);
    expect(network.node("n3").raft.term).toBeGreaterThan(5);
    network.tick("n1");
    expect(network.roles().slice(0, 2)).toEqual(["n1 leader t1", "n2 follower t1"]);
    const { entries } = appendEntries(1, [2, 1], [1]);
    const resurrected = { ...entries[0], index: 3, term: 1, kind: "configuration", data: new Uint8Array() } as const;
    const data = encodeConfiguration(configurationOf(["n1", "n2", "n3"]));
    network.campaign("n2");
    const late = { ...appendEntries(1, [2, 1], [], { from: "n1", to: "n2" }), entries: [{ ...resurrected, data }] };
    network.node("n2").raft.step(late);
    network.settle();
    expect(membersAt(network, "n2")).toEqual(["n1", "n2"]);
  });

  test("I12 nor does one that was called to take over before it was removed, and hears of it only then", () => {
    const network = cluster(3, 0, { preVote: true, checkQuorum: true });
    const late: Message[] = [];
    network.allow = (message) => message.type !== "TimeoutNow" || (late.push(message), false);
    network.node("n1").raft.transferTo("n3");
    network.settle();
    network.tick("n1", 10);
    network.isolate("n3");
    expect(network.change("n1", remove("n3")).ok).toBe(true);
    network.heal();
    network.tick("n1");
    for (const message of late) network.deliver(message);
    network.settle();
    expect(network.roles()).toEqual(["n1 leader t1", "n2 follower t1", "n3 candidate t2"]);
  });

  test("I11 it hands over to whoever was heard of last, of those that have the most", () => {
    const node = leading();
    node.tick(3);
    node.step(heartbeatResponse(1, 0, "n3"));
    node.raft.changeMembers(remove("n1"));
    node.pump();
    node.step({ ...accepted(1, 2) });
    node.tick();
    const [call] = only(node.step(accepted(1, 2, "n3")), "TimeoutNow");
    expect(call?.to).toBe("n3");
  });

  test("I13 a voter and a removed one are no majority", () => {
    const network = cluster(4);
    network.isolate("n4");
    network.change("n1", remove("n4"));
    network.heal();
    network.allow = ({ from, to }) => ["n3", "n4"].includes(from) === ["n3", "n4"].includes(to);
    for (let at = 0; at < 3; at += 1) {
      network.campaign("n3");
      network.campaign("n4");
    }
    expect(network.leaders()).toEqual(["n1"]);
    network.propose("n1", "x");
    expect(network.node("n1").raft.commitIndex).toBe(3);
  });

  test("I14 a learner that returns with a much later term costs one election, and never leads", () => {
    const network = cluster(3, 1, careful);
    const learner = network.node("n4");
    learner.hardState = { ...learner.hardState, currentTerm: 21 };
    learner.restart({ appliedIndex: 0 });
    network.invariants.started(learner);
    network.tickAll(40);
    const [leader] = network.leaders();
    expect(leader).toMatch(/n[123]/);
    expect(network.node(leader ?? "").raft.term).toBeGreaterThanOrEqual(21);
    network.propose(leader ?? "", "x");
    expect(new Set(network.commits()).size).toBe(1);
    expect(learner.raft.role).toBe("follower");
  });

  test("I15 what counts for a campaign is the log, applied or not", () => {
    const entryOf = (voters: string[], learners: string[] = []) => ({
      ...{ index: 1, term: 1, kind: "configuration" as const },
      data: encodeConfiguration(configurationOf(voters, learners, [])),
    });
    const removed = new TestNode({ configuration: configurationOf(["n1", "n2"]) });
    removed.raft.step({ ...appendEntries(1, [0, 0], [], { commit: 1 }), entries: [entryOf(["n2"])] });
    removed.raft.campaign();
    expect([removed.raft.role, removed.appliedIndex]).toEqual(["follower", 0]);
    const promoted = new TestNode({ configuration: configurationOf(["n2"], ["n1"]) });
    promoted.raft.campaign();
    expect(promoted.raft.role).toBe("follower");
    promoted.raft.step({ ...appendEntries(1, [0, 0], [], { commit: 1 }), entries: [entryOf(["n2", "n1"])] });
    promoted.raft.campaign();
    expect([promoted.raft.role, promoted.appliedIndex]).toEqual(["candidate", 0]);
  });

  test("I17 an id is used once: neither a member nor a removed one can be added again", () => {
    const network = cluster(3);
    expect(network.change("n1", remove("n3")).ok).toBe(true);
    expect(network.change("n1", add("n3"))).toEqual({ ok: false, reason: "reused" });
    expect(network.change("n1", add("n2"))).toEqual({ ok: false, reason: "exists" });
    // Wiped, it knows of nobody, and does not lead itself through what it once was.
    const wiped = network.join("n3");
    network.tick("n3", 100);
    expect([wiped.raft.role, wiped.raft.term]).toEqual(["follower", 0]);
  });

  test("I23 a leader keeps nothing of a member that is gone, and asks a new one at once where its log stands", () => {
    const network = cluster(3);
    network.isolate("n3");
    network.propose("n1", "x", "y");
    network.change("n1", remove("n3"));
    expect(Object.keys(network.node("n1").raft.status().progress)).toEqual(["n2"]);
    network.heal();
    network.delivered = [];
    network.tick("n1", 3);
    expect(network.delivered.filter((message) => message.to === "n3")).toEqual([]);
    network.join("n4");
    network.change("n1", add("n4"));
    expect(Object.keys(network.node("n1").raft.status().progress)).toEqual(["n2", "n4"]);
    expect(network.node("n4").terms).toEqual([1, 1, 1, 1, 1]);
  });

  test("late answers of a member that is gone are nothing", () => {
    const node = leading();
    node.raft.changeMembers(remove("n3"));
    node.pump();
    node.step(accepted(1, 2, "n3"), { ...accepted(9, 2, "n3"), success: false }, vote(9, "n3", { granted: false }));
    expect([node.raft.role, node.raft.term, node.raft.commitIndex]).toEqual(["leader", 1, 1]);
    expect(node.raft.protocolErrors).toBe(0);
  });
});

describe("I: joining", () => {
  test("a node without any configuration waits, votes, and learns from whoever leads", () => {
    const node = new TestNode({ configuration: configurationOf([]) });
    expect(node.tick(100)).toEqual([]);
    expect(node.step(requestVote(2, [0, 0])).map(brief)).toEqual(["n1>n2 t2 RVr ok"]);
    const data = encodeConfiguration(configurationOf(["n2"], ["n1"]));
    const entries = [{ index: 1, term: 2, kind: "configuration" as const, data }];
    node.step({ ...appendEntries(2, [0, 0], [], { commit: 1 }), entries }, heartbeat(2, { commit: 1 }));
    expect(node.configuration).toEqual(configurationOf(["n2"], ["n1"]));
  });

  test("every member is replaced, one after the other, while entries are committed", () => {
    const network = cluster(3, 0, careful);
    for (const [out, into] of [
      ["n1", "n4"],
      ["n2", "n5"],
      ["n3", "n6"],
    ] as const) {
      const [leader] = network.leaders();
      network.enlist(leader ?? "", into);
      network.propose(leader ?? "", into);
      expect(network.change(leader ?? "", remove(out)).ok).toBe(true);
      network.tickAll(2);
      expect(network.leaders().length).toBe(1);
    }
    const [leader] = network.leaders();
    network.propose(leader ?? "", "last");
    expect(membersAt(network, leader ?? "")).toEqual(["n4", "n5", "n6"]);
    const logs = ["n4", "n5", "n6"].map((id) => network.node(id).terms);
    expect(logs).toEqual(Array(3).fill(logs[0]));
    const { commitIndex } = network.node(leader ?? "").raft;
    expect(commitIndex).toBe(logs[0]?.length);
  });
});
