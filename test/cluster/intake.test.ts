import { describe, expect, it } from "vitest";
import type { Forward } from "../../cluster/types.js";
import { encodeEntry } from "../../src/codec.js";
import { forward, heldTicks, open } from "./intake-bench.js";
import { Mesh } from "./mesh.js";

const ordinary = (seq: number): Forward => ({
  seq,
  data: encodeEntry({ node: "n2", epoch: 1, seq }, { kind: "delete", id: `${seq}`, force: true }),
});

it("takes nothing unless this node leads the very term the sender believes in", () => {
  const { accept, elect, run } = open();
  expect(accept("n2", 1, 1, [forward(1)])).toEqual([{ seqs: [1], reason: "not_leader" }]);
  elect();
  expect(accept("n2", 1, 2, [forward(1)])).toEqual([{ seqs: [1], reason: "not_leader" }]);
  expect(accept("n2", 1, 0, [forward(1), forward(2)])).toEqual([{ seqs: [1, 2], reason: "not_leader" }]);
  expect(accept("n2", 1, 1, [forward(1)])).toEqual([]);
  expect(run()).toEqual(["1"]);
});

it("takes each number of an origin once, and only what is new of a batch", () => {
  const { accept, elect, run } = open();
  elect();
  expect(accept("n2", 1, 1, [forward(1), forward(2)])).toEqual([]);
  expect(accept("n2", 1, 1, [forward(1), forward(2)])).toEqual([]);
  expect(accept("n2", 1, 1, [forward(2), forward(3)])).toEqual([]);
  expect(run()).toEqual(["1", "2", "3"]);
});

it("counts for each origin, and for each run of it, by itself", () => {
  const { accept, elect, run } = open();
  elect();
  accept("n2", 1, 1, [forward(5, "a")]);
  accept("n3", 1, 1, [forward(1, "b")]);
  accept("n2", 2, 1, [forward(1, "c")]);
  accept("n2", 1, 1, [forward(5, "again")]);
  expect(run()).toEqual(["a", "b", "c"]);
});

it("G6 refuses what exceeds the uncommitted bytes, and takes more when they are committed", () => {
  const { accept, elect, run } = open({ uncommittedBytesMax: 150 });
  elect();
  expect(accept("n2", 1, 1, [forward(1, "x".repeat(100))])).toEqual([]);
  expect(accept("n2", 1, 1, [forward(2, "y".repeat(100))])).toEqual([{ seqs: [2], reason: "overloaded" }]);
  run();
  expect(accept("n2", 1, 1, [forward(3, "y".repeat(100))])).toEqual([]);
});

describe("a refusal", () => {
  it("is for good: what was refused is not taken when it comes again, and its origin is told again", () => {
    const { accept, wait, world, elect, run } = open();
    elect();
    world.congested = true;
    accept("n2", 1, 1, [forward(1), forward(2)]);
    expect(wait(heldTicks)).toEqual([{ origin: "n2", seqs: [1, 2], reason: "overloaded" }]);
    world.congested = false;
    // The refusal was lost, the link came up anew: all that is open comes again, and more.
    expect(accept("n2", 1, 1, [forward(3)])).toEqual([]);
    const again = [1, 2, 3, 4].map((seq) => forward(seq));
    expect(accept("n2", 1, 1, again)).toEqual([{ seqs: [1, 2], reason: "overloaded" }]);
    expect(run()).toEqual(["3", "4"]);
  });

  it("is told again to the run of the origin it was meant for when its link is up anew", () => {
    const { accept, wait, intake, refusals, world, elect } = open();
    elect();
    world.congested = true;
    accept("n2", 1, 1, [forward(1)]);
    accept("n3", 4, 1, [forward(7)]);
    wait(heldTicks);
    refusals.length = 0;
    intake.retell("n2");
    intake.retell("n4");
    const refused = { epoch: 1, term: 1, seqs: [1], reason: "overloaded" };
    expect(refusals).toEqual([{ origin: "n2", refused }]);
  });

  it("is forgotten with the term", () => {
    const mesh = new Mesh(["n1", "n2", "n3"]);
    const { intake, applied } = mesh.node("n1");
    mesh.elect("n1");
    mesh.node("n1").congested = true;
    intake.accept("n3", 9, 1, [forward(1)]);
    for (let tick = 0; tick < heldTicks; tick++) intake.release();
    mesh.node("n1").congested = false;
    for (const [from, to] of [
      ["n1", "n2"],
      ["n2", "n1"],
    ] as const) {
      mesh.node(from).raft.transferTo(to);
      mesh.settle();
    }
    intake.accept("n3", 9, 3, [forward(1)]);
    mesh.settle();
    expect(applied).toEqual(["term 1", "term 2", "term 3", "1"]);
  });

  it("keeps a bounded memory", () => {
    const { accept, wait, world, elect } = open();
    elect();
    world.congested = true;
    const many = Array.from({ length: 20_000 }, (_, n) => forward(n + 1));
    accept("n2", 1, 1, many);
    wait(heldTicks);
    expect(accept("n2", 1, 1, many).flatMap(({ seqs }) => seqs)).toHaveLength(16_384);
  });
});

