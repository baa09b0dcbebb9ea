import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CallbackDuty } from "../../cluster/callback-duty.js";
import { SlctError } from "../../src/errors.js";
import { keys } from "../../src/select/keys.js";
import type { Command } from "../../src/select/command.js";
import type { HandOut } from "../../src/select/outcome.js";
import type { State } from "../../src/select/types.js";
import { Engine, settled } from "./engine.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const create = (id: string): Command => ({
  ...{ kind: "put", id, digest: id, callback: { type: 1, uri: "http://127.0.0.1/" } },
  selects: [{ id: "1", cases: [{ op: "default" }], choice: "random" }],
});
const forget: Command = { kind: "forget", node: "n1", epoch: Number.MAX_SAFE_INTEGER };

function open(slots = 3) {
  const engine = new Engine();
  const taken: HandOut[] = [];
  const untaken: HandOut[] = [];
  let seq = 0;
  const duty: CallbackDuty = new CallbackDuty({
    ...{ slots, leaseMs: 30_000, submit: engine.submit },
    newRef: () => ({ node: "n1", epoch: 1, seq: ++seq }),
    take: (handOuts) => taken.push(...handOuts),
  });
  engine.listen(({ effects }, { index, command }) => {
    for (const effect of effects) {
      const ref = effect.kind === "granted" ? effect.demand.holders[0] : undefined;
      if (effect.kind !== "granted" || ref === undefined) continue;
      if (!duty.onGranted(effect.demand, ref, effect.handOuts)) untaken.push(...effect.handOuts);
    }
    if (command.kind === "forget") duty.onForgotten(index);
  });
  /** As many as the log would hand out to this node at once. */
  const probe = async (prefix: string) => {
    const before = taken.length;
    for (let n = 0; n < 10; n++) await engine.submit(create(`${prefix}${n}`));
    await settled();
    return taken.length - before;
  };
  return { engine, duty, taken, untaken, probe };
}

it("asks for as many as it has slots, and for more as they come free", async () => {
  const { engine, duty, taken, probe } = open();
  duty.ask();
  await settled();
  expect(await probe("a")).toBe(3);
  duty.freed(2);
  await settled();
  expect(taken).toHaveLength(5);
  duty.freed(3);
  await settled();
  expect(taken).toHaveLength(8);
  expect(engine.machine.demandCount).toBe(0);
});

it("takes at once what already waits, and asks for nothing without slots", async () => {
  const { engine, duty, taken } = open(2);
  for (const id of ["a", "b", "c"]) await engine.submit(create(id));
  duty.ask();
  await settled();
  expect(taken.map(({ state }) => state.id)).toEqual(["a", "b"]);
  const off = open(0);
  off.duty.ask();
  await settled();
  expect(off.engine.commands).toEqual([]);
});

describe("the sum of slots stays", () => {
  it("when a demand is refused", async () => {
    const { engine, duty, probe } = open();
    engine.outage = new SlctError("no_leader", "gone");
    duty.ask();
    await vi.advanceTimersByTimeAsync(3000);
    engine.outage = undefined;
    await vi.advanceTimersByTimeAsync(1000);
    expect(await probe("a")).toBe(3);
  });

  it("when it is unknown whether a demand is parked", async () => {
    const { engine, duty, taken, probe } = open();
    engine.instant = false;
    duty.ask();
    const applied = engine.queue[0]?.command;
    engine.lose("timeout");
    await settled();
    engine.instant = true;
    if (applied) await engine.submit(applied);
    await engine.submit(create("early"));
    expect(taken).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await probe("a")).toBe(2);
    expect(engine.machine.demandCount).toBe(0);
  });

  it("when the node was forgotten with some at work", async () => {
    const { engine, duty, taken, probe } = open();
    duty.ask();
    await settled();
    await engine.submit(create("early"));
    await engine.submit(forget);
    await settled();
    expect(await probe("a")).toBe(2);
    duty.freed(3);
    await settled();
    expect(taken).toHaveLength(6);
  });

  it.each(["before", "after"])("when it was forgotten in one batch with the demand, %s it", async (when) => {
    const { engine, duty, untaken, probe } = open();
    engine.instant = false;
    if (when === "before") void engine.submit(forget);
    duty.ask();
    if (when === "after") void engine.submit(forget);
    engine.instant = true;
    engine.commit();
    await settled();
    expect(engine.machine.demandCount).toBe(1);
    expect(await probe("a")).toBe(3);
    expect(untaken).toEqual([]);
  });
});

it("stopping withdraws what is parked and takes nothing more", async () => {
  const { engine, duty, taken, untaken } = open();
  duty.ask();
  await settled();
  engine.instant = false;
  duty.stop();
  void engine.submit(create("late"));
  engine.queue.reverse();
  engine.commit();
  await settled();
  expect(taken).toEqual([]);
  expect(untaken.map(({ state }) => state.id)).toEqual(["late"]);
  expect(engine.machine.demandCount).toBe(0);
  expect((engine.get(keys.state("late")) as State).status).toBe("running");
});
