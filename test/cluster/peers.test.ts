import { afterEach, describe, expect, it } from "vitest";
import { encodeFrame } from "../../cluster/frames.js";
import { cleanUp, onCleanUp } from "./cleanup.js";
import { closed, dial, hello } from "./peer-dialer.js";
import {
  all,
  cluster,
  contexts,
  entries,
  forward,
  heartbeat,
  isUp,
  numbers,
  open,
  seqs,
  timing,
  type Witness,
} from "./peer-witness.js";
import { Relay } from "./relay.js";

afterEach(cleanUp);

describe("peers", () => {
  it("deliver both ways, in order per lane", async () => {
    const { nodes } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    for (const n of numbers(500)) {
      a.peers.send("b", forward("a", n, Buffer.alloc(n * 10)));
      a.peers.send("b", heartbeat("a", "b", n));
      b.peers.send("a", forward("b", n));
    }
    await Promise.all([b.until(() => b.frames.length === 1000), a.until(() => a.frames.length === 500)]);
    expect(seqs(b)).toEqual(numbers(500));
    expect(contexts(b)).toEqual(numbers(500));
    expect(seqs(a)).toEqual(numbers(500));
    expect(new Set(b.frames.map(({ from }) => from))).toEqual(new Set(["a"]));
    expect(a.peers.stats()).toMatchObject({ sentFrames: 1000, receivedFrames: 500, droppedFrames: 0, badFrames: 0 });
  });

  it("carry frames of several megabytes unchanged", async () => {
    const { nodes } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    const data = Buffer.alloc(5 * 1024 * 1024, "0123456789");
    for (const n of numbers(4)) a.peers.send("b", forward("a", n, data));
    a.peers.send("b", entries("a", "b", data));
    await b.until(() => b.frames.length === 5);
    for (const { frame } of b.frames) {
      const found = frame.kind === "forward" ? frame.proposals[0]?.data : undefined;
      if (found !== undefined) expect(data.equals(found)).toBe(true);
    }
    expect(b.frames.at(-1)?.frame).toMatchObject({ kind: "raft", message: { entries: [{ index: 1 }] } });
  });

  it("G9 a heartbeat passes a queue of entries", async () => {
    const { nodes } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    const data = Buffer.alloc(4 * 1024 * 1024);
    for (const n of numbers(8)) a.peers.send("b", forward("a", n, data));
    a.peers.send("b", heartbeat("a", "b", 7));
    await b.until(() => contexts(b).length === 1);
    expect(seqs(b).length).toBeLessThan(8);
    await b.until(() => seqs(b).length === 8);
  });

  it("drop what is sent to nobody, to a stranger, to itself and what is too large", async () => {
    const { nodes } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    a.peers.send("x", heartbeat("a", "x"));
    a.peers.send("a", heartbeat("a", "a"));
    a.peers.send("b", forward("a", 1, Buffer.alloc(21 * 1024 * 1024)));
    a.peers.send("b", forward("a", 2));
    await b.until(() => b.frames.length === 1);
    expect(seqs(b)).toEqual([2]);
    expect(a.peers.stats().droppedFrames).toBe(3);
    expect(a.events.filter(({ kind }) => kind === "dropped")).toEqual([
      { kind: "dropped", node: "b", lane: "bulk", reason: "too large" },
    ]);
  });

  it("say of whom nothing listens any more, and not of one that is merely cut off", async () => {
    const gone = await open("b", []);
    const { port } = gone.peers;
    await gone.peers.close();
    const relay = await Relay.open();
    onCleanUp(() => relay.close());
    const a = await open("a", [
      { id: "b", peer: `127.0.0.1:${port}`, api: "" },
      { id: "c", peer: relay.address, api: "" },
    ]);
    await a.until(
      () => a.stopped.length > 0 && a.events.some((event) => event.kind === "failed" && event.node === "c"),
    );
    expect(new Set(a.stopped)).toEqual(new Set(["b"]));
  });

  it("come back by themselves when the other side restarts, and say so", async () => {
    const { nodes, relays, members } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    expect(a.links).toEqual(["b", "b"]);
    relays[1]?.aim(undefined);
    await b.peers.close();
    await a.until(() => isUp(a, 0));
    a.peers.send("b", forward("a", 1));
    expect(a.peers.stats().droppedFrames).toBe(1);

    const again = await open("b", members, { epoch: 2 });
    relays[1]?.aim(again.peers.port);
    await a.until(() => isUp(a, 2));
    expect(a.links).toEqual(["b", "b", "b", "b"]);
    a.peers.send("b", forward("a", 2));
    await again.until(() => seqs(again).length === 1);
    expect(seqs(again)).toEqual([2]);
  });

  it("do not let an earlier start of a member in once a later one was seen", async () => {
    const { nodes, relays, members } = await cluster(["a", "b"], { epoch: 5 });
    const [a, b] = all(nodes) as [Witness, Witness];
    relays[1]?.aim(undefined);
    await b.peers.close();
    const stale = await open("b", members, { epoch: 4 });
    await stale.until(() =>
      stale.events.some((event) => event.kind === "failed" && event.reason === "refused with 409"),
    );
    expect(a.events).toContainEqual({ kind: "rejected", status: 409, reason: "a later start of this node is known" });
  });

  it("G8 a peer that hangs is noticed, and delays nobody else", async () => {
    const { nodes, relays } = await cluster(["a", "b", "c"]);
    const [a, , c] = all(nodes) as [Witness, Witness, Witness];
    relays[1]?.hang();
    for (const n of numbers(200)) {
      a.peers.send("b", heartbeat("a", "b", n));
      a.peers.send("c", heartbeat("a", "c", n));
      a.peers.send("b", forward("a", n, Buffer.alloc(100_000)));
      a.peers.send("c", forward("a", n));
    }
    await c.until(() => contexts(c).length === 200 && seqs(c).length === 200);
    await a.until(
      () =>
        a.events.filter((event) => event.kind === "down" && event.reason === "silent" && event.node === "b").length ===
        2,
    );
    a.peers.send("c", forward("a", 200));
    await c.until(() => seqs(c).length === 201);
    expect(a.events.some((event) => event.kind === "down" && event.node === "c")).toBe(false);
  });

  it("bound what waits for a slow reader: heartbeats are dropped, anything else starts the link over", async () => {
    const { nodes, relays } = await cluster(["a", "b"], {
      queueBytesMax: { bulk: 1024 * 1024, control: 64 * 1024 },
      timing: { ...timing, pingMs: 60_000 },
    });
    const [a] = all(nodes) as [Witness];
    relays[1]?.hang();
    const chunk = Buffer.alloc(256 * 1024);
    let highest = 0;
    while (!a.events.some(({ kind }) => kind === "dropped")) {
      a.peers.send("b", forward("a", 1, chunk));
      highest = Math.max(highest, a.peers.queuedBytes());
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(highest).toBeLessThanOrEqual(1024 * 1024 + 2 * chunk.length);
    expect(a.events.filter(({ kind }) => kind === "down")).toEqual([
      { kind: "down", node: "b", lane: "bulk", reason: "queue is full" },
    ]);

    const drops = () => a.events.filter((event) => event.kind === "dropped" && event.lane === "control").length;
    while (drops() < 3) {
      for (const n of numbers(1000)) a.peers.send("b", heartbeat("a", "b", n));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(a.peers.queuedBytes()).toBeLessThan(70 * 1024);
    expect(a.peers.stats().links).toContainEqual(expect.objectContaining({ lane: "control", up: true }));
  });

  it("replace the link of a member that dials anew", async () => {
    const { nodes, members } = await cluster(["a", "b"]);
    const [a] = all(nodes) as [Witness];
    const socket = await dial(a.peers.port, hello());
    const ended = closed(socket);
    const second = await dial(a.peers.port, hello());
    await ended;
    second.write(Buffer.concat(encodeFrame(heartbeat("b", "a", 3)).pieces));
    await a.until(() => contexts(a).includes(3));
    second.destroy();
    expect(members.length).toBe(2);
  });
});
