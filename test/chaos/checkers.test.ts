/** Every checker passes what is right and names what is wrong: one that cannot fail would prove nothing. */
import { describe, expect, test } from "vitest";
import { checkAppends, findCycle, type AppendOperation } from "../../chaos/append-graph.js";
import { History, type Operation } from "../../chaos/history.js";
import { checkOrder } from "../../chaos/order.js";
import type { Violation } from "../../chaos/workload.js";
import { checkBank } from "../../chaos/workloads/bank.js";
import { checkCallbacks, stepsEach } from "../../chaos/workloads/callbacks.js";
import { checkCreates } from "../../chaos/workloads/creates.js";
import { checkLeases, type Holding } from "../../chaos/workloads/leases.js";
import { checkQueue, type Received, type Sent } from "../../chaos/workloads/queue.js";
import { checkRace } from "../../chaos/workloads/race.js";
import { checkRegister } from "../../chaos/workloads/register.js";
import { checkRendezvous } from "../../chaos/workloads/rendezvous.js";
import { checkTimers, type Firing } from "../../chaos/workloads/timers.js";

const kinds = (found: readonly Violation[]) => found.map(({ kind }) => kind);

describe("one order of everything", () => {
  const at = (index: number, invokedMs: number, returnedMs: number, writes = false): Operation => ({
    ...{ client: "c", name: "x", end: "ok", index, invokedMs, returnedMs, writes },
  });

  test("holds for answers in order, and for concurrent ones in any", () => {
    expect(checkOrder([at(1, 0, 1, true), at(1, 2, 3), at(2, 4, 9, true), at(1, 5, 6)])).toEqual([]);
  });

  test("is broken by a read that shows less than what was answered before", () => {
    expect(kinds(checkOrder([at(5, 0, 1, true), at(4, 2, 3)]))).toEqual(["stale"]);
  });

  test("is broken by a write at or before what was answered before", () => {
    expect(kinds(checkOrder([at(5, 0, 1), at(5, 2, 3, true)]))).toEqual(["reordered"]);
  });

  test("does not concern what has no answer", () => {
    const unknown: Operation = { ...at(9, 0, Infinity), end: "info" };
    expect(checkOrder([unknown, at(4, 2, 3)])).toEqual([]);
  });
});

describe("a history", () => {
  test("keeps an operation open when a later try was certainly not done", () => {
    const history = new History();
    const ended = history.begin("c", "PUT /state", true);
    ended("info");
    ended("fail");
    expect(history.operations[0]).toMatchObject({ end: "info", returnedMs: Infinity });
    ended("ok", 7);
    expect(history.operations[0]).toMatchObject({ end: "ok", index: 7 });
    expect(history.count("ok")).toBe(1);
  });
});

describe("creates", () => {
  const state = (ID: string, value: number, Version = 1) => ({ ID, Data: { value }, Version });

  test.each<[string, string[], ReturnType<typeof state>[]]>([
    ["are all there", [], [state("a", 1), state("b", 2)]],
    ["lost one", ["lost"], [state("a", 1)]],
    ["lost its data", ["lost"], [state("a", 1), state("b", 3)]],
    ["were done twice", ["duplicated"], [state("a", 1, 2), state("b", 2)]],
    ["have one nobody asked for", ["phantom"], [state("a", 1), state("b", 2), state("c", 3)]],
  ])("%s", (_, expected, listed) => {
    expect(
      kinds(
        checkCreates(
          new Map([
            ["a", 1],
            ["b", 2],
          ]),
          listed,
        ),
      ),
    ).toEqual(expected);
  });
});

describe("rendezvous", () => {
  test.each<[string, string[], string[], string[], unknown[]]>([
    ["is right", [], ["a", "b"], ["b", "a"], []],
    ["lost a value", ["lost"], ["a", "b"], ["a"], []],
    ["delivered twice", ["duplicated"], ["a"], ["a", "a"], []],
    ["delivered what nobody sent", ["phantom"], [], ["a"], []],
    ["left a waiter", ["phantom"], ["a"], ["a"], [{ Chan: "c" }]],
  ])("%s", (_, expected, sent, received, left) => {
    expect(kinds(checkRendezvous(new Set(sent), received, left))).toEqual(expected);
  });
});

