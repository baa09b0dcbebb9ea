/**
 * Snapshots between members: whole nodes in one process, their disks and their seats; only the links are in memory.
 * Reliability 30–36, H9–H12, H17–H19, L10, L11.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ids, SnapshotCluster } from "./snapshot-cluster.js";

let cluster: SnapshotCluster;
beforeEach(async () => {
  cluster = await SnapshotCluster.open();
});
afterEach(async () => {
  cluster.network.onPiece = (piece) => Promise.resolve(piece);
  await cluster.close();
});

function followers(): [string, string] {
  return ids.filter((id) => id !== cluster.leader()) as [string, string];
}

async function alarmsOf(id: string): Promise<readonly string[] | undefined> {
  const { nodes } = await cluster.seat(id).cluster();
  return nodes.find((node) => node.id === id)?.alarms.map(({ kind }) => kind);
}

async function expectEqual(): Promise<void> {
  expect(new Set(await cluster.hashes()).size).toBe(1);
  expect(cluster.fatal.map(String)).toEqual([]);
}

/** Cut off until the others have cut their logs beyond what it has. */
async function leftBehind(id: string): Promise<void> {
  cluster.network.isolate(id);
  await cluster.writeBeyond(id);
  cluster.network.heal();
}

/** Streams wait behind their first pieces until {@link release} is called. */
function stall(pieces = 2): { readonly release: () => void; readonly stalled: () => boolean } {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  let seen = 0;
  cluster.network.onPiece = async (piece) => {
    if (++seen > pieces) await gate;
    return piece;
  };
  return { release: () => open(), stalled: () => seen > pieces };
}

test("H17 a node that was away while the others cut their logs catches up by one snapshot and the tail", async () => {
  const [away] = followers();
  await leftBehind(away);
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  await cluster.write(100);
  await expectEqual();
  expect(cluster.count(away, "snapshot.installed")).toBe(1);
});

test("H11 H18 a transfer that hangs holds up neither writes nor other members, and is exact at its index", async () => {
  const [away, other] = followers();
  const { release, stalled } = stall();
  await leftBehind(away);
  await cluster.until(stalled);
  expect(cluster.seat(away).ready()).toBe(false);
  const before = cluster.seat(other).appliedIndex;
  await cluster.write(500);
  await cluster.until(() => cluster.seat(other).appliedIndex >= before + 500);
  release();
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  await expectEqual();
});

test("H10 the log is not cut above a transfer under way: what follows it comes from the log", async () => {
  const [away, other] = followers();
  const { release, stalled } = stall();
  await leftBehind(away);
  await cluster.until(stalled);
  const leader = cluster.leader();
  const offered = cluster.said.get(leader)?.findLast(({ event }) => event === "snapshot.sending")?.["index"] as number;
  const last = () => cluster.seat(leader).appliedIndex;
  const target = last() + 1000;
  while (last() < target) await cluster.write(300);
  // By now it would be cut, twice over.
  const flushed = cluster.seat(leader).member?.parts.store.flushedIndex ?? 0;
  expect(flushed).toBeGreaterThan(offered + 500);
  await cluster.until(() => cluster.firstIndexOf(other) > offered + 1);
  const cuts = cluster.firstIndexOf(other);
  while (cluster.firstIndexOf(other) === cuts) await cluster.write(100);
  expect(cluster.firstIndexOf(leader)).toBeLessThanOrEqual(offered + 1);
  release();
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  await expectEqual();
  expect(cluster.count(away, "snapshot.installed")).toBe(1);
  await cluster.until(() => cluster.firstIndexOf(cluster.leader()) > offered + 1);
});

test("H9 a new leader in the middle of a transfer begins its own; what came of the other is dropped", async () => {
  const [away] = followers();
  const { release, stalled } = stall();
  await leftBehind(away);
  await cluster.until(stalled);
  const first = cluster.leader();
  cluster.network.isolate(first);
  await cluster.until(() => cluster.leader() !== first || cluster.seat(first).member?.parts.raft.role !== "leader");
  release();
  await cluster.until(() => cluster.heard(away, "snapshot.receiving", 2) || !cluster.heard(away, "snapshot.received"));
  cluster.network.heal();
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  await cluster.write(50);
  await expectEqual();
});

test("H8 a member that ends in the middle of a transfer goes on where it was", async () => {
  const [away] = followers();
  await cluster.write(1500);
  const { release, stalled } = stall(4);
  await leftBehind(away);
  await cluster.until(stalled);
  await cluster.stop(away);
  release();
  await cluster.start(away);
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  const sendings = cluster.said.get(cluster.leader())?.filter(({ event }) => event === "snapshot.sending");
  expect(sendings?.at(-1)).toMatchObject({ resumed: true });
  await expectEqual();
});

