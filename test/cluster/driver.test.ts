import { expect, it } from "vitest";
import { readConfiguration } from "../../cluster/configuration.js";
import { encodeEntry, stampEntry } from "../../src/codec.js";
import { accepted, brief, heartbeatResponse, rejected, requestVote, vote } from "../raft/messages.js";
import { build, open, stamped, turns } from "./driver-bench.js";

it("one write serves everything that came while another was under way", async () => {
  const { log, writes, nextWrite, propose, progress, seen } = await open();
  log.slow = true;
  const first = nextWrite();
  propose("a");
  await first;
  for (const name of ["b", "c", "d"]) propose(name);
  const second = nextWrite();
  writes[0]?.end();
  await second;
  expect(seen.applied).toEqual(["a"]);
  writes[1]?.end();
  await progress();
  expect(seen.applied).toEqual(["a", "b", "c", "d"]);
  expect(writes.map(({ entries }) => entries)).toEqual([1, 3]);
});

it("a wake is never lost, wherever the loop is", async () => {
  const { propose, seen, hooks } = await open();
  const last = 12;
  await new Promise<void>((resolve) => {
    hooks.onApplied = (name) => {
      const hops = Number(name) + 1;
      if (hops > last) return resolve();
      let later = Promise.resolve();
      for (let hop = 0; hop < hops; hop++) later = later.then(() => undefined);
      void later.then(() => propose(`${hops}`));
    };
    propose("0");
  });
  expect(seen.applied).toHaveLength(last + 1);
});

it("turns without a write let messages and ticks in", async () => {
  const { driver, raft, hooks } = await open();
  let reads = 0;
  let isOver = false;
  hooks.onReads = () => {
    reads++;
    if (!isOver) raft.readIndex(reads + 1);
  };
  raft.readIndex(1);
  driver.wake();
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  await driver.close();
  expect(reads).toBeGreaterThan(2);
  expect(reads).toBeLessThan(20);
});

it.each([
  ["many entries", 1000, 0, 256],
  ["entries that take long", 20, 1, 4],
])("%s to apply let messages and ticks in", async (_, count, msEach, mostInATurn) => {
  const { driver, raft, hooks, seen, clock, progress } = await open();
  let isLet = true;
  let last = 0;
  const turns: number[] = [];
  const whenAnythingRuns = () => {
    if (seen.applied.length > last) turns.push(seen.applied.length - last);
    last = seen.applied.length;
    if (isLet) setImmediate(whenAnythingRuns);
  };
  whenAnythingRuns();
  hooks.onApplied = () => (clock.ms += msEach);
  const names = Array.from({ length: count }, (_, n) => `${n}`);
  raft.propose(names.map((name) => stamped(name)));
  driver.wake();
  while (seen.applied.length < count) await progress();
  await driver.close();
  isLet = false;
  expect(seen.applied).toEqual(names);
  expect(Math.max(...turns)).toBe(mostInATurn);
  expect(Math.max(...seen.steps)).toBe((mostInATurn * msEach) / 1000);
});

it("log time never goes back", async () => {
  const { propose, progress, seen } = await open();
  for (const stampMs of [6000, 4000, 7000, 6999]) propose("x", stampMs);
  await progress();
  expect(seen.stamps).toEqual([6000, 6000, 7000, 7000]);
  expect(seen.terms).toEqual([1]);
});

it("a configuration becomes a record; what a removed node had parked goes with it, and the engine sees nothing else", async () => {
  const { driver, raft, engine, configurations, progress, seen } = await open();
  const ref = { node: "n2", epoch: 3, seq: 1 };
  const demand = { kind: "demand", for: "poll", prefix: "", max: 1, leaseMs: 1000, park: true, ref } as const;
  await engine.submit(demand);
  expect(engine.machine.demandCount).toBe(1);
  const member = { id: "n2", peer: "h:1", api: "http://h" };
  for (const change of [{ kind: "add", member } as const, { kind: "remove", id: "n2" } as const]) {
    expect(raft.changeMembers(change).ok).toBe(true);
    driver.wake();
    await progress();
  }
  expect(configurations.map(({ members, removed }) => [members.length, removed])).toEqual([
    [2, []],
    [1, ["n2"]],
  ]);
  expect(readConfiguration(engine)).toEqual(configurations[1]);
  expect(engine.machine.demandCount).toBe(0);
  expect(seen.applied).toEqual(["forget"]);
  // What it had asked for before comes into the log after that.
  const late = encodeEntry(ref, demand);
  stampEntry(late, 6000);
  raft.propose([late]);
  driver.wake();
  await progress();
  expect(engine.machine.demandCount).toBe(0);
  expect(seen.applied).toEqual(["forget", "demand", "forget"]);
  expect(seen.fatal).toEqual([]);
});

