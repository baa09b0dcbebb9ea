import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SlctError } from "../../src/errors.js";
import { keys } from "../../src/select/keys.js";
import type { Command } from "../../src/select/command.js";
import type { Ref, State } from "../../src/select/types.js";
import { Engine, settled } from "./engine.js";
import { create, createAndWait, openWaits, poll, select } from "./parked.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const statusOf = (engine: Engine, id: string) => (engine.get(keys.state(id)) as State).status;
const kindOf = (promise: Promise<{ kind: string }>) =>
  promise.then(
    ({ kind }) => kind,
    (error: unknown) => (error as SlctError).code,
  );
const never = new AbortController().signal;

describe("a wait", () => {
  it("is answered by what the first entry finds", async () => {
    const { engine, waits } = openWaits();
    await engine.submit(create("a"));
    const answer = await waits.submit(poll, { waitMs: 1000, signal: never });
    expect(answer).toMatchObject({ kind: "answer", outcome: { answer: { kind: "handOuts" } } });
    expect(waits.count).toBe(0);
  });

  it("gets what comes later, without a second entry", async () => {
    const { engine, waits } = openWaits();
    const answer = waits.submit(poll, { waitMs: 1000, signal: never });
    await engine.submit(create("a"));
    expect(await answer).toMatchObject({ kind: "granted", index: 3, handOuts: [{ state: { id: "a" } }] });
    expect(engine.commands).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gets what arrives before it knows that it is parked", async () => {
    const { engine, waits } = openWaits();
    engine.instant = false;
    const answer = waits.submit(poll, { waitMs: 1000, signal: never });
    void engine.submit(create("a"));
    engine.commit();
    expect(await kindOf(answer)).toBe("granted");
  });

  it("is not answered with a hand-out whose lease is over: this process was stopped", async () => {
    const { engine, waits } = openWaits();
    const parked = waits.submit(poll, { waitMs: 60_000, signal: never });
    await settled();
    const created = engine.submit(create("a"));
    engine.nowMs += 30_000;
    await created;
    expect(await parked).toMatchObject({ kind: "withdrawn" });
    await engine.submit(create("b"));
    engine.instant = false;
    const late = waits.submit(poll, { waitMs: 60_000, signal: never });
    engine.commit();
    engine.nowMs += 30_000;
    expect(await late).toMatchObject({ kind: "answer", outcome: { answer: { kind: "handOuts", handOuts: [] } } });
  });

  it("is withdrawn when its time is over", async () => {
    const { engine, waits } = openWaits();
    const answer = waits.submit(poll, { waitMs: 1000, signal: never });
    await vi.advanceTimersByTimeAsync(999);
    expect(engine.machine.demandCount).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await kindOf(answer)).toBe("withdrawn");
    expect(engine.machine.demandCount).toBe(0);
  });

  it("gets what arrives while it is being withdrawn", async () => {
    const { engine, waits } = openWaits();
    const answer = waits.submit(poll, { waitMs: 1000, signal: never });
    await settled();
    engine.instant = false;
    void engine.submit(create("a"));
    await vi.advanceTimersByTimeAsync(1000);
    engine.commit();
    expect(await kindOf(answer)).toBe("granted");
    expect(statusOf(engine, "a")).toBe("running");
  });

  it.each([
    ["poll", poll, "withdrawn"],
    ["recv", (ref: Ref) => select("recv", ref), "timeout"],
  ] as const)("of kind %s that cannot be withdrawn is withdrawn later", async (_, build, end) => {
    const { engine, waits } = openWaits();
    const answer = kindOf(waits.submit(build, { waitMs: 1000, signal: never }));
    await settled();
    engine.outage = new SlctError("no_leader", "gone");
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answer).toBe(end);
    await vi.advanceTimersByTimeAsync(2000);
    engine.outage = undefined;
    await vi.advanceTimersByTimeAsync(500);
    expect(engine.commands.filter(({ kind }) => kind === "withdraw")).toHaveLength(1);
    expect(engine.machine.demandCount).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("keeps a value that came although its withdrawal failed", async () => {
    const { engine, waits } = openWaits();
    const answer = waits.submit((ref) => select("recv", ref), { waitMs: 1000, signal: never });
    await settled();
    engine.instant = false;
    await vi.advanceTimersByTimeAsync(1000);
    engine.instant = true;
    expect((await engine.submit(select("send"))).outcome.ok).toBe(true);
    engine.lose("timeout");
    expect(await kindOf(answer)).toBe("result");
  });

  it("hands back what comes after it gave up", async () => {
    const { engine, waits } = openWaits();
    const answer = kindOf(waits.submit(poll, { waitMs: 1000, signal: never }));
    await settled();
    engine.outage = new SlctError("timeout", "slow");
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answer).toBe("withdrawn");
    engine.outage = undefined;
    await engine.submit(create("a"));
    await settled();
    expect(statusOf(engine, "a")).toBe("pending");
    expect((engine.get(keys.state("a")) as State).attempt).toBe(0);
  });
});

