import { describe, expect, test } from "vitest";
import { membersMax, removedMax, votersOf } from "../../raft/configuration.js";
import { voteResult } from "../../raft/quorum.js";
import type { MemberChange } from "../../raft/types.js";
import { add, cluster, leading, membersAt, promote, remove } from "./changes.js";
import { accepted, appendEntries, brief, configurationOf, only, vote } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

describe("I: learners", () => {
  test("I1 a learner does not campaign, neither on a timeout nor when it is called to", () => {
    const node = new TestNode({ id: "n4", configuration: configurationOf(["n1", "n2", "n3"], ["n4"]) });
    expect(node.tick(100)).toEqual([]);
    expect(node.step({ type: "TimeoutNow", from: "n1", to: "n4", term: 1 })).toEqual([]);
    expect([node.raft.role, node.raft.term]).toEqual(["follower", 1]);
  });

  test("I2 a learner gets every entry and counts for nothing", () => {
    const network = cluster(3, 1);
    network.isolate("n2", "n3");
    network.propose("n1", "x");
    expect(network.node("n4").terms).toEqual([1, 1]);
    expect(network.commits()).toEqual([1, 1, 1, 1]);
    const candidate = new TestNode({ configuration: configurationOf(["n1", "n2", "n3"], ["n4"]) });
    candidate.raft.campaign();
    expect(candidate.pump().map(brief)).toEqual(["n1>n2 t1 RV(0,0)", "n1>n3 t1 RV(0,0)"]);
    candidate.step(vote(1, "n4"));
    expect(candidate.raft.role).toBe("candidate");
  });

  test("I3 a promoted learner campaigns", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.enlist("n1", "n4");
    expect(membersAt(network, "n4")).toEqual(["n1", "n2", "n3", "n4"]);
    network.campaign("n4");
    expect(network.leaders()).toEqual(["n4"]);
  });

  test("I4 a learner that does not know of its promotion votes", () => {
    const network = cluster(2, 1);
    network.allow = ({ type, to }) => to !== "n3" || type !== "AppendEntries";
    expect(network.change("n1", promote("n3")).ok).toBe(true);
    expect(network.commits()).toEqual([2, 2, 1]);
    network.heal();
    network.isolate("n1");
    network.campaign("n2");
    expect(network.leaders()).toContain("n2");
    expect(membersAt(network, "n3")).toEqual(["n1", "n2", "n3"]);
  });

  test("a learner is promoted only when it is there and has caught up", () => {
    const node = leading({ configuration: configurationOf(["n1", "n2", "n3"], ["n4"]) });
    expect(node.raft.changeMembers(promote("n4"))).toEqual({ ok: false, reason: "behind" });
    node.step(accepted(1, 1, "n4"));
    node.raft.propose(Array<Uint8Array>(5000).fill(new Uint8Array(1)));
    node.pump();
    node.step(accepted(1, 5001), accepted(1, 905, "n4"));
    expect(node.raft.commitIndex).toBe(5001);
    node.step(accepted(1, 904, "n4"));
    expect(node.raft.changeMembers(promote("n4")).ok).toBe(true);
    const other = leading({ configuration: configurationOf(["n1", "n2", "n3"], ["n4"]) });
    other.step(accepted(1, 1, "n4"));
    other.raft.propose(Array<Uint8Array>(5000).fill(new Uint8Array(1)));
    other.pump();
    other.step(accepted(1, 5001), accepted(1, 904, "n4"));
    expect(other.raft.changeMembers(promote("n4"))).toEqual({ ok: false, reason: "behind" });
    other.step(accepted(1, 5001, "n4"));
    other.tick(10);
    expect(other.raft.changeMembers(promote("n4"))).toEqual({ ok: false, reason: "behind" });
  });
});

