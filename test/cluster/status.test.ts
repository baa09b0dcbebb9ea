import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { StatusBoard } from "../../cluster/status.js";
import type { Frame, NodeStatus } from "../../cluster/types.js";

const startMs = 1_000_000;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"], now: startMs });
});
afterEach(() => {
  vi.useRealTimers();
});

const said: Omit<NodeStatus, "stateHash" | "dbBytes" | "atMs"> = {
  ...{ instance: "instance-1", instances: [] },
  ...{ id: "n1", api: "http://n1", role: "leader", term: 3, leader: "n1", version: "1" },
  ...{ lastIndex: 9, commitIndex: 9, appliedIndex: 9, flushedIndex: 9 },
};

const memberOf = (id: string) => ({ id, voter: id !== "n3", peer: `${id}:1`, api: `http://${id}` });
const all = ["n1", "n2", "n3"].map(memberOf);
let members = all;
beforeEach(() => {
  members = all;
});

function open() {
  const sent: { to: string; status: NodeStatus }[] = [];
  const errors: unknown[] = [];
  const hashes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const store = {
    appliedIndex: 9,
    sizeBytes: () => Promise.resolve(77),
    stateHash: () => {
      const index = store.appliedIndex;
      return new Promise<{ index: number; hash: string }>((resolve, reject) =>
        hashes.push({ resolve: () => resolve({ index, hash: `h${index}` }), reject }),
      );
    },
  };
  const board = new StatusBoard({
    ...{
      self: members[0] as (typeof members)[0],
      members: () => members,
      store,
      own: () => said,
      clock: () => Date.now(),
      onError: (error) => errors.push(error),
    },
    send: (to: string, frame: Frame) => frame.kind === "status" && sent.push({ to, status: frame.status }),
  });
  return { board, store, sent, errors, hashes };
}

it("tells the others once a second, with the hash when the records are quiet", async () => {
  const { board, store, sent, hashes } = open();
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent.map(({ to }) => to)).toEqual(["n2", "n3"]);
  expect(hashes).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1000);
  hashes[0]?.resolve();
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent.at(-1)?.status).toMatchObject({ stateHash: { index: 9, hash: "h9" }, dbBytes: 77 });
  for (let n = 0; n < 5; n++) {
    store.appliedIndex++;
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(hashes).toHaveLength(1);
  expect(sent).toHaveLength(16);
  board.close();
});

it("goes on telling while a hash takes long, and makes one at a time", async () => {
  const { board, sent, hashes } = open();
  await vi.advanceTimersByTimeAsync(5000);
  expect(hashes).toHaveLength(1);
  expect(sent).toHaveLength(10);
  board.close();
  expect(vi.getTimerCount()).toBe(0);
});

it("reports a failing store, but not one that is closed meanwhile", async () => {
  for (const closed of [false, true]) {
    const { board, errors, hashes } = open();
    await vi.advanceTimersByTimeAsync(2000);
    if (closed) board.close();
    hashes[0]?.reject(new Error("closed"));
    await vi.advanceTimersByTimeAsync(0);
    expect(errors).toHaveLength(closed ? 0 : 1);
    board.close();
  }
});

it("shows the others as last heard, their clocks compared", async () => {
  const { board, hashes } = open();
  board.onStatus("n3", { ...said, id: "n3", dbBytes: 1, atMs: startMs + 250 });
  await vi.advanceTimersByTimeAsync(500);
  board.onStatus("n2", { ...said, id: "n2", dbBytes: 1, atMs: startMs + 400 });
  expect(board.skewMs()).toBe(250);
  vi.setSystemTime(startMs + 3500);
  const all = board.all();
  hashes[0]?.resolve();
  const shown = (await all).map(({ id, lagMs, skewMs, reachable }) => ({ id, lagMs, skewMs, reachable }));
  expect(shown).toEqual([
    { id: "n1", lagMs: 0, skewMs: 0, reachable: true },
    { id: "n2", lagMs: 3000, skewMs: -100, reachable: true },
    { id: "n3", lagMs: 3500, skewMs: 250, reachable: false },
  ]);
  board.close();
});

it("follows the members: one that was never heard of is shown, one that left is not, and is told nothing", async () => {
  const { board, sent, hashes } = open();
  board.onStatus("n3", { ...said, id: "n3", dbBytes: 1, atMs: startMs + 250 });
  members = [memberOf("n1"), memberOf("n2")];
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent.map(({ to }) => to)).toEqual(["n2"]);
  expect(board.skewMs()).toBe(0);
  const shown = board.all();
  hashes[0]?.resolve();
  expect((await shown).map(({ id, reachable, voter, peer }) => ({ id, reachable, voter, peer }))).toEqual([
    { id: "n1", reachable: true, voter: true, peer: "n1:1" },
    { id: "n2", reachable: false, voter: true, peer: "n2:1" },
  ]);
  board.close();
});

it("a node that nobody has let in shows itself, as one that does not vote", async () => {
  const { board, hashes } = open();
  members = [];
  const shown = board.all();
  hashes[0]?.resolve();
  expect((await shown).map(({ id, voter }) => ({ id, voter }))).toEqual([{ id: "n1", voter: false }]);
  board.close();
});

it("knows which instances a member has met", () => {
  const { board } = open();
  const met = [["n1", "first-one"] as const, ["n2", "second-one"] as const];
  expect(board.knowsInstances("n2", met)).toBe(false);
  board.onStatus("n2", { ...said, id: "n2", dbBytes: 1, atMs: startMs, instances: [["n1", "first-one"]] });
  expect(board.knowsInstances("n2", met)).toBe(true);
  board.onStatus("n2", { ...said, id: "n2", dbBytes: 1, atMs: startMs, instances: [["n1", "other-one"]] });
  expect(board.knowsInstances("n2", met)).toBe(false);
  board.close();
});
