/**
 * Where the data of a state stand, whatever they were before: in its record up to a size, beside it from there on.
 */
import { describe, expect, test } from "vitest";
import { dataInStateMax, dataOf } from "../../src/select/data.js";
import { keys } from "../../src/select/keys.js";
import type { Raw, State } from "../../src/select/types.js";
import { Bench, now, put } from "./engine-bench.js";

const of = (bytes: number): Raw => new Uint8Array(Buffer.from(`"${"x".repeat(bytes - 2)}"`));
const sizes = { none: undefined, small: of(dataInStateMax), large: of(dataInStateMax + 1) } as const;
type Size = keyof typeof sizes;
const names = Object.keys(sizes) as Size[];
const bodyOf = (size: Size) => (sizes[size] === undefined ? {} : { data: sizes[size] });

function expectAt({ view }: Bench, size: Size): void {
  const state = view.get(keys.state("a")) as State;
  expect(state.data).toBe(size === "large" ? undefined : (sizes[size] ?? null));
  expect(view.get(keys.data("a"))).toBe(size === "large" ? sizes.large : undefined);
  expect(dataOf(view, state)).toBe(sizes[size]);
}

function handed(bench: Bench): { readonly token: string; readonly data: Raw | undefined } {
  const data = dataOf(bench.view, bench.view.get(keys.state("a")) as State);
  return { token: bench.hand(), data };
}

describe("data", () => {
  test.each(names.flatMap((from) => names.map((to) => [from, to] as const)))("%s, then %s", (from, to) => {
    const bench = new Bench();
    bench.answer(put("a", [now()], bodyOf(from)));
    expectAt(bench, from);
    const { token, data } = handed(bench);
    expect(data).toBe(sizes[from]);
    bench.answer(put("a", [now("2")], { lock: token, ...bodyOf(to) }));
    expectAt(bench, to);
    bench.answer({ kind: "delete", id: "a", force: true });
    expect(bench.census()).toEqual({});
  });

  test.each(names)("%s stay where they are while nobody writes them", (size) => {
    const bench = new Bench();
    bench.answer(put("a", [now()], bodyOf(size)));
    const lock = bench.hand();
    bench.answer({ kind: "patch", id: "a", digest: "", lock, add: [now("2")] });
    expectAt(bench, size);
  });

  test.each(names)("small ones that stand beside their state, as they once did, are read; then %s", (to) => {
    const bench = new Bench();
    bench.answer(put("a", [now()]));
    bench.view.put(keys.state("a"), { ...(bench.view.get(keys.state("a")) as State), data: undefined });
    bench.view.put(keys.data("a"), sizes.small);
    const { token, data } = handed(bench);
    expect(data).toBe(sizes.small);
    bench.answer(put("a", [now("2")], { lock: token, ...bodyOf(to) }));
    expectAt(bench, to);
  });

  test("small ones cost a state no record more", () => {
    const bench = new Bench();
    const before = bench.view.writes;
    bench.answer(put("a", [now()]));
    const without = bench.view.writes - before;
    bench.answer(put("b", [now()], bodyOf("small")));
    expect(bench.view.writes - before - without).toBe(without);
  });
});
