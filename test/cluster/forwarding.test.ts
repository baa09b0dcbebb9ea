/**
 * Proposals on their way to the leader and back, through real cores.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SlctError } from "../../src/errors.js";
import { heldTicks } from "./intake-bench.js";
import { Mesh, timeoutMs } from "./mesh.js";

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error as SlctError).code,
  );

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function trio() {
  const mesh = new Mesh(["n1", "n2", "n3"]);
  mesh.elect("n1");
  return { mesh, n1: mesh.node("n1"), n2: mesh.node("n2"), n3: mesh.node("n3") };
}

it("applies what one node submits in order, wherever the leader is", async () => {
  const { mesh, n1, n2, n3 } = trio();
  const answers = [n2.submit("a"), n2.submit("b"), n1.submit("c"), n2.submit("d")];
  mesh.settle();
  const indexes = (await Promise.all(answers)).map(({ index }) => index);
  const names = n3.applied.filter((name) => !name.startsWith("term"));
  expect(names.filter((name) => name !== "c")).toEqual(["a", "b", "d"]);
  expect(n2.applied).toEqual(n3.applied);
  expect(new Set(indexes).size).toBe(4);
});

it("sends again only after an entry of a later term, before what came later, and nothing twice", async () => {
  const { mesh, n1, n2, n3 } = trio();
  const a = n2.submit("a");
  n2.run();
  mesh.isolate("n1");
  mesh.loseLeader("n2");
  mesh.loseLeader("n3");
  n3.raft.campaign();
  mesh.stepUntil(() => n2.raft.leader === "n3");
  // Now it knows the new leader, and has not applied an entry of its term.
  const b = n2.submit("b");
  n2.run();
  expect(mesh.forwards("n2").map(({ seqs }) => seqs)).toEqual([[1]]);
  expect(n2.applied).toEqual(["term 1"]);
  mesh.settle();
  expect((await Promise.all([a, b])).map(({ outcome }) => outcome.ok)).toEqual([true, true]);
  expect(n2.applied).toEqual(["term 1", "term 2", "a", "b"]);
  expect(mesh.forwards("n2").at(-1)).toEqual({ to: "n3", term: 2, seqs: [1, 2] });
  mesh.heal();
  n3.raft.tick();
  mesh.settle();
  expect(n1.applied).toEqual(n2.applied);
});

it("does not send again what the old leader had replicated", async () => {
  const { mesh, n1, n2, n3 } = trio();
  mesh.cut("n1", "n2");
  const a = n2.submit("a");
  n2.run();
  mesh.step();
  n1.run();
  mesh.step();
  // n3 has it on disk, nobody knows that it is committed.
  mesh.isolate("n1");
  mesh.loseLeader("n2");
  mesh.loseLeader("n3");
  mesh.elect("n3");
  expect((await a).outcome.ok).toBe(true);
  expect(n3.applied).toEqual(["term 1", "a", "term 2"]);
  expect(mesh.forwards("n2")).toHaveLength(1);
});

it("repeats in order on a new link, and the leader takes only what was lost", async () => {
  const { mesh, n1, n2 } = trio();
  const a = n2.submit("a");
  n2.run();
  mesh.step();
  mesh.cut("n2", "n1");
  const b = n2.submit("b");
  n2.run();
  mesh.heal();
  n2.proposals.resend("n1");
  const c = n2.submit("c");
  mesh.settle();
  await Promise.all([a, b, c]);
  expect(mesh.forwards("n2").at(-1)?.seqs).toContain(3);
  expect(n1.applied).toEqual(["term 1", "a", "b", "c"]);
});

it("keeps to the fence when the link comes up after the leader changed", async () => {
  const { mesh, n2, n3 } = trio();
  mesh.cut("n1", "n2");
  const a = n2.submit("a");
  n2.run();
  mesh.step();
  mesh.node("n1").run();
  mesh.step();
  mesh.isolate("n1");
  mesh.loseLeader("n2");
  mesh.loseLeader("n3");
  n3.raft.campaign();
  mesh.stepUntil(() => n2.raft.leader === "n3");
  n2.proposals.resend("n1");
  n2.proposals.resend("n3");
  mesh.settle();
  await a;
  expect(n3.applied).toEqual(["term 1", "a", "term 2"]);
});

it("tells the client when the leader has too much to commit", async () => {
  const { mesh, n1, n2 } = trio();
  n1.congested = true;
  const refused = codeOf(n2.submit("a"));
  mesh.settle();
  for (let tick = 0; tick < heldTicks; tick++) n1.intake.release();
  mesh.settle();
  expect(await refused).toBe("overloaded");
  n1.congested = false;
  const taken = n2.submit("b");
  mesh.settle();
  expect((await taken).outcome.ok).toBe(true);
  expect(n1.applied).toEqual(["term 1", "b"]);
});

it("is bounded and quick while a quorum is gone", async () => {
  const mesh = new Mesh(["n1", "n2", "n3"], { proposalsMax: 5 });
  mesh.elect("n1");
  const n1 = mesh.node("n1");
  mesh.isolate("n1");
  const codes = Array.from({ length: 8 }, (_, n) => codeOf(n1.submit(`x${n}`)));
  mesh.settle();
  mesh.loseLeader("n1");
  n1.hopeless = true;
  const late = codeOf(n1.submit("y"));
  vi.advanceTimersByTime(timeoutMs + 1);
  n1.proposals.sweep(n1.leadership);
  expect(await late).toBe("no_leader");
  expect(await Promise.all(codes)).toEqual([
    ...Array<string>(5).fill("timeout"),
    ...Array<string>(3).fill("overloaded"),
  ]);
  expect(n1.proposals.count).toBe(0);
  expect(n1.proposals.bytes).toBe(0);
});

it("a planned change of the leader fails nothing and does nothing twice", async () => {
  const { mesh, n1, n2, n3 } = trio();
  const nodes = [n1, n2, n3];
  const sent = new Map(nodes.map(({ id }) => [id, [] as string[]]));
  const answers: Promise<string>[] = [];
  const submit = () => {
    for (const node of nodes) {
      const name = `${node.id} ${answers.length}`;
      sent.get(node.id)?.push(name);
      answers.push(codeOf(node.submit(name)));
    }
  };
  for (let round = 0; round < 30; round++) {
    const leads = nodes.findIndex(({ raft }) => raft.role === "leader");
    const [from, to] = [nodes[leads], nodes[(leads + 1 + (round % 2)) % 3]];
    if (from === undefined || to === undefined) throw new Error("nobody leads");
    submit();
    from.raft.transferTo(to.id);
    // More comes at every step of it.
    mesh.stepUntil(() => {
      if (to.raft.role === "leader") return true;
      submit();
      return false;
    });
    expect([from.raft.role, to.raft.role]).toEqual(["follower", "leader"]);
    submit();
  }
  mesh.settle();
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["done"]));
  for (const { id } of nodes) {
    const applied = n1.applied.filter((name) => name.startsWith(`${id} `));
    expect(applied).toEqual(sent.get(id));
  }
  expect(n2.applied).toEqual(n1.applied);
  expect(n3.applied).toEqual(n1.applied);
});
