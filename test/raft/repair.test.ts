import { describe, expect, test } from "vitest";
import { noConfiguration } from "../../raft/configuration.js";
import { MemoryLog } from "../../raft/memory-log.js";
import { RaftLog } from "../../raft/log.js";
import type { Message, Term } from "../../raft/types.js";
import { add, cluster, remove } from "./changes.js";
import { accepted, appendEntries, brief, entriesOf, heartbeatResponse, only, rejected } from "./messages.js";
import { Network } from "./network.js";
import { TestNode } from "./node.js";

const noReady = { entries: [], messages: [], messagesAfterPersist: [], committed: [], reads: [], snapshotsTo: [] };

/** A leader of the term after its log, its own first entry not yet answered for. */
function leaderOf(terms: readonly Term[]): TestNode {
  return new TestNode({ terms }).elect();
}

describe("E: conflict repair", () => {
  const figure7 = {
    leader: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };

  test("E7 the logs of figure 7 converge, with at most one probe per term", () => {
    const network = new Network(Object.values(figure7).map((terms) => ({ terms, term: 7 })));
    network.campaign("n1");
    const probes = new Map<string, number>();
    for (const message of only(network.delivered, "AppendEntriesResponse")) {
      if (!message.success) probes.set(message.from, (probes.get(message.from) ?? 0) + 1);
    }
    expect(network.logs()).toEqual(Array(7).fill([...figure7.leader, 8]));
    Object.values(figure7).forEach((terms, at) => {
      expect(probes.get(`n${at + 1}`) ?? 0).toBeLessThanOrEqual(new Set(terms).size + 1);
    });
  });

  test("E8 the same logs, reached through elections alone", () => {
    const network = new Network(7);
    const [leader, a, b, c, d, e, f] = ["n1", "n2", "n3", "n4", "n5", "n6", "n7"] as const;
    const lead = (id: string, times: number, ...reached: readonly string[]): void => {
      network.allow = (message) => message.type !== "AppendEntries" || reached.includes(message.to);
      network.campaign(id);
      expect(network.leaders()).toContain(id);
      for (let at = 0; at < times; at += 1) network.propose(id, `${id} ${at} of ${network.node(id).raft.term}`);
    };
    lead(f, 2, leader, a, b, c, d, e);
    // f restarts before each of its terms, so that it may campaign again.
    network.restart(f);
    lead(f, 2);
    network.restart(f);
    lead(f, 4);
    lead(e, 0, leader, a, b, c, d);
    network.allow = (message) => message.type !== "AppendEntries" || [leader, a, c, d].includes(message.to as "n1");
    network.propose(e, "5");
    network.allow = (message) => message.type !== "AppendEntries";
    network.propose(e, "6", "7");
    lead(leader, 1, a, c, d);
    lead(c, 1, leader, a, d);
    network.allow = (message) => message.type !== "AppendEntries" || message.to === leader || message.to === d;
    network.propose(c, "10");
    network.allow = (message) => message.type !== "AppendEntries";
    network.propose(c, "11");
    lead(d, 1);
    expect(network.logs()).toEqual(Object.values(figure7));
    network.heal();
    network.campaign(leader);
    expect(network.logs()).toEqual(Array(7).fill([...figure7.leader, 8]));
  });

  test("E9 E10 a leader that rewrites its log, or a second history of an entry, does not go unnoticed", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.propose("n1", "x", "y");
    const rewriting = { ...noReady, entries: entriesOf([1], 2) };
    const check = (): void => network.invariants.taken(network.node("n1"), rewriting);
    expect(check).toThrow("LeaderAppendOnly");
    network.campaign("n2");
    expect(check).toThrow("LogMatching");
  });

  test.each([
    [
      [1, 2, 2, 4, 4, 4, 4],
      [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3],
      [7, 3],
      [3, 2],
    ],
    [
      [1, 2, 2, 3, 4, 4, 4, 5],
      [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3],
      [8, 3],
      [4, 3],
    ],
    [
      [1, 1, 1, 1],
      [1, 2, 2, 4],
      [1, 1],
      [1, 1],
    ],
    [
      [1, 1, 1, 1, 1, 1],
      [1, 2, 2, 4],
      [1, 1],
      [1, 1],
    ],
    [
      [1, 1, 1, 1],
      [1, 2, 2, 4, 4, 4],
      [1, 1],
      [1, 1],
    ],
    [
      [1, 1, 1, 4, 5],
      [1, 1, 1, 4],
      [4, 4],
      [4, 4],
    ],
    [
      [2, 5, 5, 5, 5, 5, 5, 5, 5],
      [2, 4, 4, 4, 4, 4],
      [6, 4],
      [1, 2],
    ],
    [
      [2, 2, 2, 2, 2],
      [2, 4, 4, 4, 4, 4, 4, 4],
      [1, 2],
      [1, 2],
    ],
  ])("E11 leader %o, follower %o: hint %o, next probe %o", (leaderLog, followerLog, hint, probe) => {
    const term = Math.max(...leaderLog, ...followerLog);
    const leader = new TestNode({ terms: leaderLog, term });
    const [first] = only(leader.elect().step(heartbeatResponse(term + 1, 0, "n3")), "AppendEntries");
    expect(first).toMatchObject({ to: "n3", prevLogIndex: leaderLog.length });
    const follower = new TestNode({ id: "n3", terms: followerLog, term });
    const [answer] = only(follower.step(first as Message), "AppendEntriesResponse");
    expect([answer?.hint?.index, answer?.hint?.term]).toEqual(hint);
    const [next] = only(leader.step(answer as Message), "AppendEntries");
    expect([next?.prevLogIndex, next?.prevLogTerm]).toEqual(probe);
  });

  test("E11 a follower that cut its log gives no term: the next probe is one below", () => {
    const leader = leaderOf([1, 1, 3]);
    const [probe] = only(leader.step(rejected(4, 3, [3, 0])), "AppendEntries");
    expect([probe?.prevLogIndex, probe?.prevLogTerm]).toEqual([2, 1]);
  });

  test.each([
    [5, 5, 5, 5],
    [5, 6, 5, 5],
    [5, 4, 2, 2],
    [5, 1, 0, 0],
    [100, 2, 100, 0],
  ])("E12 in [2,2,5,5,5] from %i with term %i: %i", (index, term, found, foundTerm) => {
    const log = new RaftLog(new MemoryLog(entriesOf([2, 2, 5, 5, 5])), {
      commitIndex: 0,
      appliedIndex: 0,
      configuration: noConfiguration,
    });
    expect(log.findConflictByTerm(index, term)).toEqual({ index: found, term: foundTerm });
  });

  test("E12 in what was cut there is nothing to find", () => {
    const disk = new MemoryLog(entriesOf([2, 2, 5, 5, 5]));
    disk.compact(3);
    const log = new RaftLog(disk, { commitIndex: 3, appliedIndex: 3, configuration: noConfiguration });
    expect(log.findConflictByTerm(2, 5)).toEqual({ index: 2, term: 0 });
    expect(log.findConflictByTerm(5, 4)).toEqual({ index: 2, term: 0 });
    expect(log.findConflictByTerm(5, 5)).toEqual({ index: 5, term: 5 });
  });
});

