/**
 * What a worker must not change: freshness, hand-outs, backups, and what is left when it dies.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { backupsMax } from "../../cluster/backups.js";
import type { Waitable } from "../../cluster/types.js";
import type { Ref } from "../../src/select/types.js";
import { openLocalNode, type LocalNode } from "../api/local-node.js";
import { behindLine, type Loop } from "./loop.js";

const now = { stale: false, minIndex: 0 };
const never = new AbortController().signal;
const create = (id: string) => ({
  ...({ kind: "put", id, digest: id, requestId: id } as const),
  selects: [{ id: "1", choice: "random", cases: [{ op: "default" }] } as const],
});
const poll = (ref: Ref): Waitable => ({
  ...({ kind: "demand", for: "poll", prefix: "", max: 1, leaseMs: 30_000, park: true, ref } as const),
});
const receive = (ref: Ref): Waitable => ({
  ...({ kind: "select", route: "recv", choice: "random", cases: [{ op: "recv", chan: "c" }], wait: { ref } } as const),
});

let node: LocalNode;
let loops: Loop[];
beforeEach(() => {
  node = openLocalNode(() => Promise.resolve(""));
  loops = [];
});
afterEach(() => {
  for (const loop of loops) loop.close();
  node.close();
});

async function open(): Promise<Loop> {
  const loop = await behindLine(node);
  loops.push(loop);
  return loop;
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve));
}

const statusOf = async (id: string) => (await node.state(id, now)).record?.state.status;

test("what was written through one worker is read through another, at the index of the answer or above", async () => {
  const [one, other] = [await open(), await open()];
  await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const { index } = await (n % 2 ? one : other).node.submit(create(`s${n}`));
      const read = await (n % 2 ? other : one).node.state(`s${n}`, now);
      expect(read.record?.state.id).toBe(`s${n}`);
      expect(read.index).toBeGreaterThanOrEqual(index);
    }),
  );
});

test("the index never goes back, and is at least that of what was answered", async () => {
  const { node: remote } = await open();
  let highest = 0;
  await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const { index } = await remote.submit(create(`s${n}`));
      expect(remote.appliedIndex).toBeGreaterThanOrEqual(Math.max(index, highest));
      highest = remote.appliedIndex;
    }),
  );
});

test("a hand-out whose client went while it was on its way is given back", async () => {
  const { node: remote, socket } = await open();
  await node.submit(create("a"));
  socket.pause();
  const leaving = new AbortController();
  const waited = remote.submitAndWait(poll, { waitMs: 1000, signal: leaving.signal });
  await until(async () => (await statusOf("a")) === "running");
  leaving.abort();
  socket.resume();
  await waited;
  await until(async () => (await statusOf("a")) === "pending");
  expect((await node.state("a", now)).record?.state.attempt).toBe(0);
});

test("one that others have as well is not", async () => {
  const [one, other] = [await open(), await open()];
  const leaving = new AbortController();
  const put = (ref: Ref): Waitable => ({ ...create("a"), selects: [wait], wait: { ref, leaseMs: 30_000 } });
  const wait = { id: "1", choice: "random", cases: [{ op: "recv", chan: "c" }] } as const;
  const first = one.node.submitAndWait(put, { waitMs: 10_000, signal: leaving.signal });
  await until(() => node.waitCount === 1);
  const second = other.node.submitAndWait(put, { waitMs: 10_000, signal: never });
  await until(() => node.waitCount === 2);
  one.socket.pause();
  await node.submit({ kind: "select", route: "send", choice: "random", cases: [{ op: "send", chan: "c" }] });
  expect(await second).toMatchObject({ kind: "granted", shared: true });
  leaving.abort();
  one.socket.resume();
  await first;
  // Whatever it would have said to the core is said before this is answered.
  await one.node.fresh(now);
  expect(await statusOf("a")).toBe("running");
});

describe("a worker that dies", () => {
  test("leaves nothing parked, and what others wait for comes to them", async () => {
    const [dying, other] = [await open(), await open()];
    const lost = [poll, receive].map((build) =>
      dying.node.submitAndWait(build, { waitMs: 60_000, signal: never }).catch((error: unknown) => error),
    );
    await until(() => node.waitCount === 2);
    const waiting = other.node.submitAndWait(poll, { waitMs: 60_000, signal: never });
    await until(() => node.waitCount === 3);
    dying.close();
    expect(await Promise.all(lost)).toMatchObject([{ code: "timeout" }, { code: "timeout" }]);
    await until(() => node.waitCount === 1);
    expect((await node.chan("c", now)).record).toBeUndefined();
    await node.submit(create("a"));
    expect(await waiting).toMatchObject({ kind: "granted", handOuts: [{ state: { id: "a" } }] });
  });

  test("lets go of its watches, events and backups", async () => {
    const dying = await open();
    await node.submit(create("a"));
    const forever = { waitMs: 3_600_000, signal: never };
    const ends = [
      dying.node.watch("a", { status: "done" }, forever),
      dying.node.events({ prefix: "", limit: 1, after: node.appliedIndex, ...forever }),
    ].map((one) => one.catch((error: unknown) => error));
    for (let n = 0; n < backupsMax; n++) await dying.node.backup();
    const other = await open();
    await expect(other.node.backup()).rejects.toMatchObject({ code: "overloaded" });
    dying.close();
    expect(await Promise.all(ends)).toMatchObject([{ code: "timeout" }, { code: "timeout" }]);
    await until(() => dying.core.underWay === 0);
    await until(() =>
      other.node.backup().then(
        () => true,
        () => false,
      ),
    );
  });
});
