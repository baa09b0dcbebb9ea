/**
 * Where a waiter stands, whoever comes and goes: alone in the record of its channel, else in one of its own.
 */
import { describe, expect, test } from "vitest";
import { waitersIn } from "../../src/select/chan.js";
import { keys } from "../../src/select/keys.js";
import type { CaseSpec, Chan, Waiter } from "../../src/select/types.js";
import { Bench, put } from "./engine-bench.js";

type Side = Waiter["side"];
const sides: readonly Side[] = ["recv", "send"];
const one = (side: Side): CaseSpec =>
  side === "recv" ? { op: "recv", chan: "c" } : { op: "send", chan: "c", data: new Uint8Array(Buffer.from("1")) };
const select = (...cases: CaseSpec[]) => ({ id: "1", digest: "1", choice: "random" as const, cases });

function wait(bench: Bench, side: Side, ...ids: string[]): void {
  for (const id of ids) bench.answer(put(id, [select(one(side))]));
}

/** Who waits in the order of the queue, and how many of them have records. */
function queue({ view }: Bench, side: Side): { readonly ids: readonly string[]; readonly records: number } {
  const chan = view.get(keys.chan("c")) as Chan | undefined;
  const waiters = chan === undefined ? [] : [...waitersIn(chan, side, (key) => view.get(key))];
  for (const waiter of waiters) expect(waiter).toMatchObject({ chan: "c", side, select: "1", case: 0 });
  return { ids: waiters.map(({ state }) => state), records: view.entries("w\0").length };
}

const drop = (bench: Bench, id: string) => bench.answer({ kind: "delete", id, force: true });

describe.each(sides)("%s", (side) => {
  const other = side === "recv" ? "send" : "recv";

  test("who waits alone has no record, and is met", () => {
    const bench = new Bench();
    wait(bench, side, "a");
    expect(queue(bench, side)).toEqual({ ids: ["a"], records: 0 });
    wait(bench, other, "b");
    expect(queue(bench, side)).toEqual({ ids: [], records: 0 });
    expect(bench.census()).toMatchObject({ s: 2, p: 2 });
  });

  test("who comes behind gives both of them records, which stay until they go", () => {
    const bench = new Bench();
    wait(bench, side, "a", "b", "c");
    expect(queue(bench, side)).toEqual({ ids: ["a", "b", "c"], records: 3 });
    drop(bench, "b");
    expect(queue(bench, side)).toEqual({ ids: ["a", "c"], records: 2 });
    wait(bench, other, "x");
    expect(queue(bench, side)).toEqual({ ids: ["c"], records: 1 });
    wait(bench, side, "d");
    expect(queue(bench, side)).toEqual({ ids: ["c", "d"], records: 2 });
    for (const id of ["d", "c"]) drop(bench, id);
    expect(queue(bench, side)).toEqual({ ids: [], records: 0 });
    wait(bench, side, "e");
    expect(queue(bench, side)).toEqual({ ids: ["e"], records: 0 });
  });

  test("who leaves alone leaves nothing", () => {
    const bench = new Bench();
    wait(bench, side, "a");
    drop(bench, "a");
    expect(bench.census()).toEqual({});
  });

  test("a close wakes it", () => {
    const bench = new Bench();
    wait(bench, side, "a");
    bench.answer({ kind: "close", chan: "c" });
    expect(queue(bench, side)).toEqual({ ids: [], records: 0 });
    expect(bench.census()).toMatchObject({ s: 1, c: 1, p: 1 });
  });

  test("a record of its own, as it once had, is as good", () => {
    const bench = new Bench();
    wait(bench, side, "a");
    const { sendq, recvq, ...chan } = bench.view.get(keys.chan("c")) as Chan;
    const { head = "", sole } = side === "send" ? sendq : recvq;
    bench.view.put(head, { ...sole, chan: "c", side });
    const alone = { head, tail: head, count: 1 };
    bench.view.put(keys.chan("c"), {
      ...chan,
      sendq: side === "send" ? alone : sendq,
      recvq: side === "recv" ? alone : recvq,
    });
    wait(bench, side, "b");
    expect(queue(bench, side)).toEqual({ ids: ["a", "b"], records: 2 });
    wait(bench, other, "x", "y");
    expect(queue(bench, side)).toEqual({ ids: [], records: 0 });
    expect(bench.census()).toMatchObject({ s: 4, p: 4 });
  });
});

test("two cases of one select on one side stand behind each other, and go together", () => {
  const bench = new Bench();
  bench.answer(put("a", [select(one("recv"), one("recv"))]));
  expect(bench.view.entries("w\0")).toHaveLength(2);
  wait(bench, "send", "x");
  expect(bench.census()).toMatchObject({ s: 2, p: 2 });
  expect(bench.view.entries("w\0")).toHaveLength(0);
});
