import { describe, expect, test } from "vitest";
import { add, cluster, membersAt, promote } from "./changes.js";
import { accepted, brief, configurationOf, heartbeatResponse, only, rejected, snapshot } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, type NodeSetup } from "./node.js";

const ones = (count: number): number[] => Array<number>(count).fill(1);

/** n1 leads in term 2 with a log of ten entries and its opening one, cut up to index 9; n2 has everything. */
function cutLeader(setup: NodeSetup = {}): TestNode {
  const node = new TestNode({ terms: ones(10), appliedIndex: 10, commit: 10, ...setup }).elect();
  node.step(accepted(2, 11));
  node.disk.compact(9);
  return node;
}

describe("H: who gets one", () => {
  test("H10 a follower that needs what is cut is named once, gets no entries, and is asked with every heartbeat", () => {
    const node = cutLeader();
    node.step(heartbeatResponse(2, 0, "n3"));
    node.raft.step(rejected(2, 10, [3, 1], "n3"));
    const ready = node.take();
    node.persist();
    expect(ready.snapshotsTo).toEqual(["n3"]);
    expect(node.raft.status().progress["n3"]).toMatchObject({ mode: "snapshot", lost: false });
    for (let at = 0; at < 3; at += 1) {
      node.propose("x");
      const asked = only(node.step(heartbeatResponse(2, 0, "n3")), "AppendEntries").filter(({ to }) => to === "n3");
      expect(asked.map(brief)).toEqual([`n1>n3 t2 AE(9,1)[] c11`]);
      node.step(rejected(2, 9, [3, 1], "n3"));
    }
    expect(node.raft.status().progress["n3"]?.mode).toBe("snapshot");
  });

  test("H10 after a failure its log is asked again with its next sign of life, from the first entry that is left", () => {
    const node = cutLeader();
    node.step(rejected(2, 10, [3, 1], "n3"));
    node.raft.snapshotFailed("n3");
    expect([node.pump(), node.raft.status().progress["n3"]?.mode]).toEqual([[], "probe"]);
    const asked = only(node.step(heartbeatResponse(2, 0, "n3")), "AppendEntries");
    expect(asked.map(brief)).toEqual(["n1>n3 t2 AE(9,1)[1,2] c11"]);
    node.raft.step(rejected(2, 9, [3, 1], "n3"));
    expect(node.take().snapshotsTo).toEqual(["n3"]);
  });

  test("H10 after success its next entry is the one after the snapshot", () => {
    const node = cutLeader();
    node.step(rejected(2, 10, [3, 1], "n3"));
    const sent = only(node.step(accepted(2, 10, "n3")), "AppendEntries");
    expect(sent.map(brief)).toEqual(["n1>n3 t2 AE(10,1)[2] c11"]);
    expect(node.raft.status().progress["n3"]).toMatchObject({ mode: "replicate", matchIndex: 10 });
  });

  test("H10 also when the log was cut while entries were under way to a follower that kept silent", () => {
    const node = new TestNode({ inflightMax: 2 }).elect();
    node.step(accepted(1, 1), accepted(1, 1, "n3"));
    for (const data of ["a", "b", "c", "d", "e"]) {
      node.propose(data);
      node.step(accepted(1, node.disk.lastIndex()));
    }
    expect(node.raft.status().progress["n3"]).toMatchObject({ mode: "replicate", matchIndex: 1, nextIndex: 4 });
    node.disk.compact(5);
    node.raft.step(heartbeatResponse(1, 0, "n3"));
    expect(node.take().snapshotsTo).toEqual(["n3"]);
  });

  test("H11 a snapshot older than the last one is enough if the log still has what follows", () => {
    const node = cutLeader();
    node.step(rejected(2, 10, [3, 1], "n3"));
    node.propose("x", "y");
    node.step(accepted(2, 13));
    node.step(accepted(2, 9, "n3"));
    expect(node.raft.status().progress["n3"]).toMatchObject({ mode: "replicate", matchIndex: 9, nextIndex: 14 });
    const short = cutLeader();
    short.step(rejected(2, 10, [3, 1], "n3"), accepted(2, 8, "n3"));
    expect(short.raft.status().progress["n3"]).toMatchObject({ mode: "snapshot", matchIndex: 8 });
  });

  test("H13 none for a follower that is silent; as soon as it is heard of, there is", () => {
    const node = new TestNode({ inflightMax: 1 }).elect();
    node.step(accepted(1, 1), accepted(1, 1, "n3"));
    for (const data of ["a", "b"]) {
      node.propose(data);
      node.step(accepted(1, node.disk.lastIndex()));
    }
    node.tick(20);
    node.disk.compact(3);
    for (let at = 0; at < 5; at += 1) {
      node.raft.propose([new Uint8Array(1)]);
      const ready = node.take();
      node.persist();
      expect(ready.snapshotsTo).toEqual([]);
    }
    node.raft.step(heartbeatResponse(1, 0, "n3"));
    expect(node.take().snapshotsTo).toEqual(["n3"]);
  });

  test("H16 a transfer of the leadership waits until the snapshot is acknowledged", () => {
    const network = cluster(3);
    network.isolate("n3");
    network.propose("n1", "x", "y");
    network.node("n1").disk.compact(3);
    network.heal();
    network.tick("n1", 2);
    expect(network.asked).toEqual(["n1>n3"]);
    network.node("n1").raft.transferTo("n3");
    network.tick("n1", 2);
    expect(network.leaders()).toEqual(["n1"]);
    network.carrySnapshot("n1", "n3");
    network.tick("n1");
    expect(network.leaders()).toEqual(["n3"]);
  });

  test("H17 a follower that missed what was cut gets one snapshot and the tail", () => {
    const network = cluster(3);
    network.isolate("n3");
    for (let at = 0; at < 100; at += 1) network.propose("n1", `x${at}`);
    network.node("n1").disk.compact(90);
    network.heal();
    network.tick("n1", 3);
    expect(network.asked).toEqual(["n1>n3"]);
    network.carrySnapshot("n1", "n3");
    network.propose("n1", "tail");
    network.tick("n1", 2);
    expect([network.asked, network.commits()]).toEqual([["n1>n3"], [102, 102, 102]]);
    expect(network.node("n3").applied.map(({ index }) => index)).toEqual([102]);
  });

  test("H19 two that arrive one after the other are one installation", () => {
    const node = new TestNode();
    node.raft.step(snapshot(2, [11, 2]));
    node.raft.step(snapshot(2, [12, 2]));
    const ready = node.take();
    expect(ready.install?.index).toBe(11);
    node.persist();
    expect(node.raft.hasReady()).toBe(false);
    node.step(snapshot(2, [12, 2]));
    expect(node.raft.commitIndex).toBe(12);
  });

  test("I16 a snapshot holds the configuration of its index, without a change that is pending", () => {
    const network = cluster(3, 1);
    network.isolate("n2", "n3");
    network.change("n1", promote("n4"));
    expect(membersAt(network, "n1")).toEqual(["n1", "n2", "n3", "n4"]);
    const fresh = new TestNode({ id: "n4", configuration: configurationOf([]) });
    const { configuration, appliedIndex } = network.node("n1");
    fresh.step(snapshot(1, [appliedIndex, 1], { from: "n1", to: "n4", configuration }));
    expect(fresh.raft.configuration).toEqual(configurationOf(["n1", "n2", "n3"], ["n4"]));
  });

  test("a member that joins a cluster whose log is cut starts from a snapshot of before its addition", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.propose("n1", "x", "y");
    network.node("n1").disk.compact(3);
    network.join("n4");
    network.isolate("n2", "n3");
    network.change("n1", add("n4"));
    network.tick("n1");
    expect(network.asked).toEqual(["n1>n4"]);
    network.carrySnapshot("n1", "n4");
    network.heal();
    network.tick("n1", 2);
    expect(membersAt(network, "n4")).toEqual(["n1", "n2", "n3", "(n4)"]);
    expect(network.commits()).toEqual([4, 4, 4, 4]);
  });
});
