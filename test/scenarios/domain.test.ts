/**
 * Group N on the engine: what one entry does, on two replicas at once, of which one restarts before every entry.
 */
import { describe, expect, test } from "vitest";
import { keys } from "../../src/select/keys.js";
import type { Command } from "../../src/select/command.js";
import type { Answer, Effect, HandOut, Outcome } from "../../src/select/outcome.js";
import type { CaseSpec, Result, SelectSpec, State } from "../../src/select/types.js";
import { Bench, poll, put, recv, ref, send } from "../select/engine-bench.js";

const text = (value: string) => new TextEncoder().encode(JSON.stringify(value));
const textOf = (data?: Uint8Array) =>
  data === undefined ? undefined : (JSON.parse(new TextDecoder().decode(data)) as string);

class Replicas {
  readonly #one = new Bench();
  readonly #other = new Bench();

  get nowMs(): number {
    return this.#one.nowMs;
  }

  pass(ms: number): void {
    this.#one.nowMs += ms;
    this.#other.nowMs += ms;
  }

  run(command: Command): { readonly outcome: Outcome; readonly effects: readonly Effect[] } {
    this.#other.restart();
    const [one, other] = [this.#one.run(command), this.#other.run(command)];
    expect(other).toEqual(one);
    expect(this.#other.view.entries()).toEqual(this.#one.view.entries());
    return one;
  }

  answer(command: Command): Answer {
    const { outcome } = this.run(command);
    if (!outcome.ok) throw new Error(`refused: ${outcome.code} ${outcome.message}`);
    return outcome.answer;
  }

  refusal(command: Command): { readonly code: string; readonly reason: unknown } {
    const { outcome } = this.run(command);
    if (outcome.ok) throw new Error(`accepted: ${outcome.answer.kind}`);
    return { code: outcome.code, reason: outcome.details?.reason };
  }

  /** Polls without waiting. */
  hand(seq = 900): readonly HandOut[] {
    const answer = this.answer({ ...poll(ref(seq)), park: false });
    return answer.kind === "handOuts" ? answer.handOuts : [];
  }

  /** Proposes every armed deadline, as a leader of any clock might. */
  expire(): void {
    this.run({ kind: "expire", keys: this.#one.view.entries("t\0").map(([key]) => key) });
  }

  state(id: string): State | undefined {
    return this.#one.view.get(keys.state(id)) as State | undefined;
  }

  result(id: string, select = "1"): Result | undefined {
    return this.state(id)?.selects.find((one) => one.id === select)?.result;
  }

  census(): Record<string, number> {
    return this.#one.census();
  }
}

const select = (id: string, ...cases: CaseSpec[]): SelectSpec => ({ id, cases, choice: "random" });
const sends = (chan: string, value = "x"): CaseSpec => ({ op: "send", chan, data: text(value) });
const after = (afterMs: number): SelectSpec => select("1", { op: "time", form: { kind: "after", afterMs } });
const sent = (chan: string, value: string): Command => ({
  ...{ kind: "select", route: "send", choice: "random" },
  cases: [{ op: "send", chan, data: text(value) }],
});
const granted = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.kind === "granted" ? effect.handOuts.map(({ state }) => state) : []));

describe("repetition", () => {
  test("N1 a create sent three times under one request ID: one creation, the same answer", () => {
    const replicas = new Replicas();
    const create = put("a", [recv("c")], { requestId: "r1" });
    const answers = [1, 2, 3].map(() => replicas.answer(create));
    expect(answers).toEqual(Array(3).fill(answers[0]));
    expect(replicas.state("a")).toMatchObject({ version: 1, status: "waiting" });
  });

  test("N2 two creates of one state: one is done, the other told that it exists", () => {
    const replicas = new Replicas();
    expect(replicas.answer(put("a", [recv("c")], { requestId: "r1" }))).toMatchObject({ created: true });
    const second = put("a", [recv("d")], { requestId: "r2" });
    expect(replicas.refusal(second)).toEqual({ code: "lock_error", reason: "exists" });
    expect(replicas.state("a")?.version).toBe(1);
  });

  test("N4 a callback's result sent twice is taken once; the attempt that failed meanwhile is fenced", () => {
    const replicas = new Replicas();
    replicas.run(put("a", [after(0)]));
    const [handed] = replicas.hand();
    const lock = handed?.state.lock?.token ?? "";
    const back = put("a", [recv("c", "2")], { lock });
    const first = replicas.answer(back);
    expect(replicas.answer(back)).toEqual(first);
    expect(replicas.state("a")?.version).toBe(3);
    const failed = { kind: "callbackFailed", id: "a", lock, error: "late", delayMs: 0, pause: false } as const;
    expect(replicas.refusal(failed).code).toBe("lock_error");
  });
});

describe("meeting", () => {
  test("N5 send meets receive in one entry: both resolve, each once", () => {
    const replicas = new Replicas();
    replicas.run(put("a", [recv("c")]));
    replicas.run(put("b", [select("1", sends("c", "hello"))]));
    const [received, given] = [replicas.result("a"), replicas.result("b")];
    expect([received?.index, textOf(received?.data)]).toEqual([given?.index, "hello"]);
    expect([replicas.state("a")?.status, replicas.state("b")?.status]).toEqual(["pending", "pending"]);
    replicas.run(sent("c", "again"));
    expect(replicas.result("a")).toEqual(received);
  });

  test("N6 first in, first out: three receivers, three sends, in order of the log", () => {
    const replicas = new Replicas();
    for (const id of ["a", "b", "c"]) replicas.run(put(id, [recv("q")]));
    for (const value of ["1", "2", "3"]) replicas.run(sent("q", value));
    expect(["a", "b", "c"].map((id) => textOf(replicas.result(id)?.data))).toEqual(["1", "2", "3"]);
  });

  test("N7 two channels become ready in one entry: one case fires, the other waiter goes", () => {
    const replicas = new Replicas();
    replicas.run(put("a", [select("1", { op: "recv", chan: "c" }, { op: "recv", chan: "d" })]));
    replicas.run(put("b", [select("1", sends("c", "of c")), select("2", sends("d", "of d"))]));
    const result = replicas.result("a");
    expect(["of c", "of d"]).toContain(textOf(result?.data));
    const resolved = [replicas.result("b", "1"), replicas.result("b", "2")].filter((one) => one !== undefined);
    expect(resolved).toHaveLength(1);
    // What is left waits on the other channel, alone, and nobody on the first.
    expect({ w: 0, ...replicas.census() }).toMatchObject({ c: 1, w: 0 });
  });

  test("N8 a select that sends and receives on one channel does not meet itself, but a second one", () => {
    const replicas = new Replicas();
    const both = (id: string) => select(id, sends("c"), { op: "recv", chan: "c" });
    replicas.run(put("a", [both("1")]));
    expect(replicas.state("a")?.status).toBe("waiting");
    replicas.run(put("b", [both("1")]));
    const ops = [replicas.result("a")?.op, replicas.result("b")?.op];
    expect([...ops].sort()).toEqual(["recv", "send"]);
  });

  test("N13 a default case loses against a partner that is there, and wins alone", () => {
    const replicas = new Replicas();
    const orDefault = (chan: string) => [select("1", { op: "default" }, { op: "recv", chan })];
    for (let n = 0; n < 50; n++) {
      replicas.run(put(`s${n}`, [select("1", sends("c", `${n}`))]));
      replicas.run(put(`r${n}`, orDefault("c")));
      expect(textOf(replicas.result(`r${n}`)?.data)).toBe(`${n}`);
    }
    replicas.run(put("alone", orDefault("c")));
    expect(replicas.result("alone")?.op).toBe("default");
  });
});

describe("time", () => {
  test("N9 a timer never fires with an earlier stamp, and once, whoever proposes it and how often", () => {
    const replicas = new Replicas();
    replicas.run(put("a", [after(1000)]));
    const dueMs = replicas.nowMs + 1000;
    for (let n = 0; n < 9; n++) {
      replicas.expire();
      expect(replicas.result("a")).toBeUndefined();
      replicas.pass(n < 8 ? 111 : 112);
    }
    replicas.expire();
    const first = replicas.result("a");
    expect(first).toMatchObject({ op: "time", atMs: dueMs });
    // An earlier leader's proposal arrives late.
    const stale = keys.deadline(dueMs, (replicas.state("a")?.selects[0]?.seq ?? 0) + 1);
    replicas.run({ kind: "expire", keys: [stale] });
    expect(replicas.result("a")).toEqual(first);
    expect(replicas.state("a")?.version).toBe(2);
  });
});

describe("leases", () => {
  function held() {
    const replicas = new Replicas();
    replicas.run(put("a", [after(0)]));
    const [handed] = replicas.hand();
    const lock = handed?.state.lock;
    if (lock === undefined) throw new Error("nothing was handed out");
    return { replicas, lock, back: (token: string) => put("a", [recv("c", "2")], { lock: token }) };
  }

  test("N14 a lease that ends fences its holder: the next one has another token, and only that is taken", () => {
    const { replicas, lock, back } = held();
    replicas.pass(lock.leaseMs + 1);
    replicas.expire();
    const [next] = replicas.hand();
    const token = next?.state.lock?.token ?? "";
    expect(token).not.toBe(lock.token);
    expect(next?.state.attempt).toBe(2);
    expect(replicas.refusal(back(lock.token)).code).toBe("lock_error");
    expect(replicas.answer(back(token))).toMatchObject({ kind: "put" });
  });

  test.each(["the put-back", "the end"])(
    "N15 the end of a lease and a put-back in one millisecond: %s comes first",
    (first) => {
      const { replicas, lock, back } = held();
      replicas.pass(lock.untilMs - replicas.nowMs);
      if (first === "the put-back") {
        expect(replicas.answer(back(lock.token))).toMatchObject({ kind: "put", status: "waiting" });
        replicas.expire();
        expect(replicas.state("a")).toMatchObject({ status: "waiting", version: 3 });
      } else {
        replicas.expire();
        expect(replicas.refusal(back(lock.token))).toEqual({ code: "lock_error", reason: "expired" });
        expect(replicas.state("a")?.status).toBe("pending");
      }
    },
  );

  test("N18 a client that leaves after its hand-out: the lease runs, then the state is handed out again", () => {
    const { replicas, lock } = held();
    replicas.pass(lock.leaseMs - 1);
    replicas.expire();
    expect(replicas.hand()).toEqual([]);
    replicas.pass(1);
    replicas.expire();
    const again = replicas.hand();
    expect(again.map(({ state }) => [state.id, state.attempt])).toEqual([["a", 2]]);
  });
});

describe("wake-ups", () => {
  test.each(["before", "after"])(
    "N16 a poll %s the entry that resolves gets the state in the later of the two",
    (order) => {
      const replicas = new Replicas();
      replicas.run(put("a", [recv("c")]));
      if (order === "before") {
        expect(replicas.answer(poll(ref(1)))).toEqual({ kind: "parked" });
        expect(granted(replicas.run(sent("c", "x")).effects).map(({ id }) => id)).toEqual(["a"]);
      } else {
        replicas.run(sent("c", "x"));
        expect(replicas.answer(poll(ref(1)))).toMatchObject({ kind: "handOuts", handOuts: [{ state: { id: "a" } }] });
      }
    },
  );

  test("N17 100 polls and one pending state: the oldest gets it, the others wait on", () => {
    const replicas = new Replicas();
    for (let seq = 1; seq <= 100; seq++) replicas.run(poll(ref(seq)));
    const { effects } = replicas.run(put("a", [after(0)]));
    const served = effects.flatMap((effect) => (effect.kind === "granted" ? effect.demand.holders : []));
    expect([served, granted(effects).length]).toEqual([[ref(1)], 1]);
    expect(replicas.census().q).toBe(99);
  });
});

describe("residue", () => {
  test("N19 deleting a state removes all it waited with, and nobody meets it any more", () => {
    const replicas = new Replicas();
    const cases: CaseSpec[] = [
      { op: "recv", chan: "c" },
      sends("d"),
      { op: "time", form: { kind: "after", afterMs: 9 } },
    ];
    replicas.run(put("a", [select("1", ...cases), select("2", ...cases)]));
    replicas.run(put("b", [recv("c")]));
    replicas.run({ kind: "delete", id: "a", force: true });
    expect(replicas.census()).toEqual({ s: 1, c: 1, w: 1 });
    replicas.run(sent("c", "x"));
    expect(textOf(replicas.result("b")?.data)).toBe("x");
    expect(replicas.refusal(sent("c", "y")).code).toBe("not_ready");
  });

  test("N20 channels that were used and are idle again leave nothing", () => {
    const replicas = new Replicas();
    const before = replicas.census();
    for (let n = 0; n < 100; n++) {
      replicas.run(put("r", [recv(`c${n}`), select("2", { op: "recv", chan: `d${n}` })]));
      replicas.run(sent(`c${n}`, "x"));
      replicas.run({ kind: "delete", id: "r", force: true });
      expect(replicas.refusal(send(`e${n}`)).code).toBe("not_ready");
      replicas.run({ kind: "make", chan: `b${n}`, buffer: 2 });
      replicas.run(sent(`b${n}`, "x"));
      replicas.run({ kind: "close", chan: `b${n}` });
      expect(replicas.answer({ ...send(`b${n}`), cases: [{ op: "recv", chan: `b${n}` }] } as Command)).toMatchObject({
        result: { ok: true },
      });
      replicas.run({ kind: "drop", chan: `b${n}` });
    }
    expect(replicas.census()).toEqual(before);
  });
});
