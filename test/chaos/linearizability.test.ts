/** The checker finds what is not linearizable, and only that: known histories, all small ones, large ones. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkLinearizable } from "../../chaos/linearizability.js";
import { Random } from "../../chaos/random.js";
import {
  registerModel,
  type Register,
  type RegisterCall,
  type RegisterInput,
  type RegisterOutput,
} from "../../chaos/register.js";

const initial = { version: 1, value: "" };
const check = (calls: readonly RegisterCall[], stepsMax?: number) =>
  checkLinearizable(registerModel(initial, calls), calls, stepsMax);
const verdict = (...calls: RegisterCall[]) => check(calls).kind;
const read = (invokedMs: number, returnedMs: number, version: number, value: string): RegisterCall => ({
  ...{ input: { op: "read" }, output: { kind: "is", version, value }, invokedMs, returnedMs },
});
const write = (invokedMs: number, returnedMs: number, value: string, version?: number): RegisterCall => ({
  ...{ input: { op: "write", value }, invokedMs, returnedMs },
  output: version === undefined ? undefined : { kind: "is", version },
});
const compareAndSet = (at: readonly [number, number], from: number, value: string, done: boolean): RegisterCall => ({
  ...{ input: { op: "compareAndSet", version: from, value }, invokedMs: at[0], returnedMs: at[1] },
  output: done ? { kind: "is", version: from + 1 } : { kind: "mismatch" },
});

describe("a history is linearizable", () => {
  test.each<[string, RegisterCall[]]>([
    ["when it is empty", []],
    ["when one thing follows the other", [write(0, 1, "a", 2), read(2, 3, 2, "a"), write(4, 5, "b", 3)]],
    ["when a read sees a write that has not returned", [write(0, 9, "a", 2), read(1, 2, 2, "a")]],
    ["when a read does not see a concurrent write", [write(0, 9, "a", 2), read(1, 2, 1, "")]],
    [
      "when two concurrent reads see a concurrent write in their order",
      [write(0, 9, "a", 2), read(1, 3, 1, ""), read(4, 6, 2, "a")],
    ],
    ["when an unknown write was done late", [write(0, Infinity, "a"), read(5, 6, 1, ""), read(7, 8, 2, "a")]],
    ["when an unknown write was never done", [write(0, Infinity, "a"), write(1, 2, "b", 2), read(7, 8, 2, "b")]],
    [
      "when one of two concurrent compare-and-sets is refused",
      [compareAndSet([0, 5], 1, "a", true), compareAndSet([1, 4], 1, "b", false), read(6, 7, 2, "a")],
    ],
    ["when the later invocation came first", [write(0, 9, "a", 3), write(1, 8, "b", 2), read(10, 11, 3, "a")]],
    ["when what touches is concurrent", [write(0, 1, "a", 2), read(1, 2, 1, "")]],
  ])("%s", (_, calls) => {
    expect(verdict(...calls)).toBe("linearizable");
  });
});

describe("a history is not linearizable", () => {
  test.each<[string, RegisterCall[]]>([
    ["when a read is stale", [write(0, 1, "a", 2), read(2, 3, 1, "")]],
    ["when a read goes back", [write(0, 9, "a", 2), read(1, 2, 2, "a"), read(3, 4, 1, "")]],
    ["when a write is lost", [write(0, 1, "a", 2), write(2, 3, "b", 2)]],
    ["when a write is done twice", [write(0, 1, "a", 2), read(2, 3, 3, "a")]],
    ["when a value comes from nowhere", [read(0, 1, 2, "x")]],
    [
      "when both of two compare-and-sets succeed",
      [compareAndSet([0, 5], 1, "a", true), compareAndSet([1, 4], 1, "b", true)],
    ],
    ["when a compare-and-set is refused for no reason", [compareAndSet([0, 1], 1, "a", false), read(2, 3, 1, "")]],
    ["when a read sees an unknown write before it was asked for", [write(5, Infinity, "a"), read(0, 1, 2, "a")]],
    ["when an unknown write is seen and then not", [write(0, Infinity, "a"), read(1, 2, 2, "a"), read(3, 4, 1, "")]],
    [
      "when two readers see two writes in different orders",
      [write(0, 20, "a", 2), write(0, 20, "b", 3), read(1, 2, 3, "b"), read(3, 4, 2, "a")],
    ],
  ])("%s", (_, calls) => {
    expect(verdict(...calls)).toBe("violation");
  });

  test("and it is said where it ends", () => {
    const found = check([write(0, 1, "a", 2), read(2, 3, 2, "a"), read(4, 5, 1, "")]);
    expect(found).toMatchObject({ prefix: [{ invokedMs: 0 }, { invokedMs: 2 }], stuck: [{ invokedMs: 4 }] });
  });
});

const plain = registerModel(initial, []);

/** By definition: some order of all known calls and any of the unknown ones, in agreement with time and the model. */
function byDefinition(state: Register, left: readonly RegisterCall[]): boolean {
  if (left.every(({ returnedMs }) => returnedMs === Infinity)) return true;
  const firstReturn = Math.min(...left.map(({ returnedMs }) => returnedMs));
  return left.some((call, n) => {
    if (call.invokedMs > firstReturn) return false;
    const after = plain.step(state, call.input, call.output);
    return after !== undefined && byDefinition(after, [...left.slice(0, n), ...left.slice(n + 1)]);
  });
}

