import { beforeEach, expect, it } from "vitest";
import { Health } from "../../cluster/health.js";
import { StatusBoard, type OwnStatus } from "../../cluster/status.js";
import type { Frame, NodeStatus } from "../../cluster/types.js";
import { ManualTime } from "./manual-time.js";

const startMs = 1_000_000;

const said: OwnStatus = {
  ...{ instance: "instance-1", instances: [] },
  ...{ id: "n1", api: "http://n1", role: "leader", term: 3, leader: "n1", version: "1" },
  ...{ lastIndex: 9, commitIndex: 9, appliedIndex: 9, flushedIndex: 9 },
};
const heard = { ...said, alarms: [], dbBytes: 1 };

const memberOf = (id: string) => ({ id, voter: id !== "n3", peer: `${id}:1`, api: `http://${id}` });
const all = ["n1", "n2", "n3"].map(memberOf);
let members = all;
beforeEach(() => {
  members = all;
});

function open() {
  const time = new ManualTime();
  time.offMs = startMs;
  const sent: { to: string; status: NodeStatus }[] = [];
  const errors: unknown[] = [];
  const down = new Set<string>();
  const sizes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const store = {
    appliedIndex: 9,
    sizeBytes: () => new Promise<number>((resolve, reject) => sizes.push({ resolve: () => resolve(77), reject })),
    stateHash: () => Promise.resolve({ index: store.appliedIndex, hash: `h${store.appliedIndex}` }),
  };
  const onError = (error: unknown) => void errors.push(error);
  const health = new Health({
    ...{ self: "n1", others: () => ["n2", "n3"], store, logTimeMs: 0, time, timeoutMs: 600, diskFreeMin: 0, onError },
    logger: { warn: () => undefined, info: () => undefined },
    observeStall: () => undefined,
  });
  const board = new StatusBoard({
    ...{ self: memberOf("n1"), members: () => members, store, health, time, onError },
    ...{ own: () => said, clock: () => time.wallMs() },
    send: (to: string, frame: Frame) => frame.kind === "status" && sent.push({ to, status: frame.status }),
    isUp: (id) => !down.has(id),
  });
  /** As asked for by a client. */
  const shown = async () => {
    const asked = board.all();
    sizes.at(-1)?.resolve();
    return asked;
  };
  return { time, board, health, store, sent, errors, down, sizes, shown };
}

it("tells the others once a second, and one whose link came up at once", async () => {
  const { time, board, sent } = open();
  await time.pass(1000);
  expect(sent.map(({ to }) => to)).toEqual(["n2", "n3"]);
  board.tell("n3");
  expect(sent[2]).toMatchObject({ to: "n3", status: { atMs: startMs + 1000, alarms: [] } });
  await time.pass(4000);
  expect(sent).toHaveLength(11);
  board.tellAll();
  expect(sent.slice(11).map(({ to }) => to)).toEqual(["n2", "n3"]);
  board.close();
});

it("tells its health with it", async () => {
  const { time, health, sent } = open();
  health.alarms.raise("disk_low", "full");
  await time.pass(3000);
  const alarm = { kind: "disk_low", sinceMs: startMs, about: "full" };
  expect(sent.at(-1)?.status).toMatchObject({ alarms: [alarm], stateHash: { index: 9, hash: "h9" } });
});

it("counts the bytes now and then, once at a time, and goes on telling meanwhile", async () => {
  const { time, board, health, sent, sizes } = open();
  await time.pass(60_000);
  expect(sizes).toHaveLength(1);
  sizes[0]?.resolve();
  await time.pass(2000);
  expect(sent.at(-1)?.status.dbBytes).toBe(77);
  expect(sizes).toHaveLength(2);
  expect(sent).toHaveLength(2 * 62);
  board.close();
  health.close();
  expect(time.timers).toBe(0);
});

it("reports a failing store, but not one that is closed meanwhile", async () => {
  for (const closed of [false, true]) {
    const { time, board, errors, sizes } = open();
    await time.pass(1000);
    if (closed) board.close();
    sizes[0]?.reject(new Error("closed"));
    await time.pass(0);
    expect(errors).toHaveLength(closed ? 0 : 1);
    board.close();
  }
});

it("passes on what it hears", () => {
  const { board, health } = open();
  board.onStatus("n2", { ...heard, id: "n2", atMs: startMs, alarms: [{ kind: "disk_low", sinceMs: 1, about: "x" }] });
  expect(health.limit()).toEqual({ restriction: "growth", reason: "disk_low" });
});

it("shows the others as last heard, their clocks compared", async () => {
  const { time, board, shown } = open();
  board.onStatus("n3", { ...heard, id: "n3", atMs: startMs + 250 });
  await time.pass(500);
  board.onStatus("n2", { ...heard, id: "n2", atMs: startMs + 400 });
  expect(board.skewMs()).toBe(250);
  await time.pass(2000);
  // A wall clock that is set changes nothing of what was heard.
  time.offMs += 3000;
  expect((await shown()).map(({ id, lagMs, skewMs, reachable }) => ({ id, lagMs, skewMs, reachable }))).toEqual([
    { id: "n1", lagMs: 0, skewMs: 0, reachable: true },
    { id: "n2", lagMs: 2000, skewMs: -100, reachable: true },
    { id: "n3", lagMs: 2500, skewMs: 250, reachable: false },
  ]);
  board.close();
});

it("shows a member as unreachable as soon as its link is down", async () => {
  const { board, down, shown } = open();
  for (const id of ["n2", "n3"]) board.onStatus(id, { ...heard, id, atMs: startMs });
  down.add("n2");
  expect((await shown()).map(({ reachable }) => reachable)).toEqual([true, false, true]);
  board.close();
});

it("follows the members: one that was never heard of is shown, one that left is not, and is told nothing", async () => {
  const { time, board, sent, shown } = open();
  board.onStatus("n3", { ...heard, id: "n3", atMs: startMs + 250 });
  members = [memberOf("n1"), memberOf("n2")];
  await time.pass(1000);
  expect(sent.map(({ to }) => to)).toEqual(["n2"]);
  expect(board.skewMs()).toBe(0);
  expect((await shown()).map(({ id, reachable, voter, peer }) => ({ id, reachable, voter, peer }))).toEqual([
    { id: "n1", reachable: true, voter: true, peer: "n1:1" },
    { id: "n2", reachable: false, voter: true, peer: "n2:1" },
  ]);
  board.close();
});

it("a node that nobody has let in shows itself, as one that does not vote", async () => {
  const { board, shown } = open();
  members = [];
  expect((await shown()).map(({ id, voter }) => ({ id, voter }))).toEqual([{ id: "n1", voter: false }]);
  board.close();
});

it("knows which instances a member has met", () => {
  const { board } = open();
  const met = [["n1", "first-one"] as const, ["n2", "second-one"] as const];
  expect(board.knowsInstances("n2", met)).toBe(false);
  board.onStatus("n2", { ...heard, id: "n2", atMs: startMs, instances: [["n1", "first-one"]] });
  expect(board.knowsInstances("n2", met)).toBe(true);
  board.onStatus("n2", { ...heard, id: "n2", atMs: startMs, instances: [["n1", "other-one"]] });
  expect(board.knowsInstances("n2", met)).toBe(false);
  board.close();
});