describe("E: late and repeated answers, the leader", () => {
  test("E13 entries in the wrong order: the late refusal does not push the leader below what matches", () => {
    const swapped = new TestNode({ id: "n2", voters: ["n1", "n2"], term: 1 });
    const [early] = swapped.step(appendEntries(1, [1, 1], [1], { from: "n1", to: "n2" }));
    expect(brief(early as Message)).toBe("n2>n1 t1 AEr rej (0,0)");
    const inOrder = [appendEntries(1, [0, 0], [1], { from: "n1", to: "n2" })];
    inOrder.push(appendEntries(1, [1, 1], [1], { from: "n1", to: "n2" }));
    expect(inOrder.flatMap((message) => swapped.step(message)).map(brief)).toEqual([
      "n2>n1 t1 AEr ok 1",
      "n2>n1 t1 AEr ok 2",
    ]);
    const leader = new TestNode({ voters: ["n1", "n2"] }).elect();
    leader.step(accepted(1, 1));
    leader.propose("x");
    leader.step(accepted(1, 2));
    const sent = only(leader.step(early as Message), "AppendEntries");
    expect(sent.every((message) => message.prevLogIndex >= 2)).toBe(true);
    expect(leader.raft.status().progress["n2"]).toMatchObject({ matchIndex: 2, lost: false });
  });

  test("E14 E15 repeated acknowledgements and stale refusals change nothing", () => {
    const leader = leaderOf([1, 1, 1, 1, 1, 1, 1, 1]);
    leader.step(accepted(2, 9), accepted(2, 5), rejected(2, 4, [3, 1]), rejected(2, 9, [3, 1]));
    expect(leader.raft.status().progress["n2"]).toMatchObject({
      matchIndex: 9,
      nextIndex: 10,
      mode: "replicate",
      lost: false,
    });
  });

  test("E16 a heartbeat tells a follower no more than it is known to have", () => {
    const leader = new TestNode({ voters: ["n1", "n2", "n3"] }).elect();
    leader.propose("x", "y");
    leader.step(accepted(1, 3, "n2"), accepted(1, 1, "n3"));
    const told = only(leader.tick(), "Heartbeat").map((message) => [message.to, message.leaderCommit]);
    expect(told).toEqual([
      ["n2", 3],
      ["n3", 1],
    ]);
  });

  test("E17 a follower that denies what it acknowledged is lost: it gets nothing and counts for nothing", () => {
    const leader = leaderOf([1, 1, 1]);
    leader.step(accepted(2, 4));
    expect(leader.raft.commitIndex).toBe(4);
    const [append] = only(leader.propose("x"), "AppendEntries");
    expect(append).toMatchObject({ to: "n2", prevLogIndex: 4 });
    // Its disk is empty now. First doubt: ask at what it acknowledged; then it is certain.
    leader.propose("y");
    const [probe] = only(leader.step(rejected(2, 5, [0, 0])), "AppendEntries");
    expect(probe).toMatchObject({ to: "n2", prevLogIndex: 4 });
    expect(leader.raft.status().progress["n2"]?.lost).toBe(false);
    expect(leader.step(rejected(2, 4, [0, 0]))).toEqual([]);
    expect(leader.raft.status().progress["n2"]?.lost).toBe(true);
    expect(only(leader.step(heartbeatResponse(2, 0)), "AppendEntries").map(brief)).toEqual(["n1>n2 t2 AE(4,2)[] c4"]);
    expect(only(leader.tick(), "Heartbeat").map((message) => message.leaderCommit)).toEqual([0, 0]);
    leader.step(rejected(2, 4, [0, 0]));
    // With n3 alone there is still a majority, without n2.
    leader.step(accepted(2, 6, "n3"));
    expect(leader.raft.commitIndex).toBe(6);
  });

  test("E17 what a lost follower acknowledged does not help to commit", () => {
    const leader = new TestNode({ voters: ["n1", "n2", "n3", "n4", "n5"] }).elect();
    leader.step(accepted(1, 1), accepted(1, 1, "n3"));
    leader.propose("x");
    leader.propose("y");
    leader.step(accepted(1, 2), rejected(1, 3, [0, 0]), rejected(1, 2, [0, 0]), accepted(1, 2, "n3"));
    expect(leader.raft.status().progress["n2"]?.lost).toBe(true);
    expect(leader.raft.commitIndex).toBe(1);
    leader.step(accepted(1, 2, "n4"));
    expect(leader.raft.commitIndex).toBe(2);
  });

  test("E17 a lost follower that shows its entries after all is taken back", () => {
    const leader = leaderOf([1, 1, 1]);
    leader.step(accepted(2, 4), rejected(2, 5, [0, 0]));
    leader.propose("x");
    leader.step(rejected(2, 5, [0, 0]), rejected(2, 4, [0, 0]));
    expect(leader.raft.status().progress["n2"]?.lost).toBe(true);
    const sent = only(leader.step(accepted(2, 4)), "AppendEntries");
    expect(sent.map(brief)).toEqual(["n1>n2 t2 AE(4,2)[2] c4"]);
    expect(leader.raft.status().progress["n2"]).toMatchObject({ lost: false, mode: "replicate" });
  });

  test("E17 one that cannot be asked any more, as the log was cut, gets a snapshot; the alarm stands until it shows it", () => {
    const leader = leaderOf([1, 1, 1]);
    leader.step(accepted(2, 4), accepted(2, 4, "n3"), rejected(2, 5, [0, 0]));
    leader.propose("x", "y");
    leader.step(rejected(2, 5, [0, 0]), rejected(2, 4, [0, 0]), accepted(2, 6, "n3"));
    expect(leader.raft.status().progress["n2"]).toMatchObject({ mode: "probe", lost: true });
    leader.disk.compact(5);
    leader.raft.step(heartbeatResponse(2, 0));
    expect(leader.take().snapshotsTo).toEqual(["n2"]);
    leader.persist();
    expect(leader.raft.status().progress["n2"]).toMatchObject({ mode: "snapshot", lost: true });
    leader.step(accepted(2, 5));
    expect(leader.raft.status().progress["n2"]).toMatchObject({ mode: "replicate", lost: false });
  });

  test("E17 the way back for who lost everything is another id: the lost one is removed, a new one added", () => {
    const network = cluster(3);
    network.propose("n1", "x");
    const empty = new TestNode({ id: "n3", configuration: noConfiguration });
    network.nodes.set("n3", empty);
    network.invariants.started(empty);
    network.allow = ({ from, to }) => ![from, to].includes("n3");
    expect(network.change("n1", remove("n3")).ok).toBe(true);
    network.enlist("n1", "n4");
    expect(network.node("n4").terms).toEqual(network.node("n1").terms);
    expect(network.change("n1", add("n3"))).toEqual({ ok: false, reason: "reused" });
  });

  test("an acknowledgement of entries that the leader does not have is refused", () => {
    const leader = leaderOf([]);
    leader.step(accepted(1, 9));
    expect([leader.raft.commitIndex, leader.raft.protocolErrors]).toEqual([0, 1]);
  });
});
