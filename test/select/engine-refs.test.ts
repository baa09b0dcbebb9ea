/**
 * What hangs on refs: plain requests and demands that are joined, replaced, served and withdrawn, over restarts too.
 */
import { describe, expect, test } from "vitest";
import type { Command } from "../../src/select/command.js";
import type { PendingRecord } from "../../src/select/pending.js";
import { Bench, now, poll, put, receive, recv, ref, send } from "./engine-bench.js";

describe("plain requests", () => {
  test("a repeat joins the one that waits, and both are answered", () => {
    const bench = new Bench();
    expect(bench.answer(receive(ref(1), "r"))).toEqual({ kind: "parked" });
    expect(bench.run(receive(ref(2), "r")).outcome).toEqual({ ok: true, answer: { kind: "parked" }, repeated: true });
    const [effect] = bench.effects(send());
    expect(effect).toMatchObject({ kind: "answered", holders: [ref(1), ref(2)] });
    expect(bench.answer(receive(ref(3), "r"))).toMatchObject({ kind: "result", result: { ok: true, op: "recv" } });
    expect(bench.census()).toEqual({ r: 1, t: 1 });
  });

  test("it goes with its last holder, memory included", () => {
    const bench = new Bench();
    bench.run(receive(ref(1), "r"));
    bench.run(receive(ref(2), "r"));
    bench.run({ kind: "withdraw", refs: [ref(1)] });
    expect(bench.census()).toEqual({ s: 1, c: 1, q: 1, r: 1 });
    bench.run({ kind: "withdraw", refs: [ref(1), ref(2), ref(77)] });
    expect(bench.census()).toEqual({});
  });

  test("a holder that waited to the end takes it away from the others, who are told", () => {
    const bench = new Bench();
    bench.run(receive(ref(1), "r"));
    bench.run(receive(ref(2), "r"));
    expect(bench.effects({ kind: "withdraw", refs: [ref(2)], waited: true })).toEqual([
      { kind: "withdrawn", holders: [ref(1)] },
    ]);
    expect(bench.census()).toEqual({});
    expect(bench.answer(receive(ref(3), "r"))).toEqual({ kind: "parked" });
  });

  test("a second copy of the same request takes the place of the first", () => {
    const bench = new Bench();
    bench.run(receive(ref(1)));
    bench.run(receive(ref(1)));
    expect(bench.census()).toEqual({ s: 1, c: 1, w: 1, q: 1 });
    bench.run(poll(ref(2)));
    bench.run(poll(ref(2)));
    expect(bench.machine.demandCount).toBe(1);
  });

  test("without wait the first one is still the one that waits", () => {
    const bench = new Bench();
    bench.run(receive(ref(1), "r"));
    const { kind, route, cases, choice } = receive(ref(2)) as Extract<Command, { kind: "select" }>;
    expect(bench.refusal({ kind, route, cases, choice, requestId: "r" }).code).toBe("not_ready");
    expect(bench.effects(send())).toHaveLength(1);
  });

  test("forget takes what earlier epochs of a node left", () => {
    const bench = new Bench();
    bench.run(receive(ref(1, 1)));
    bench.run(poll(ref(2, 2)));
    bench.run(receive(ref(3, 3)));
    bench.run({ kind: "forget", node: "other", epoch: 9 });
    expect(bench.view.entries("q\0")).toHaveLength(3);
    bench.restart();
    bench.run({ kind: "forget", node: "n", epoch: 3 });
    expect(bench.census()).toEqual({ s: 1, c: 1, w: 1, q: 1 });
    expect(bench.effects(send())).toMatchObject([{ holders: [ref(3, 3)] }]);
  });
});

