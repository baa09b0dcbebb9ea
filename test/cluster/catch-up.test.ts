/**
 * When a node may say that it is ready: not while it only believes so.
 */
import { beforeEach, expect, test } from "vitest";
import { CatchUp } from "../../cluster/catch-up.js";

const raft: { leader: string | null; commitIndex: number } = { leader: null, commitIndex: 0 };
const store = { appliedIndex: 0 };
const snapshots = { arriving: false };
let said: Record<string, number>;
let catchUp: CatchUp;
beforeEach(() => {
  Object.assign(raft, { leader: "n2", commitIndex: 10 });
  store.appliedIndex = 10;
  snapshots.arriving = false;
  said = {};
  catchUp = new CatchUp({ self: "n1", raft, store, snapshots, board: { commitIndexOf: (id) => said[id] } });
});

test("a leader that applied what it committed is", () => {
  raft.leader = "n1";
  expect(catchUp.done).toBe(true);
  store.appliedIndex = 9;
  expect(catchUp.done).toBe(false);
});

test("a follower is when it has what the leader said, not before it said anything", () => {
  expect(catchUp.done).toBe(false);
  said = { n2: 20, n3: 5 };
  expect(catchUp.done).toBe(false);
  store.appliedIndex = 20;
  expect(catchUp.done).toBe(true);
});

test("once it has caught up it may be a little behind what the leader says, but not behind what it knows itself", () => {
  said = { n2: 10 };
  expect(catchUp.done).toBe(true);
  said = { n2: 500 };
  expect(catchUp.done).toBe(true);
  raft.commitIndex = 11;
  expect(catchUp.done).toBe(false);
});

test("it begins anew without a leader, and with a snapshot", () => {
  said = { n2: 10 };
  expect(catchUp.done).toBe(true);
  raft.leader = null;
  expect(catchUp.done).toBe(false);
  Object.assign(said, { n2: 500 });
  raft.leader = "n2";
  expect(catchUp.done).toBe(false);
  store.appliedIndex = 500;
  expect(catchUp.done).toBe(true);
  snapshots.arriving = true;
  expect(catchUp.done).toBe(false);
});