test("all small histories are judged as the definition does", () => {
  const time = fc.integer({ min: 0, max: 12 });
  const version = fc.integer({ min: 1, max: 3 });
  const value = fc.constantFrom("", "a", "b");
  const input: fc.Arbitrary<RegisterInput> = fc.oneof(
    fc.constant<RegisterInput>({ op: "read" }),
    fc.record({ op: fc.constant("write" as const), value }),
    fc.record({ op: fc.constant("compareAndSet" as const), version, value }),
  );
  const output: fc.Arbitrary<RegisterOutput> = fc.oneof(
    fc.record({ kind: fc.constant("is" as const), version, value }),
    fc.record({ kind: fc.constant("is" as const), version }),
    fc.constant<RegisterOutput>({ kind: "mismatch" }),
  );
  const call = fc.record({ input, output, from: time, lasts: fc.integer({ min: 0, max: 6 }), known: fc.boolean() });
  const seen = { linearizable: 0, violation: 0 };
  fc.assert(
    fc.property(fc.array(call, { maxLength: 6 }), (list) => {
      const calls = list.map(({ from, lasts, known, ...one }): RegisterCall => {
        const isKnown = known || one.input.op === "read";
        const returnedMs = isKnown ? from + lasts : Infinity;
        return { input: one.input, output: isKnown ? one.output : undefined, invokedMs: from, returnedMs };
      });
      const expected = byDefinition(initial, calls) ? "linearizable" : "violation";
      seen[expected]++;
      expect(check(calls).kind).toBe(expected);
    }),
    { numRuns: 5000 },
  );
  expect(Math.min(seen.linearizable, seen.violation)).toBeGreaterThan(500);
});

/** What 20 clients see of a register that works, some of them without an answer. */
function goodHistory(operations: number, seed: number): RegisterCall[] {
  const random = new Random(seed);
  const freeAtMs = new Array<number>(20).fill(0);
  const effects: { atMs: number; call: RegisterCall }[] = [];
  for (let n = 0; n < operations; n++) {
    const client = random.below(freeAtMs.length);
    const invokedMs = (freeAtMs[client] ?? 0) + random.next() * 5;
    const atMs = invokedMs + random.next() * 10;
    const returnedMs = atMs + random.next() * 10;
    freeAtMs[client] = returnedMs;
    const unknown = random.chance(0.002);
    const value = `v${n}`;
    const kind = random.below(3);
    const input: RegisterInput =
      kind === 0 ? { op: "read" } : kind === 1 ? { op: "write", value } : { op: "compareAndSet", version: -1, value };
    if (unknown && kind === 0) continue;
    effects.push({ atMs, call: { input, invokedMs, returnedMs: unknown ? Infinity : returnedMs } });
  }
  let state: Register = initial;
  return effects
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ call }) => {
      const guess = random.chance(0.8) ? state.version : state.version - 1;
      const input = call.input.op === "compareAndSet" ? { ...call.input, version: guess } : call.input;
      const refused = input.op === "compareAndSet" && input.version !== state.version;
      const done = call.returnedMs !== Infinity || random.chance(0.5);
      if (!refused && done && input.op !== "read") state = { version: state.version + 1, value: input.value };
      const { version, value } = state;
      const output: RegisterOutput = refused ? { kind: "mismatch" } : { kind: "is", version, value };
      return { ...call, input, output: call.returnedMs === Infinity ? undefined : output };
    });
}

describe("a history of 10,000 operations", () => {
  test("that is good is found good", () => {
    expect(check(goodHistory(10_000, 1)).kind).toBe("linearizable");
  });

  test("in which one read near the end is stale is found bad", () => {
    const calls = goodHistory(10_000, 2).sort((a, b) => a.invokedMs - b.invokedMs);
    const at = calls.findLastIndex(({ input, output }) => input.op === "read" && output?.kind === "is");
    const call = calls[at] as RegisterCall;
    const { version = 0 } = call.output as { version: number };
    calls[at] = { ...call, output: { kind: "is", version: version - 100 } };
    expect(check(calls).kind).toBe("violation");
  });

  test("is given up when it takes too many steps", () => {
    expect(check(goodHistory(10_000, 1), 100).kind).toBe("undecided");
  });
});
