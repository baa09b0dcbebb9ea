/**
 * Rows of the core whose other half is the host's: what becomes of the requests behind proposals and reads.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SlctError } from "../../src/errors.js";
import { settled } from "../cluster/engine.js";
import { Mesh, timeoutMs } from "../cluster/mesh.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const endOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error as SlctError).code,
  );

/** n1 led, took a command and was cut off before anybody heard of it. */
function deposed() {
  const mesh = new Mesh(["n1", "n2", "n3"]);
  mesh.elect("n1");
  const n1 = mesh.node("n1");
  const end = { of: "open" };
  void endOf(n1.submit("a")).then((of) => (end.of = of));
  n1.run();
  mesh.isolate("n1");
  mesh.loseLeader("n1");
  expect(n1.raft.role).not.toBe("leader");
  return { mesh, n1, end };
}

test("C14 what a leader had open when it stepped down is done once by its successor", async () => {
  const { mesh, n1, end } = deposed();
  await settled();
  expect(end.of).toBe("open");
  mesh.loseLeader("n2");
  mesh.loseLeader("n3");
  mesh.elect("n2");
  mesh.heal();
  mesh.node("n2").raft.tick();
  mesh.settle();
  await settled();
  expect(end.of).toBe("done");
  for (const id of ["n1", "n2", "n3"]) expect(mesh.node(id).applied.filter((name) => name === "a")).toEqual(["a"]);
  expect(n1.proposals.count).toBe(0);
});

test("C14 without a successor it ends as unknown, not as failed", async () => {
  const { n1, end } = deposed();
  vi.advanceTimersByTime(timeoutMs + 1);
  n1.proposals.sweep(n1.leadership);
  await settled();
  expect(end.of).toBe("timeout");
});

test.each(["n1", "n2"])("K10 a read at %s is served only when its index is applied there", async (id) => {
  const mesh = new Mesh(["n1", "n2", "n3"]);
  mesh.elect("n1");
  const node = mesh.node(id);
  node.stalled = true;
  void mesh.node("n3").submit("a");
  mesh.settle();
  const seen: string[][] = [];
  const read = node.fresh().then(() => seen.push([...node.applied]));
  mesh.settle();
  await settled();
  expect(seen).toEqual([]);
  node.stalled = false;
  node.run();
  await read;
  expect(seen).toEqual([expect.arrayContaining(["a"])]);
});