it("a failed write is fatal: nothing that was in it is applied, and nothing runs afterwards", async () => {
  const { driver, log, writes, nextWrite, propose, progress, seen } = await open();
  log.slow = true;
  const began = nextWrite();
  propose("a");
  await began;
  const over = progress();
  writes[0]?.end(new Error("disk is full"));
  await over;
  propose("b");
  await driver.close();
  expect(seen.fatal).toEqual([new Error("disk is full")]);
  expect(seen.applied).toEqual([]);
  expect(writes).toHaveLength(1);
});

it.each([true, false])(
  "B10 a vote leaves once it is written, and never if the write fails (fails: %s)",
  async (fails) => {
    const { log, writes, nextWrite, sent, seen, step } = build(["n1", "n2", "n3"]);
    log.slow = true;
    const began = nextWrite();
    step(requestVote(1, [0, 0]));
    await began;
    await turns();
    expect(sent).toEqual([]);
    const error = new Error("the disk is gone");
    writes[0]?.end(fails ? error : undefined);
    await turns();
    step(requestVote(1, [0, 0]));
    await turns();
    expect(sent.map(brief)).toEqual(fails ? [] : ["n1>n2 t1 RVr ok", "n1>n2 t1 RVr ok"]);
    expect(seen.fatal).toEqual(fails ? [error] : []);
  },
);

it("L5 a cluster of one answers only once its write is done", async () => {
  const { log, writes, nextWrite, propose, progress, seen } = await open();
  log.slow = true;
  const began = nextWrite();
  propose("a");
  await began;
  await turns();
  expect(seen.applied).toEqual([]);
  writes[0]?.end();
  await progress();
  expect(seen.applied).toEqual(["a"]);
});

it("L13 a log that cannot be read during replication is fatal, and nothing made of it leaves", async () => {
  const { raft, log, sent, seen, step, driver } = build(["n1", "n2", "n3"]);
  raft.campaign();
  step();
  await turns();
  step(vote(1, "n3"));
  await turns();
  step(accepted(1, 1, "n3"));
  await turns();
  expect([raft.role, raft.commitIndex]).toEqual(["leader", 1]);
  const error = new Error("the disk is gone");
  log.entries = () => {
    throw error;
  };
  const before = sent.length;
  step(rejected(1, 0, [0, 0]), accepted(1, 0), heartbeatResponse(1, 0));
  await turns();
  expect(seen.fatal).toEqual([error]);
  expect(sent.slice(before)).toEqual([]);
  await driver.close();
});

it("heartbeats leave while a write takes its time, but not while it is stuck", async () => {
  const { raft, log, writes, nextWrite, clock, sent, step, driver } = build(["n1", "n2", "n3"]);
  raft.campaign();
  step();
  await turns();
  log.slow = true;
  const began = nextWrite();
  step(vote(1, "n3"));
  await began;
  const ticksUntil = (ms: number) => {
    const before = sent.length;
    clock.ms = ms;
    raft.tick();
    driver.wake();
    driver.sendMeanwhile();
    return sent.slice(before).map(brief);
  };
  const heartbeats = ["n1>n2 t1 HB c0", "n1>n3 t1 HB c0"];
  expect(ticksUntil(100)).toEqual(heartbeats);
  expect(ticksUntil(2500)).toEqual(heartbeats);
  expect(ticksUntil(2501)).toEqual([]);
  writes[0]?.end(new Error("the disk is gone"));
  await turns();
  expect(ticksUntil(200)).toEqual([]);
});

it("closing waits for the write under way, and calls nobody afterwards", async () => {
  const { driver, log, writes, nextWrite, propose, seen } = await open();
  log.slow = true;
  const began = nextWrite();
  propose("a");
  await began;
  let closed = false;
  const closing = driver.close().then(() => (closed = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(closed).toBe(false);
  writes[0]?.end();
  await closing;
  driver.wake();
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen.applied).toEqual([]);
  expect(seen.fatal).toEqual([]);
});
