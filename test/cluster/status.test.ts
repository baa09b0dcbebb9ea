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
  ...{ id: "n1", api: "http://n1", role: "leader", term: 3, leader: "n1", version: "1" },
  ...{ lastIndex: 9, commitIndex: 9, appliedIndex: 9, flushedIndex: 9 },
};

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
      others: ["n2", "n3"],
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