test("L11 S9 a stream that is damaged on its way is not taken; the rest is asked for again", async () => {
  const [away] = followers();
  await cluster.write(1500);
  let damaged = 0;
  cluster.network.onPiece = (piece) => {
    if (piece.length > 30_000 && damaged++ % 5 === 0) piece[piece.length - 10] = (piece[piece.length - 10] ?? 0) ^ 1;
    return Promise.resolve(piece);
  };
  await leftBehind(away);
  await cluster.until(() => cluster.heard(away, "snapshot.installed"));
  expect(cluster.count(away, "snapshot.broken")).toBeGreaterThan(2);
  await expectEqual();
});

test("H19 two members at once, and one of them again right afterwards", async () => {
  const [one, two] = followers();
  await leftBehind(one);
  await cluster.until(() => cluster.heard(one, "snapshot.installed"));
  await leftBehind(two);
  await cluster.until(() => cluster.heard(two, "snapshot.installed"));
  await leftBehind(one);
  await cluster.until(() => cluster.heard(one, "snapshot.installed", 2));
  await expectEqual();
});

test("H12 a node that starts over refuses what it is asked, and has a new epoch afterwards", async () => {
  const [away] = followers();
  const seat = cluster.seat(away);
  const before = seat.member;
  const begun = cluster.hear(away, "snapshot.intended");
  await leftBehind(away);
  await begun;
  expect(seat.member).toBeUndefined();
  expect(seat.ready()).toBe(false);
  await expect(seat.submit({ kind: "make", chan: "c", buffer: 1 })).rejects.toMatchObject({ code: "no_leader" });
  await expect(seat.fresh({ stale: true, minIndex: 0 })).rejects.toMatchObject({ code: "no_leader" });
  expect(seat.appliedIndex).toBe(before?.appliedIndex);
  await cluster.until(() => seat.member !== undefined && seat.ready());
  expect(seat.member?.parts.epoch).toBe((before?.parts.epoch ?? 0) + 1);
  expect((await seat.submit({ kind: "make", chan: "c", buffer: 1 })).outcome.ok).toBe(true);
  expect(await seat.metrics()).toContain("slct_raft_term");
  await expectEqual();
});

/** Flips bits in the tables or the logs of LevelDB, in place: it has them in its memory, where a shorter file is fatal. */
async function damage(id: string): Promise<void> {
  const dir = join(cluster.dir(id), "store");
  for (const name of (await readdir(dir)).filter((one) => /^(MANIFEST-\d+|\d+\.(ldb|log))$/.test(one))) {
    const bytes = await readFile(join(dir, name));
    for (let at = 10; at < bytes.length; at += 997) bytes[at] = (bytes[at] ?? 0) ^ 0x20;
    await writeFile(join(dir, name), bytes, { flag: "r+" });
  }
}

test("L10 a node whose records are damaged votes and appends, serves nothing, and gets them from the leader", async () => {
  const [damaged, other] = followers();
  await cluster.write(500);
  await cluster.until(() => cluster.firstIndexOf(damaged) > 1);
  await cluster.stop(damaged);
  await damage(damaged);
  const { release, stalled } = stall(0);
  const seat = await cluster.start(damaged);
  await cluster.until(stalled);
  expect(seat.member?.needsSnapshot).toBe(true);
  expect(seat.ready()).toBe(false);
  await expect(seat.fresh({ stale: true, minIndex: 0 })).rejects.toMatchObject({ code: "no_leader" });
  await expect(seat.state("s1", { stale: true, minIndex: 0 })).rejects.toThrow("taking over the records");
  expect(await alarmsOf(damaged)).toEqual(["store_damaged"]);
  // Its log counts: with it and the leader alone the cluster commits.
  await cluster.stop(other);
  await cluster.write(100);
  release();
  await cluster.until(() => cluster.heard(damaged, "snapshot.installed"));
  await cluster.start(other);
  await cluster.until(() => cluster.seat(damaged).ready());
  expect(await alarmsOf(damaged)).toEqual([]);
  await expectEqual();
});

test("L10 records found damaged while the node runs end it, and the next start repairs them", async () => {
  const [damaged] = followers();
  await cluster.write(2000);
  await cluster.until(() => cluster.firstIndexOf(damaged) > 1);
  await cluster.stop(damaged);
  await cluster.start(damaged);
  await cluster.until(() => cluster.seat(damaged).ready());
  const member = cluster.seat(damaged).member;
  await damage(damaged);
  await expect(
    member?.parts.store.readView().then(async (view) => {
      for await (const page of view.pages("")) expect(page.length).toBeGreaterThan(0);
    }),
  ).rejects.toMatchObject({ kind: "corrupt" });
  expect(cluster.fatal.splice(0)).toHaveLength(1);
  await cluster.stop(damaged).catch(() => undefined);
  await cluster.start(damaged);
  await cluster.until(() => cluster.heard(damaged, "snapshot.installed"));
  await cluster.write(10);
  await expectEqual();
});
