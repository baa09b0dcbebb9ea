/**
 * What the transcripts do not show: the beginning, every fenced route, the reach of one entry, and that commands from
 * nowhere are harmless.
 */
import { describe, expect, test } from "vitest";
import { keys } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Command } from "../../src/select/command.js";
import type { SelectSpec } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { Bench, now, poll, put, recv, ref, send, settings } from "./engine-bench.js";

test("before the first configure everything is refused and nothing is written", () => {
  const view = new MapView();
  const { outcome } = new Machine(view).apply({ index: 1, nowMs: 5, command: put("a", []) });
  expect(outcome).toMatchObject({ ok: false, code: "no_leader" });
  expect(view.size).toBe(0);
});

test("a later configure keeps the seed, a refusal moves log time only", () => {
  const bench = new Bench();
  bench.run({ kind: "configure", seed: Uint8Array.of(1), settings: { ...settings, attemptsMax: 7 } });
  const before = bench.view.entries();
  bench.nowMs += 10;
  expect(bench.refusal({ kind: "delete", id: "nobody" }).code).toBe("not_found");
  const meta = bench.view.get(keys.meta);
  expect(meta).toMatchObject({ seed: new Uint8Array(16), nowMs: bench.nowMs, settings: { attemptsMax: 7 } });
  expect(bench.view.entries()).toEqual(before.map(([key]) => [key, meta]));
});

describe("locks", () => {
  test.each(["put", "patch", "unlock", "lock", "delete", "callbackFailed"] as const)("%s is fenced", (kind) => {
    const bench = new Bench();
    bench.run(put("a", [now()]));
    const token = bench.hand();
    const command = (lock: string): Command => {
      const common = { id: "a", lock, digest: "other", forMs: 1000, delayMs: 0, error: "", pause: false };
      return { ...common, selects: [], kind };
    };
    const reason = (lock: string) => bench.refusal(command(lock)).details?.reason;
    expect(reason("nonsense")).toBe("stale");
    bench.nowMs += 5001;
    expect(reason(token)).toBe("expired");
    const leases = bench.view.entries("t\0").filter(([, d]) => (d as { kind: string }).kind === "lease");
    bench.run({ kind: "expire", keys: leases.map(([key]) => key) });
    expect(reason(token)).toBe("expired");
    const next = bench.hand();
    expect(reason(token)).toBe("stale");
    expect(bench.run(command(next)).outcome.ok).toBe(true);
  });

  test("a heartbeat moves the lease: its old deadline is gone, the version stays", () => {
    const bench = new Bench();
    bench.run(put("a", [now()]));
    const lock = bench.hand();
    const old = bench.view.entries("t\0").map(([key]) => key);
    bench.nowMs += 4000;
    const details = new TextEncoder().encode('"half"');
    expect(bench.answer({ kind: "lock", id: "a", lock, forMs: 5000, details })).toMatchObject({
      untilMs: bench.nowMs + 5000,
    });
    bench.nowMs += 2000;
    bench.run({ kind: "expire", keys: old });
    expect(bench.view.get(keys.state("a"))).toMatchObject({ status: "running", version: 2, lock: { details } });
    bench.run({ kind: "unlock", id: "a", lock, delayMs: 0 });
    expect(bench.view.get(keys.state("a"))).toMatchObject({ attempt: 0, lastDetails: details });
  });
});

test("selects of one state are limited, kept ones counted", () => {
  const bench = new Bench();
  const four = ["1", "2", "3", "4"].map((id) => recv("c", id));
  expect(bench.refusal(put("a", four)).code).toBe("too_many");
  expect(bench.refusal(put("a", [], { spawn: [{ id: "b", selects: four }] })).code).toBe("too_many");
  bench.run(put("a", [now("0"), recv("c", "1"), recv("c", "2")]));
  const lock = bench.hand();
  const patch = { kind: "patch", id: "a", lock, digest: "" } as const;
  expect(bench.refusal({ ...patch, add: [recv("d", "3"), recv("d", "4")] }).code).toBe("too_many");
  expect(bench.answer({ ...patch, add: [recv("d", "3")] })).toMatchObject({ status: "waiting" });
});

test("an entry reads and writes as much beside 3,000 others as alone", () => {
  const cost = (others: number) => {
    const bench = new Bench();
    const wide = { ...recv("x", "2"), cases: ["x", "y", "z"].map((chan) => ({ op: "recv", chan }) as const) };
    for (let n = 0; n < others; n += 1) bench.run(put(`s${n}`, [recv("c"), wide]));
    for (let n = 0; n < others; n += 1) bench.run(put(`t${n}`, [now()]));
    bench.run(put("a", [recv("c"), wide]));
    const steps: Command[] = [
      put("b", [recv("c"), wide]),
      send(),
      { kind: "delete", id: "a", force: true },
      { kind: "delete", id: "b", force: true },
      poll(ref(1), ""),
    ];
    return steps.map((command) => {
      [bench.view.reads, bench.view.writes] = [0, 0];
      bench.run(command);
      return [command.kind, bench.view.reads, bench.view.writes];
    });
  };
  const few = cost(4);
  expect(cost(3000)).toEqual(few);
  for (const [, reads, writes] of few) expect(Number(reads) + Number(writes)).toBeLessThan(50);
});

test("commands from nowhere are refused or ignored, never thrown", () => {
  const bench = new Bench();
  bench.run(put("a", [now()]));
  bench.run({ kind: "expire", keys: [keys.meta, keys.state("a"), "", "t\0", "t\0nonsense", keys.deadline(0, 0)] });
  bench.run({ ...poll(ref(1)), max: Number.NaN, leaseMs: -1 });
  bench.run(put("b", [{ id: "", choice: "random", cases: [] }]));
  const never = { op: "time", form: { kind: "after", afterMs: Number.MAX_VALUE } } as const;
  bench.run(put("c", [{ id: "1", choice: "order", cases: [never, { op: "recv", chan: null }] }]));
  expect(bench.view.get(keys.state("c"))).toMatchObject({
    status: "waiting",
    selects: [{ cases: [{ deadlineMs: Number.MAX_SAFE_INTEGER }, {}] }],
  });
  bench.run({ kind: "delete", id: "c", force: true });
  expect(bench.view.entries("t\0").filter(([key]) => key.includes("9007199254740991"))).toEqual([]);
  expect(bench.refusal(put("d", [now("1"), now("1")])).code).toBe("bad_request");
  const twice: SelectSpec = { id: "1", choice: "random", cases: [{ op: "default" }, { op: "default" }] };
  expect(bench.refusal(put("d", [twice])).code).toBe("bad_request");
});