describe("demands", () => {
  test("all that one entry makes pending arrives together, up to max", () => {
    const bench = new Bench();
    for (const id of ["a", "b", "c"]) bench.run(put(id, [recv("go")]));
    bench.run(poll(ref(1)));
    const effects = bench.effects({ kind: "close", chan: "go" });
    expect(effects).toMatchObject([{ kind: "granted", handOuts: [{ state: { id: "a" } }, { state: { id: "b" } }] }]);
    expect(bench.machine.pendingCount).toBe(1);
    expect(bench.machine.demandCount).toBe(0);
  });

  test("the oldest of all matching prefixes is served", () => {
    const bench = new Bench();
    bench.run(poll(ref(1), "b"));
    bench.run(poll(ref(2), "a"));
    bench.run(poll(ref(3), ""));
    bench.run(poll(ref(4), "abc"));
    const served = (id: string) => bench.effects(put(id, [now()])).map((e) => e.kind === "granted" && e.demand.holders);
    expect(served("abcd")).toEqual([[ref(2)]]);
    expect(served("abce")).toEqual([[ref(3)]]);
    expect(served("abcf")).toEqual([[ref(4)]]);
    expect(served("abcg")).toEqual([]);
  });

  test("a dispatcher is served in part and keeps the rest of its slots, over a restart", () => {
    const bench = new Bench();
    const callback = { type: 1, uri: "http://x" } as const;
    bench.run(put("a", [now()], { callback }));
    const demand = { ...poll(ref(1)), for: "callback", max: 3 } as const;
    expect(bench.run(demand)).toMatchObject({
      outcome: { answer: { kind: "parked" } },
      effects: [{ kind: "armed" }, { kind: "state" }, { kind: "granted", demand: { slots: 2 } }],
    });
    bench.restart();
    expect(bench.effects(put("plain", [now()]))).toEqual([]);
    expect(bench.effects(put("b", [now()], { callback }))).toMatchObject([{ demand: { slots: 1 } }]);
    expect(bench.effects(put("c", [now()], { callback }))).toMatchObject([{ demand: { slots: 0 } }]);
    expect(bench.effects(put("d", [now()], { callback }))).toEqual([]);
  });

  test.each(["now", "before records said who takes them"])(
    "who waits for whom is known after a restart: %s",
    (from) => {
      const bench = new Bench();
      bench.run(put("called", [now()], { callback: { type: 1, uri: "http://x" } }));
      bench.run(put("polled", [now()]));
      if (from !== "now") {
        for (const [key, record] of bench.view.entries("p\0")) bench.view.put(key, (record as PendingRecord).id);
      }
      bench.restart();
      const taken = (who: "poll" | "callback") => {
        const { outcome, effects } = bench.run({ ...poll(ref(9)), for: who, max: 9, park: false });
        const answered = outcome.ok && outcome.answer.kind === "handOuts" ? outcome.answer.handOuts : [];
        const granted = effects.flatMap((effect) => (effect.kind === "granted" ? effect.handOuts : []));
        return [...answered, ...granted].map(({ state }) => state.id);
      };
      expect([taken("poll"), taken("callback")]).toEqual([["polled"], ["called"]]);
    },
  );

  test("PUT ?wait is told when its state is deleted", () => {
    const bench = new Bench();
    const wait = { ref: ref(1), leaseMs: 1000 };
    expect(bench.answer(put("a", [recv("c")], { wait, requestId: "r" }))).toMatchObject({ kind: "parked" });
    expect(bench.effects({ kind: "delete", id: "a", force: true })).toMatchObject([{ kind: "granted", handOuts: [] }]);
    expect(bench.answer(put("a", [recv("c")], { wait, requestId: "r" }))).toMatchObject({ kind: "put", version: 1 });
    expect(bench.census()).toEqual({ r: 1, t: 1 });
  });

  test("PUT ?wait of a state that is done has nothing to wait for", () => {
    const bench = new Bench();
    const wait = { ref: ref(1), leaseMs: 1000 };
    expect(bench.answer(put("a", [], { wait }))).toMatchObject({ kind: "put", status: "done" });
    expect(bench.machine.demandCount).toBe(0);
  });

  test("PUT ?wait takes its own state in its own entry, before an older poll", () => {
    const bench = new Bench();
    bench.run(poll(ref(1)));
    const wait = { ref: ref(2), leaseMs: 1000 };
    const answer = bench.answer(put("a", [now()], { wait, requestId: "r" }));
    expect(answer).toMatchObject({ kind: "handOuts", put: { version: 1, status: "running" } });
    expect(bench.run(put("a", [], { requestId: "r" })).outcome).toEqual({ ok: true, answer, repeated: true });
  });

  test("the repeat of a put-back waits anew", () => {
    const bench = new Bench();
    bench.run(put("a", [now()]));
    const lock = bench.hand();
    const back = put("a", [recv("c")], { lock });
    const first = bench.answer(back);
    const repeat = bench.run({ ...back, wait: { ref: ref(5), leaseMs: 1000 } });
    expect(repeat.outcome).toEqual({ ok: true, answer: { kind: "parked", put: first }, repeated: true });
    expect(bench.effects(send())).toMatchObject([{ kind: "granted", demand: { holders: [ref(5)] } }]);
  });
});
