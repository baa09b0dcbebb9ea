import { describe, expect, test } from "vitest";
import type { Message } from "../../raft/types.js";
import { accepted, brief, heartbeatResponse, only } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, type NodeSetup } from "./node.js";

/** A leader whose follower n2 has its opening entry, so that it is replicated to. */
function replicating(setup: NodeSetup = {}): TestNode {
  const node = new TestNode(setup).elect();
  node.step(accepted(1, 1));
  return node;
}

function toN2(messages: readonly Message[]): string[] {
  return only(messages, "AppendEntries")
    .filter((message) => message.to === "n2")
    .map((message) => brief(message).slice("n1>n2 t1 ".length));
}

describe("G: flow control and overload", () => {
  test("G1 one message at a time goes to a follower whose log is unknown", () => {
    const node = new TestNode().elect();
    for (let at = 0; at < 10; at += 1) expect(toN2(node.propose("x"))).toEqual([]);
    expect(toN2(node.step(heartbeatResponse(1, 0)))).toEqual(["AE(0,0)[1,1,1,1,1,1,1,1,1,1,1] c0"]);
    expect(toN2(node.propose("x"))).toEqual([]);
  });

  test("G2 then a window of them; an answer frees what it covers", () => {
    const node = replicating({ inflightMax: 3 });
    const sent = ["a", "b", "c", "d", "e"].map((data) => toN2(node.propose(data)).length);
    expect(sent).toEqual([1, 1, 1, 0, 0]);
    expect(toN2(node.step(accepted(1, 3)))).toEqual(["AE(4,1)[1,1] c3"]);
    expect(toN2(node.propose("f")).length).toBe(1);
    expect(toN2(node.propose("g")).length).toBe(0);
  });

  test("G3 one message carries at most so many bytes, but always one entry", () => {
    const node = new TestNode({ appendBytesMax: 2048 }).elect();
    node.raft.propose([1000, 1000, 5000, 1000, 1000, 1000].map((bytes) => new Uint8Array(bytes)));
    node.pump();
    const sizes = only(node.step(accepted(1, 1)), "AppendEntries")
      .filter((message) => message.to === "n2")
      .map((message) => message.entries.map((entry) => entry.data.length));
    expect(sizes).toEqual([[1000, 1000], [5000], [1000, 1000], [1000]]);
  });

  test("G3 and all under way so many, then whole messages until the last one exceeds it", () => {
    const node = replicating({ appendBytesMax: 2048, inflightMax: 3, inflightBytesMax: 9000 });
    const sizes = [...Array<number>(9).fill(1000), ...Array<number>(6).fill(5000), ...Array<number>(6).fill(1000)];
    const sent = (messages: readonly Message[]) => only(messages, "AppendEntries").filter(({ to }) => to === "n2");
    node.raft.propose(sizes.map((bytes) => new Uint8Array(bytes)));
    const rounds: number[][] = [];
    for (let messages = sent(node.pump()); messages.some(({ entries }) => entries.length > 0);) {
      const counts = messages.map(({ entries }) => entries.length).filter((count) => count > 0);
      rounds.push(counts);
      const match = 1 + rounds.flat().reduce((sum, count) => sum + count, 0);
      messages = sent(node.step(accepted(1, match)));
    }
    expect(rounds).toEqual([[2, 2, 2], [2, 1, 1], [1, 1], [1, 1], [1, 2, 2], [2]]);
  });

  test.each([2, 64])("G4 messages under way are lost: the next heartbeat finds out (window %i)", (inflightMax) => {
    const network = new Network(3, { inflightMax });
    network.campaign("n1");
    network.allow = (message) => message.to !== "n3" || message.type !== "AppendEntries";
    for (const data of ["a", "b", "c"]) network.propose("n1", data);
    network.heal();
    expect(network.node("n3").terms.length).toBe(1);
    network.tick("n1", 2);
    expect(network.logs()[2]).toEqual([1, 1, 1, 1]);
    expect(network.node("n1").raft.status().progress["n3"]?.mode).toBe("replicate");
  });

  test("G5 a follower whose link broke is asked again from what it acknowledged on", () => {
    const node = replicating();
    node.propose("a", "b");
    node.step(accepted(1, 2));
    node.propose("c");
    expect(node.raft.status().progress["n2"]).toMatchObject({ mode: "replicate", matchIndex: 2, nextIndex: 5 });
    node.raft.unreachable("n2");
    expect(node.raft.status().progress["n2"]).toMatchObject({ mode: "probe", nextIndex: 3 });
    expect(toN2(node.propose("d"))).toEqual([]);
    expect(toN2(node.step(heartbeatResponse(1, 0)))).toEqual(["AE(2,1)[1,1,1] c2"]);
    node.raft.unreachable("n9");
    new TestNode().raft.unreachable("n2");
  });

  test("G6 what is not committed is bounded, what opens a term is free", () => {
    const node = replicating({ uncommittedBytesMax: 1024 });
    const one = new Uint8Array(1);
    expect(node.raft.propose(Array<Uint8Array>(1024).fill(one)).ok).toBe(true);
    expect(node.raft.propose([one])).toEqual({ ok: false, reason: "overloaded" });
    expect(node.raft.propose([new Uint8Array(0)]).ok).toBe(true);
    node.pump();
    node.step(accepted(1, 1024));
    expect(node.raft.propose([new Uint8Array(1024)])).toEqual({ ok: false, reason: "overloaded" });
    node.step(accepted(1, 1026));
    expect(node.raft.propose([new Uint8Array(5000)]).ok).toBe(true);
    expect(node.raft.propose([one])).toEqual({ ok: false, reason: "overloaded" });
  });

  test("G7 a follower that has everything returns to replication after a heartbeat", () => {
    const network = new Network(3);
    network.allow = (message) => message.type !== "AppendEntriesResponse" || message.from !== "n3";
    network.campaign("n1");
    expect(network.node("n1").raft.status().progress["n3"]).toMatchObject({ mode: "probe", matchIndex: 0 });
    network.heal();
    network.tick("n1");
    expect(network.node("n1").raft.status().progress["n3"]).toMatchObject({ mode: "replicate", matchIndex: 1 });
  });

  test("G8 a follower that takes everything and answers nothing holds back nobody", () => {
    const network = new Network(3, { inflightMax: 2 });
    network.campaign("n1");
    network.allow = ({ from }) => from !== "n3";
    for (let at = 0; at < 20; at += 1) network.propose("n1", `x${at}`);
    expect(network.commits().slice(0, 2)).toEqual([21, 21]);
    network.heal();
    network.tick("n1", 3);
    expect(network.commits()).toEqual([21, 21, 21]);
  });

  test("G9 heartbeats carry no entries and leave although as much as possible is under way", () => {
    const node = replicating({ inflightMax: 1, appendBytesMax: 10 });
    node.propose("0123456789", "0123456789", "0123456789");
    expect(toN2(node.propose("x"))).toEqual([]);
    node.raft.tick();
    const beats = only(node.take().messages, "Heartbeat");
    expect(beats.map(({ to }) => to)).toEqual(["n2", "n3"]);
    expect(beats.every((message) => !("entries" in message))).toBe(true);
  });

  test("proposals of one turn travel in one message, and one answer covers one turn", () => {
    const node = replicating();
    for (const data of ["a", "b", "c"]) node.raft.propose([new TextEncoder().encode(data)]);
    expect(toN2(node.pump())).toEqual(["AE(1,1)[1,1,1] c1"]);
    const follower = new TestNode({ id: "n2", term: 1 });
    const leader = new TestNode().elect();
    const appends = [leader.step(accepted(1, 0)), leader.propose("a"), leader.propose("b")].flat();
    for (const message of only(appends, "AppendEntries")) if (message.to === "n2") follower.raft.step(message);
    expect(follower.pump().map(brief)).toEqual(["n2>n1 t1 AEr ok 3"]);
  });

  test("an idle leader has nothing to do", () => {
    const network = new Network(3);
    network.campaign("n1");
    network.propose("n1", "x");
    const { raft } = network.node("n1");
    expect(raft.hasReady()).toBe(false);
    network.delivered = [];
    network.tick("n1");
    expect(network.transcript()).toEqual(["n1>n2 t1 HB c2", "n1>n3 t1 HB c2", "n2>n1 t1 HBr", "n3>n1 t1 HBr"]);
  });

  test("a proposal is accepted only in the term it was decided under", () => {
    const node = new TestNode({ term: 4 }).elect();
    expect(node.raft.propose([new Uint8Array(1)], 4)).toEqual({ ok: false, reason: "stale_term" });
    expect(node.raft.propose([new Uint8Array(1), new Uint8Array(1)], 5)).toEqual({ ok: true, firstIndex: 2, term: 5 });
    expect(node.raft.propose([new Uint8Array(1)], 5)).toEqual({ ok: true, firstIndex: 4, term: 5 });
    expect(new TestNode().raft.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "not_leader" });
  });
});
