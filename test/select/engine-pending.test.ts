import { expect, test } from "vitest";
import { PendingStates } from "../../src/select/pending.js";

/** A small linear generator: the test's own choices, the same in every run. */
function choices(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

test("takes the oldest under any prefix, as a scan would", () => {
  const draw = choices(1);
  const pending = new PendingStates();
  let naive: { id: string; seq: number }[] = [];
  const alphabet = ["a", "b", "c", "\u{1f600}"];
  const word = (length: number) => Array.from({ length }, () => alphabet[draw(alphabet.length)]).join("");
  for (let seq = 1; seq <= 5000; seq += 1) {
    const id = word(1 + draw(5));
    const what = draw(3);
    if (what === 0) {
      const prefix = word(draw(4));
      const expected = naive.find((one) => one.id.startsWith(prefix));
      naive = naive.filter((one) => one !== expected);
      expect(pending.take("poll", prefix)).toBe(expected?.id);
    } else if (what === 1 && naive.some((one) => one.id === id)) {
      naive = naive.filter((one) => one.id !== id);
      pending.remove(id);
    } else if (!naive.some((one) => one.id === id)) {
      naive.push({ id, seq });
      pending.add("poll", id, seq);
    }
    expect(pending.size).toBe(naive.length);
  }
  expect(naive.length).toBeGreaterThan(100);
});

test("states with a callback wait in a queue of their own", () => {
  const pending = new PendingStates();
  pending.add("callback", "a", 1);
  pending.add("poll", "b", 2);
  expect(pending.take("poll", "a")).toBeUndefined();
  expect(pending.take("callback", "")).toBe("a");
  expect(pending.take("poll", "")).toBe("b");
  expect(pending.size).toBe(0);
});

test("IDs in order do not make it a list: 100,000 go in and out", () => {
  const pending = new PendingStates();
  const id = (n: number) => `s${n.toString().padStart(6, "0")}`;
  for (let n = 0; n < 100_000; n += 1) pending.add("poll", id(n), n);
  for (let n = 0; n < 100_000; n += 1) {
    if (pending.take("poll", n % 2 === 0 ? "" : "s0") !== id(n)) expect.fail(`not the oldest at ${n}`);
  }
  expect(pending.size).toBe(0);
});