describe("leases", () => {
  const held = (version: number, fromMs: number, n: number, put?: Holding["put"]): Holding => ({
    ...{ version, fromMs, untilMs: fromMs + 1000, n },
    ...(put === undefined ? {} : { put }),
  });

  test.each<[string, string[], Holding[], number]>([
    ["follow each other", [], [held(2, 0, 0, "accepted"), held(4, 100, 1), held(6, 1100, 1, "accepted")], 2],
    ["overlap", ["overlap"], [held(2, 0, 0), held(4, 500, 0, "accepted")], 1],
    ["are given twice", ["overlap"], [held(2, 0, 0, "accepted"), held(2, 0, 1)], 1],
    ["forget a step", ["lost"], [held(2, 0, 0, "accepted"), held(4, 100, 0, "accepted")], 2],
    ["count a refused step", ["duplicated"], [held(2, 0, 0, "refused"), held(4, 2000, 0, "accepted")], 2],
    ["lose the last step", ["lost"], [held(2, 0, 0, "accepted")], 0],
  ])("%s", (_, expected, holdings, n) => {
    expect(kinds(checkLeases("a", holdings, n))).toEqual(expected);
  });
});

describe("timers", () => {
  const fired = (firing: Partial<Firing> = {}): Firing => ({
    ...{ dueMs: 100, firedMs: 105, afterMs: 60, finished: true },
    ...firing,
  });

  test.each<[string, string[], Firing[]]>([
    ["fire once", [], [fired()]],
    ["are handed out again", [], [fired({ finished: false }), fired()]],
    ["are early by the log", ["early"], [fired({ firedMs: 99 })]],
    ["are early by the observer", ["early"], [fired({ afterMs: 40 })]],
    ["fire twice", ["duplicated", "duplicated"], [fired(), fired({ firedMs: 200 })]],
    ["never fire", ["lost"], []],
    ["are never finished", ["stuck"], [fired({ finished: false })]],
  ])("%s", (_, expected, firings) => {
    const all = new Map(firings.length === 0 ? [] : [["t", firings] as const]);
    expect(kinds(checkTimers(new Map([["t", { delayMs: 50 }]]), all, true))).toEqual(expected);
  });

  test("that nobody armed are named, and clocks that were tampered with excuse the observer's", () => {
    expect(kinds(checkTimers(new Map(), new Map([["t", [fired()]]]), true))).toEqual(["phantom"]);
    expect(checkTimers(new Map([["t", { delayMs: 5000 }]]), new Map([["t", [fired()]]]), false)).toEqual([]);
  });
});

describe("callbacks", () => {
  const call = (Version: number, n: number) => ({ ID: "c", Version, Data: { n } });
  const done = { Status: "done", Data: { n: stepsEach } };

  test.each<[string, string[], { Status: string; Data: { n: number } }, ReturnType<typeof call>[]]>([
    ["end", [], done, [call(2, 0), call(4, 0), call(6, 1)]],
    ["do not end", ["stuck"], { Status: "paused", Data: { n: 1 } }, []],
    ["end too soon", ["lost"], { Status: "done", Data: { n: 3 } }, []],
    ["go back", ["lost"], done, [call(2, 1), call(4, 0)]],
    ["come twice", ["overlap"], done, [call(2, 1), call(2, 1)]],
  ])("%s", (_, expected, state, calls) => {
    expect(kinds(checkCallbacks([["c", state]], calls))).toEqual(expected);
  });
});

describe("a queue", () => {
  const sent = (value: string, invokedMs: number, returnedMs = invokedMs + 1): Sent => ({
    ...{ chan: "q", value, invokedMs, returnedMs },
  });
  const received = (value: string, invokedMs: number, returnedMs = invokedMs + 1): Received => ({
    ...{ chan: "q", value, invokedMs, returnedMs },
  });

  test.each<[string, string[], Sent[], Received[]]>([
    ["is right", [], [sent("a", 0), sent("b", 2)], [received("a", 5), received("b", 7)]],
    [
      "may order concurrent sends as it likes",
      [],
      [sent("a", 0, 9), sent("b", 2)],
      [received("b", 10), received("a", 12)],
    ],
    [
      "may answer concurrent receivers in any order",
      [],
      [sent("a", 0), sent("b", 2)],
      [received("b", 5), received("a", 5, 9)],
    ],
    ["may or may not have an unknown value", [], [sent("a", 0, Infinity), sent("b", 2, Infinity)], [received("b", 5)]],
    ["lost one", ["lost"], [sent("a", 0)], []],
    ["gave one twice", ["duplicated"], [sent("a", 0)], [received("a", 2), received("a", 4)]],
    ["made one up", ["phantom"], [], [received("a", 2)]],
    ["turned two around", ["reordered"], [sent("a", 0), sent("b", 2)], [received("b", 5), received("a", 7)]],
  ])("%s", (_, expected, sends, receipts) => {
    expect(kinds(checkQueue(sends, receipts))).toEqual(expected);
  });
});