describe("I: one change at a time", () => {
  test("what cannot be changed is refused with the reason, and nothing happens", () => {
    const configuration = configurationOf(["n1", "n2", "n3"], ["n4"], ["n9"]);
    const node = new TestNode({ configuration }).elect();
    const refused = (change: MemberChange, term?: number): unknown => {
      const changed = node.raft.changeMembers(change, term);
      return changed.ok ? changed : changed.reason;
    };
    expect(refused(add("n5"))).toBe("not_ready");
    node.step(accepted(1, 1));
    expect(refused(add("n5"), 2)).toBe("stale_term");
    expect(refused(add("n1"))).toBe("exists");
    expect(refused(add("n4"))).toBe("exists");
    expect(refused(promote("n2"))).toBe("exists");
    expect(refused(promote("n7"))).toBe("unknown");
    expect(refused(remove("n7"))).toBe("unknown");
    expect([node.terms, node.raft.configuration]).toEqual([[1], configuration]);
    expect(refused(add("n5"), 1)).toEqual({ ok: true, index: 2, term: 1 });
    expect(new TestNode().raft.changeMembers(add("n5"))).toEqual({ ok: false, reason: "not_leader" });
    const alone = new TestNode({ configuration: configurationOf(["n1"], ["n2"]) }).elect();
    expect(alone.raft.changeMembers(remove("n1"))).toEqual({ ok: false, reason: "last_voter" });
    expect(alone.raft.changeMembers(remove("n2")).ok).toBe(true);
  });

  test("neither members nor removed ids grow without bound", () => {
    const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, at) => `${prefix}${at}`);
    const full = new TestNode({ configuration: configurationOf(["n1"], ids("l", membersMax - 1)) }).elect();
    expect(full.raft.changeMembers(add("n9"))).toEqual({ ok: false, reason: "full" });
    const old = new TestNode({ configuration: configurationOf(["n1"], ["n2"], ids("r", removedMax)) }).elect();
    expect(old.raft.changeMembers(remove("n2"))).toEqual({ ok: false, reason: "full" });
  });

  test("a configuration is in force on append, at the leader and at its followers", () => {
    const node = leading();
    node.raft.changeMembers(remove("n3"));
    expect(node.raft.configuration).toEqual(configurationOf(["n1", "n2"], [], ["n3"]));
    const [append] = only(node.pump(), "AppendEntries");
    expect(append?.entries.map((entry) => entry.kind)).toEqual(["configuration"]);
    expect(node.raft.status().changing).toBe(true);
    const follower = new TestNode({ id: "n2", terms: [1] });
    follower.step({ ...appendEntries(1, [1, 1], [], { from: "n1", to: "n2" }), entries: append?.entries ?? [] });
    expect([follower.raft.configuration, follower.raft.commitIndex]).toEqual([node.raft.configuration, 0]);
    follower.restart();
    expect(follower.raft.configuration).toEqual(node.raft.configuration);
  });

  test("I5 a change that is truncated is undone", () => {
    const network = cluster(3);
    network.isolate("n1");
    network.change("n1", add("n4"));
    expect(membersAt(network, "n1")).toEqual(["n1", "n2", "n3", "(n4)"]);
    network.restart("n1");
    expect(membersAt(network, "n1")).toEqual(["n1", "n2", "n3", "(n4)"]);
    network.campaign("n2");
    network.heal();
    network.propose("n2", "x");
    network.tick("n2", 2);
    expect(membersAt(network, "n1")).toEqual(["n1", "n2", "n3"]);
    expect(network.logs()).toEqual(Array(3).fill([1, 2, 2]));
  });

  test("I6 I7 a change is accepted only when the one before is committed, also by the next leader", () => {
    const network = cluster(3);
    network.allow = ({ type, to }) => type !== "AppendEntries" || to === "n2";
    network.node("n1").raft.changeMembers(add("n4"));
    network.pump();
    expect(network.node("n1").raft.changeMembers(add("n5"))).toEqual({ ok: false, reason: "pending" });
    network.allow = ({ type, from }) => type !== "AppendEntriesResponse" || from !== "n2";
    network.settle();
    network.allow = ({ type }) => type !== "AppendEntriesResponse";
    network.campaign("n2");
    expect(network.leaders()).toContain("n2");
    expect(membersAt(network, "n2")).toEqual(["n1", "n2", "n3", "(n4)"]);
    expect(network.change("n2", add("n5"))).toEqual({ ok: false, reason: "not_ready" });
    network.heal();
    network.join("n4");
    network.tick("n2", 2);
    expect(network.change("n2", add("n5")).ok).toBe(true);
  });

  test.each([
    ["I8 one adds and one removes", 4, 1, promote("n5"), remove("n4")],
    ["I9 both add", 4, 2, promote("n5"), promote("n6")],
    ["I9 both remove", 5, 0, remove("n5"), remove("n4")],
  ])("%s: two leaders cannot commit different changes of one configuration", (_, voters, learners, first, second) => {
    const network = cluster(voters, learners);
    const others = ["n2", "n3", "n4", "n6"];
    const before = network.node("n1").raft.configuration;
    // n1 writes its change with n5 alone, the others elect n2.
    network.allow = ({ from, to }) => others.includes(from) === others.includes(to);
    network.change("n1", first);
    expect(network.node("n1").raft.status().changing).toBe(true);
    const side = network.allow;
    network.allow = (message) => side(message) && message.type !== "AppendEntries";
    network.campaign("n2");
    expect(network.leaders()).toContain("n2");
    expect(network.node("n2").raft.configuration).toEqual(before);
    expect(network.change("n2", second)).toEqual({ ok: false, reason: "not_ready" });
    network.allow = side;
    network.tick("n2", 2);
    expect(network.change("n2", second).ok).toBe(true);
    // n1 would win with n4 and n5, but n4 has an entry of n2 by now.
    network.allow = ({ from, to }) => [from, to].every((id) => ["n1", "n4", "n5"].includes(id));
    network.restart("n1");
    for (let at = 0; at < 3; at += 1) network.campaign("n1");
    expect(network.node("n1").raft.role).toBe("candidate");
    network.heal();
    network.isolate(...network.node("n2").raft.configuration.removed);
    for (let at = 0; at < 3; at += 1) network.campaign("n3");
    network.tick("n3", 2);
    expect(network.leaders()).toContain("n3");
    expect(network.node("n1").raft.configuration).toEqual(network.node("n3").raft.configuration);
  });

  test("I10 with its followers gone a leader can begin one change and no other", () => {
    const network = cluster(3);
    network.isolate("n2", "n3");
    network.join("n4");
    expect(network.change("n1", add("n4")).ok).toBe(true);
    network.tick("n1", 3);
    expect(network.node("n4").terms).toEqual([1, 1]);
    expect(network.change("n1", add("n5"))).toEqual({ ok: false, reason: "pending" });
    expect(network.node("n1").raft.commitIndex).toBe(1);
  });

  test.each([2, 3, 4, 5])(
    "I22 what commits a change of %i voters leaves no majority that has not heard of it",
    (size) => {
      const before = Array.from({ length: size }, (_, at) => `n${at + 1}`);
      const another = `n${size + 1}`;
      for (const change of [promote(another), remove(`n${size}`)]) {
        const committed: boolean[] = [];
        for (let heard = 0; heard < 2 ** size; heard += 1) {
          const node = new TestNode({ configuration: configurationOf(before, [another]) }).elect();
          for (const id of [...before.slice(1), another]) node.step(accepted(1, 1, id));
          expect(node.raft.changeMembers(change).ok).toBe(true);
          node.pump();
          const after = votersOf(node.raft.configuration);
          const hearers = [...before.slice(1), another].filter((_, at) => (heard & (1 << at)) !== 0);
          for (const id of hearers) node.step(accepted(1, 2, id));
          const counted = 1 + hearers.filter((id) => after.includes(id)).length;
          expect(node.raft.commitIndex >= 2, `${change.kind}, heard by ${hearers.join()}`).toBe(
            counted > after.length / 2,
          );
          committed.push(node.raft.commitIndex >= 2);
          if (node.raft.commitIndex < 2) continue;
          // Those who still act by the configuration before it cannot elect one of them, who could change that as well.
          const rivals = before.filter((id) => id !== "n1" && !hearers.includes(id));
          const votes = new Map(rivals.map((id) => [id, true]));
          expect(voteResult(before, votes), `${change.kind}, heard by ${hearers.join()}`).not.toBe("won");
        }
        expect(new Set(committed)).toEqual(new Set(change.kind === "remove" && size === 2 ? [true] : [true, false]));
      }
    },
  );
});
