import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Duties } from "../../cluster/duties.js";
import { Timers } from "../../cluster/timers.js";
import { votersOf } from "../../raft/configuration.js";
import { SlctError } from "../../src/errors.js";
import type { Settings } from "../../src/select/types.js";
import { Engine, settings, settled } from "./engine.js";
import { Mesh } from "./mesh.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const forgetAfterMs = 4000;
const promoteAfterMs = 1000;

function open(wanted: Settings = settings) {
  const mesh = new Mesh(["n1", "n2", "n3"]);
  const { raft } = mesh.node("n1");
  const engine = new Engine();
  const errors: string[] = [];
  const prepared = { yes: true };
  const timers = new Timers({
    store: { get: (key) => engine.get(key), range: (options) => Promise.resolve(engine.range(options)) },
    submit: engine.submit,
    clock: () => engine.nowMs,
    observeLateness: () => undefined,
    onError: (error) => errors.push(String(error)),
  });
  const duties = new Duties({
    ...{ raft, store: engine, timers, settings: wanted, forgetAfterMs, submit: engine.submit },
    ...{ promoteAfterMs, isPrepared: () => prepared.yes, logger: { info: () => undefined } },
    onError: (message) => errors.push(message),
  });
  /** Time passes for the leader, its followers answering or not. */
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 100) {
      vi.advanceTimersByTime(100);
      raft.tick();
      mesh.settle();
      duties.tick();
      await settled();
    }
  };
  const kinds = () =>
    engine.commands.map((command) => (command.kind === "forget" ? `forget ${command.node}` : command.kind));
  const voters = () => votersOf(raft.configuration);
  return { mesh, raft, engine, duties, errors, prepared, pass, kinds, voters };
}

describe("the settings", () => {
  it("are replicated by a leader whose own differ, once per term", async () => {
    const { mesh, duties, pass, kinds } = open({ ...settings, attemptsMax: 3 });
    duties.onTerm(1);
    expect(kinds()).toEqual([]);
    mesh.elect("n1");
    duties.onTerm(1);
    duties.onTerm(1);
    await pass(500);
    expect(kinds()).toEqual(["configure"]);
  });

  it("are left alone when they are the same", async () => {
    const { mesh, duties, pass, kinds } = open();
    mesh.elect("n1");
    duties.onTerm(1);
    await pass(500);
    expect(kinds()).toEqual([]);
  });

  it("are tried again by the same leader when that failed", async () => {
    const { mesh, engine, duties, pass, kinds, errors } = open({ ...settings, attemptsMax: 3 });
    mesh.elect("n1");
    engine.outage = new SlctError("overloaded", "full");
    duties.onTerm(1);
    await pass(500);
    expect(errors).toHaveLength(1);
    engine.outage = undefined;
    await pass(1500);
    expect(kinds()).toEqual(["configure"]);
  });
});

describe("a silent follower", () => {
  it("is forgotten once per outage", async () => {
    const { mesh, duties, pass, kinds } = open();
    mesh.elect("n1");
    duties.onTerm(1);
    await pass(2000);
    mesh.isolate("n3");
    await pass(3000);
    expect(kinds()).toEqual([]);
    await pass(20_000);
    expect(kinds()).toEqual(["forget n3"]);
    mesh.heal();
    await pass(2000);
    mesh.isolate("n3");
    await pass(10_000);
    expect(kinds()).toEqual(["forget n3", "forget n3"]);
  });

  it("is forgotten later when that could not be committed", async () => {
    const { mesh, engine, duties, pass, kinds, errors } = open();
    mesh.elect("n1");
    duties.onTerm(1);
    mesh.isolate("n3");
    engine.outage = new SlctError("timeout", "slow");
    await pass(6000);
    expect(errors).toHaveLength(1);
    engine.outage = undefined;
    await pass(6000);
    expect(kinds()).toEqual(["forget n3"]);
  });
});

describe("a learner", () => {
  const member = { id: "n4", peer: "n4:1", api: "http://n4" };

  it("votes once it has been up to date for a while", async () => {
    const { mesh, raft, duties, pass, voters } = open();
    mesh.elect("n1");
    duties.onTerm(1);
    mesh.join("n4");
    expect(raft.changeMembers({ kind: "add", member }).ok).toBe(true);
    await pass(promoteAfterMs);
    expect(voters()).toEqual(["n1", "n2", "n3"]);
    await pass(300);
    expect(voters()).toEqual(["n1", "n2", "n3", "n4"]);
    expect(raft.status().changing).toBe(false);
  });

  it("does not vote while it is silent, nor before it knows whom the others have met", async () => {
    const { mesh, raft, duties, prepared, pass, voters } = open();
    mesh.elect("n1");
    duties.onTerm(1);
    mesh.join("n4");
    mesh.isolate("n4");
    raft.changeMembers({ kind: "add", member });
    await pass(5000);
    expect(voters()).not.toContain("n4");
    prepared.yes = false;
    mesh.heal();
    await pass(5000);
    expect(voters()).not.toContain("n4");
    prepared.yes = true;
    await pass(2000);
    expect(voters()).toContain("n4");
  });
});

it("a removed member is not forgotten once more", async () => {
  const { mesh, raft, duties, pass, kinds } = open();
  mesh.elect("n1");
  duties.onTerm(1);
  mesh.isolate("n3");
  raft.changeMembers({ kind: "remove", id: "n3" });
  await pass(10_000);
  expect(kinds()).toEqual([]);
});

it("the clock hand stops with the leadership", async () => {
  const { mesh, duties, pass } = open();
  mesh.elect("n1");
  duties.onTerm(1);
  await settled();
  expect(vi.getTimerCount()).toBe(1);
  mesh.isolate("n1");
  await pass(3000);
  expect(mesh.node("n1").raft.role).not.toBe("leader");
  expect(vi.getTimerCount()).toBe(0);
});