it("takes what a limit admits, and says of the rest why not", () => {
  const { accept, world, elect, run } = open();
  elect();
  world.limit = { restriction: "most", reason: "disk_low" };
  const batch = [forward(1), ordinary(2), forward(3)];
  expect(accept("n2", 1, 1, batch)).toEqual([{ seqs: [1, 3], reason: "disk_low" }]);
  world.limit = { restriction: "all", reason: "state_mismatch" };
  expect(accept("n2", 1, 1, [...batch, ordinary(4)])).toEqual([
    { seqs: [1, 3], reason: "disk_low" },
    { seqs: [4], reason: "state_mismatch" },
  ]);
  expect(run()).toEqual(["delete"]);
});

it("stamps with its own clock, and a repetition does not change a stamp", () => {
  const { accept, world, elect, run, taken } = open();
  elect();
  const one = forward(1);
  accept("n2", 1, 1, [one]);
  world.nowMs = 2000;
  accept("n2", 1, 1, [one, forward(2)]);
  run();
  expect(taken.map(({ nowMs }) => nowMs)).toEqual([1000, 2000]);
});

describe("while leadership is handed over", () => {
  function trio() {
    const mesh = new Mesh(["n1", "n2", "n3"]);
    mesh.elect("n1");
    return { mesh, n1: mesh.node("n1"), n2: mesh.node("n2"), n3: mesh.node("n3") };
  }

  it("what comes is held, and done once under the next leader", async () => {
    const { mesh, n1, n2, n3 } = trio();
    const begun = [n1.submit("a"), n2.submit("b")];
    n1.raft.transferTo("n3");
    begun.push(n1.submit("c"), n2.submit("d"));
    n2.run();
    mesh.settle();
    n1.intake.release();
    mesh.settle();
    expect((await Promise.all(begun)).every(({ outcome }) => outcome.ok)).toBe(true);
    expect(n3.raft.role).toBe("leader");
    expect(n3.applied.filter((name) => !name.startsWith("term")).sort()).toEqual(["a", "b", "c", "d"]);
    expect(n1.applied).toEqual(n3.applied);
  });

  it("no more is held than there is room for", () => {
    const { mesh, n1 } = trio();
    mesh.isolate("n3");
    n1.raft.transferTo("n3");
    const refused = () =>
      mesh.sent.flatMap(({ frame }) => (frame.kind === "refused" ? [[frame.reason, ...frame.seqs]] : []));
    const large = (seq: number) => ({ seq, data: Buffer.concat([forward(seq).data, Buffer.alloc(33 << 20)]) });
    n1.intake.accept("n2", 9, 1, [large(1)]);
    n1.intake.accept("n2", 9, 1, [large(2)]);
    expect(refused()).toEqual([["overloaded", 2]]);
    // Held again, once.
    n1.intake.release();
    n1.intake.accept("n2", 9, 1, [large(3), forward(4)]);
    n1.intake.accept("n2", 9, 1, [forward(5)]);
    expect(refused()).toEqual([
      ["overloaded", 2],
      ["overloaded", 3, 4],
    ]);
  });

  it("and nobody takes over, what was held is taken after all", async () => {
    const { mesh, n1, n2 } = trio();
    mesh.isolate("n3");
    n1.raft.transferTo("n3");
    const begun = [n1.submit("a"), n2.submit("b")];
    mesh.settle();
    n1.intake.release();
    mesh.settle();
    expect(n1.applied).toEqual(["term 1"]);
    for (let tick = 0; tick < 10; tick++) {
      n1.raft.tick();
      mesh.settle();
    }
    n1.intake.release();
    mesh.settle();
    expect((await Promise.all(begun)).every(({ outcome }) => outcome.ok)).toBe(true);
    expect([...n2.applied].sort()).toEqual(["a", "b", "term 1"]);
  });
});