describe("a race", () => {
  test.each<[string, string[], [boolean, boolean], { case: number; data: string } | undefined]>([
    ["has one winner", [], [false, true], { case: 1, data: "r 1" }],
    ["has none", [], [false, false], undefined],
    ["has two", ["duplicated"], [true, true], { case: 1, data: "r 1" }],
    ["loses its winner", ["lost"], [true, false], undefined],
    ["gives the loser's value", ["phantom"], [true, false], { case: 1, data: "r 1" }],
    ["gives another value", ["wrong"], [true, false], { case: 0, data: "x" }],
  ])("%s", (_, expected, sends, fired) => {
    expect(kinds(checkRace({ id: "r", sent: sends, fired }))).toEqual(expected);
  });
});

describe("a bank", () => {
  test.each<[string, string[], string[]]>([
    ["has each token once", [], ["b", "a"]],
    ["lost one", ["lost"], ["a"]],
    ["has one twice", ["duplicated"], ["a", "b", "a"]],
    ["has a false one", ["phantom"], ["a", "b", "c"]],
  ])("%s", (_, expected, places) => {
    expect(kinds(checkBank(["a", "b"], places))).toEqual(expected);
  });
});

test("a register that is not linearizable is stale", () => {
  const write = {
    input: { op: "write", value: "a" },
    output: { kind: "is", version: 2 },
    invokedMs: 0,
    returnedMs: 1,
  } as const;
  const read = {
    input: { op: "read" },
    output: { kind: "is", version: 1, value: "" },
    invokedMs: 2,
    returnedMs: 3,
  } as const;
  expect(checkRegister("r", { version: 1, value: "" }, [write])).toEqual([]);
  expect(kinds(checkRegister("r", { version: 1, value: "" }, [write, read]))).toEqual(["stale"]);
});

describe("lists", () => {
  const append = (key: string, value: string, invokedMs: number, returnedMs = invokedMs + 1): AppendOperation => ({
    ...{ op: "append", key, value, invokedMs, returnedMs },
  });
  const read = (lists: Record<string, string[]>, invokedMs: number, returnedMs = invokedMs + 1): AppendOperation => ({
    ...{ op: "read", lists: new Map(Object.entries(lists)), invokedMs, returnedMs },
  });

  test.each<[string, string[], AppendOperation[], Record<string, string[]>]>([
    [
      "have an order",
      [],
      [append("x", "1", 0), append("y", "2", 2), read({ x: ["1"], y: [] }, 1, 3)],
      { x: ["1"], y: ["2"] },
    ],
    [
      "may have an unknown append or not",
      [],
      [append("x", "1", 0, Infinity), append("x", "2", 0, Infinity)],
      { x: ["2"] },
    ],
    ["lost one", ["lost"], [append("x", "1", 0)], { x: [] }],
    ["have one twice", ["duplicated"], [append("x", "1", 0)], { x: ["1", "1"] }],
    ["have one nobody appended", ["phantom"], [], { x: ["1"] }],
    [
      "were read in two orders",
      ["reordered"],
      [append("x", "1", 0, 9), append("x", "2", 0, 9), read({ x: ["2"] }, 5)],
      { x: ["1", "2"] },
    ],
    ["were read stale", ["stale"], [append("x", "1", 0), read({ x: [] }, 5)], { x: ["1"] }],
    ["were appended against time", ["stale"], [append("x", "1", 0), append("x", "2", 5)], { x: ["2", "1"] }],
    [
      "fork: two readers disagree on which of two concurrent appends came first",
      ["stale"],
      [
        append("x", "1", 0, 99),
        append("y", "2", 0, 99),
        read({ x: ["1"], y: [] }, 5, 90),
        read({ x: [], y: ["2"] }, 5, 90),
      ],
      { x: ["1"], y: ["2"] },
    ],
  ])("%s", (_, expected, operations, final) => {
    expect(kinds(checkAppends(operations, new Map(Object.entries(final))))).toEqual(expected);
  });

  test("of many thousand operations are checked, and one stale read among them is found", () => {
    const operations: AppendOperation[] = [];
    const lists: Record<string, string[]> = {};
    for (let n = 0; n < 10_000; n++) {
      const key = `k${n >> 6}`;
      (lists[key] ??= []).push(`${n}`);
      operations.push(append(key, `${n}`, 10 * n, 10 * n + 15));
      if (n % 2 === 0) operations.push(read({ [key]: [...(lists[key] ?? [])] }, 10 * n + 16, 10 * n + 25));
    }
    const final = new Map(Object.entries(lists));
    expect(checkAppends(operations, final)).toEqual([]);
    operations.push(read({ k0: ["0"] }, 200_000));
    expect(kinds(checkAppends(operations, final))).toEqual(["stale"]);
  });

  test("cycles are found, the shortest way round", () => {
    expect(findCycle([[1], [2], []])).toBeUndefined();
    expect(findCycle([[1], [2], [3, 1], []])).toEqual([1, 2]);
  });
});
