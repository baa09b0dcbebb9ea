import { describe, expect, it } from "vitest";
import { readRetryAfter, sanitise } from "../../cluster/callback-failure.js";

describe("readRetryAfter", () => {
  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ["120", 120_000],
    ["0", undefined],
    ["-5", undefined],
    ["1.5e3", undefined],
    ["Thu, 01 Jan 1970 00:20:00 GMT", 200_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", undefined],
    ["soon", undefined],
    ["9".repeat(30), undefined],
  ])("%j at 1,000 s is %s", (value, expected) => {
    expect(readRetryAfter(value, 1_000_000)).toBe(expected);
  });
});

describe("sanitise", () => {
  it("keeps one printable line of at most 500 characters", () => {
    expect(sanitise("a\r\nb\u0000\u202ec\u2028 d ")).toBe("a b c d");
    expect(sanitise("x".repeat(1000))).toHaveLength(500);
  });
});
