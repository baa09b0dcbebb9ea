import { expect, test } from "vitest";
import { pick, sipHash, tokenOf, wordOf } from "../../src/select/order.js";

const key = Uint8Array.from({ length: 16 }, (_, i) => i);

// Vectors of the SipHash paper's reference implementation, for messages 00 01 02 … of 0, 8, 16 and 24 bytes.
test.each([
  [[], "726fdb47dd0e0e31"],
  [[{ hi: 0x07060504, lo: 0x03020100 }], "93f5f5799a932462"],
  [
    [
      { hi: 0x07060504, lo: 0x03020100 },
      { hi: 0x0f0e0d0c, lo: 0x0b0a0908 },
    ],
    "3f2acc7f57c29bdb",
  ],
])("SipHash-2-4 of %j", (words, expected) => {
  const { hi, lo } = sipHash(key, words);
  expect(hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0")).toBe(expected);
});

test("a number beyond 32 bits fills both halves of its word", () => {
  expect(wordOf(2 ** 53 - 1)).toEqual({ hi: 0x1fffff, lo: 0xffffffff });
});

test("picks are uniform and depend on seed, index and seq", () => {
  const counts = [0, 0, 0];
  for (let seq = 0; seq < 30_000; seq += 1) counts[pick(3, { seed: key, index: 7, seq })]! += 1;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  const run = (seed: Uint8Array, index: number) =>
    Array.from({ length: 64 }, (_, seq) => pick(2, { seed, index, seq })).join("");
  expect(new Set([run(key, 1), run(key, 2), run(new Uint8Array(16), 1)]).size).toBe(3);
  expect(run(key, 1)).toBe(run(Uint8Array.from(key), 1));
});

test("tokens show their seq and 128 bits of hash", () => {
  const token = tokenOf({ seed: key, index: 5, seq: 36 });
  expect(token).toMatch(/^10-[0-9a-f]{32}$/);
  expect(tokenOf({ seed: new Uint8Array(16), index: 5, seq: 36 })).not.toBe(token);
});