it("several that carry one Request-Id get one result", async () => {
  const { engine, waits } = openWaits();
  const recv = (ref: Ref) => select("recv", ref, "r");
  const answers = [1, 2].map(() => kindOf(waits.submit(recv, { waitMs: 1000, signal: never })));
  await settled();
  await engine.submit(select("send"));
  expect(await Promise.all(answers)).toEqual(["result", "result"]);
  expect(engine.get(keys.chan("c"))).toBeUndefined();
});

describe("a client that goes away", () => {
  it.each(["before", "while"])("%s it is parked leaves nothing", async (when) => {
    const { engine, waits } = openWaits();
    const gone = new AbortController();
    engine.instant = false;
    const answer = kindOf(waits.submit(poll, { waitMs: 1000, signal: gone.signal }));
    if (when === "before") gone.abort();
    engine.commit();
    await settled();
    if (when === "while") gone.abort();
    await settled();
    engine.commit();
    expect(await answer).toBe("withdrawn");
    expect([engine.machine.demandCount, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it.each(["at once", "later"])("N18 gives back what it was handed out %s", async (when) => {
    const { engine, waits } = openWaits();
    const gone = new AbortController();
    engine.instant = false;
    if (when === "at once") void engine.submit(create("a"));
    const answer = waits.submit(poll, { waitMs: 1000, signal: gone.signal });
    if (when === "later") void engine.submit(create("a"));
    gone.abort();
    engine.instant = true;
    engine.commit();
    await answer;
    await settled();
    expect(statusOf(engine, "a")).toBe("pending");
  });

  it("does not take a hand-out from another who shares it", async () => {
    const { engine, waits } = openWaits();
    const gone = new AbortController();
    const put = (ref: Ref) => ({ ...createAndWait("a", ref), requestId: "r" });
    const first = kindOf(waits.submit(put, { waitMs: 1000, signal: gone.signal }));
    await settled();
    const second = kindOf(waits.submit(put, { waitMs: 1000, signal: never }));
    await settled();
    engine.instant = false;
    gone.abort();
    engine.instant = true;
    await engine.submit(select("send"));
    engine.commit();
    expect([await first, await second]).toContain("granted");
    await settled();
    expect(statusOf(engine, "a")).toBe("running");
  });
});

describe("what is refused", () => {
  it.each(["no_leader", "overloaded"] as const)("with %s leaves nothing to withdraw", async (code) => {
    const { engine, waits } = openWaits();
    engine.outage = new SlctError(code, "refused");
    expect(await kindOf(waits.submit(poll, { waitMs: 1000, signal: never }))).toBe(code);
    expect(waits.count).toBe(0);
    engine.outage = undefined;
    await vi.advanceTimersByTimeAsync(5000);
    expect(engine.commands).toEqual([]);
  });

  it("with timeout is withdrawn, as it may be parked", async () => {
    const { engine, waits } = openWaits();
    engine.outage = new SlctError("timeout", "slow");
    expect(await kindOf(waits.submit(poll, { waitMs: 1000, signal: never }))).toBe("timeout");
    engine.outage = undefined;
    await vi.advanceTimersByTimeAsync(500);
    expect(engine.commands).toMatchObject([{ kind: "withdraw", refs: [{ node: "n1", epoch: 1, seq: 1 }] }]);
  });

  it("by the engine is told with its index", async () => {
    const { engine, waits } = openWaits();
    await engine.submit(create("a"));
    const put = waits.submit((ref) => createAndWait("a", ref), { waitMs: 10, signal: never });
    expect(await put).toMatchObject({ kind: "refused", index: 3, outcome: { code: "lock_error" } });
  });

  it("beyond the limit never reaches the log", async () => {
    const { engine, waits } = openWaits(new Engine(), { waitsMax: 1 });
    const first = kindOf(waits.submit(poll, { waitMs: 1000, signal: never }));
    expect(await kindOf(waits.submit(poll, { waitMs: 1000, signal: never }))).toBe("overloaded");
    waits.close();
    expect(await first).toBe("withdrawn");
    expect(engine.commands.map(({ kind }) => kind)).toEqual(["demand", "withdraw"]);
  });

  it("beyond the limit leaves alone who does not wait", async () => {
    const { waits } = openWaits(new Engine(), { waitsMax: 0 });
    const found = waits.submit((ref) => ({ ...poll(ref), park: false }), { waitMs: 0, signal: never });
    expect(await kindOf(found)).toBe("answer");
  });
});

describe("a node that was forgotten", () => {
  const forget: Command = { kind: "forget", node: "n1", epoch: Number.MAX_SAFE_INTEGER };

  it("ends what was parked, without another entry", async () => {
    const { engine, waits } = openWaits();
    const answer = kindOf(waits.submit(poll, { waitMs: 1000, signal: never }));
    await settled();
    await engine.submit(forget);
    expect(await answer).toBe("withdrawn");
    expect(engine.commands.map(({ kind }) => kind)).toEqual(["demand", "forget"]);
  });

  it("ends what the entry that parked it dropped again: it came after the removal of the node", async () => {
    const { engine, waits } = openWaits();
    engine.instant = false;
    const answer = kindOf(waits.submit(poll, { waitMs: 1000, signal: never }));
    engine.commit();
    waits.onForgotten(engine.index);
    expect(await answer).toBe("withdrawn");
    expect(engine.commands.map(({ kind }) => kind)).toEqual(["demand"]);
  });

  it.each([true, false])("keeps what is parked behind that entry: %s", async (behind) => {
    const { engine, waits } = openWaits();
    engine.instant = false;
    if (behind) void engine.submit(forget);
    const answer = waits.submit((ref) => select("recv", ref), { waitMs: 1000, signal: never });
    if (!behind) void engine.submit(forget);
    engine.commit();
    await settled();
    engine.instant = true;
    const sent = await engine.submit(select("send"));
    expect(sent.outcome.ok).toBe(behind);
    expect(await kindOf(answer)).toBe(behind ? "result" : "withdrawn");
  });
});

describe("hand-outs to an earlier run of the node", () => {
  it.each([
    ["were perhaps answered if they are replayed", 100, "running"],
    ["have no taker if they are new", 0, "pending"],
  ])("%s", async (_, replayedTo, status) => {
    const engine = new Engine();
    await engine.submit(poll({ node: "n1", epoch: 1, seq: 1 }));
    openWaits(engine, { epoch: 2, replayedTo });
    await engine.submit(create("a"));
    await settled();
    expect(statusOf(engine, "a")).toBe(status);
  });
});

it("closing ends every wait and those to come", async () => {
  const { engine, waits } = openWaits();
  const first = kindOf(waits.submit(poll, { waitMs: 60_000, signal: never }));
  await settled();
  waits.close();
  const second = kindOf(waits.submit(poll, { waitMs: 60_000, signal: never }));
  await vi.advanceTimersByTimeAsync(0);
  expect([await first, await second]).toEqual(["withdrawn", "withdrawn"]);
  expect([waits.count, engine.machine.demandCount, vi.getTimerCount()]).toEqual([0, 0, 0]);
});
