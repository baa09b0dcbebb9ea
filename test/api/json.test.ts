/**
 * The body scanner: what it refuses, what it keeps, and that it otherwise agrees with JSON.parse on every text.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compactJson, parseBody } from "../../api/json.js";
import type { Envelope } from "../../api/json.js";
import { defaultLimits } from "../../api/rules.js";
import { SlctError } from "../../src/errors.js";
import { badTexts, badUtf8 } from "./rows/bad-json.js";

const parse = (text: string | Buffer) => parseBody(Buffer.from(text), defaultLimits);
const compact = (text: string) => Buffer.from(compactJson(Buffer.from(text), defaultLimits)).toString();

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SlctError) return error.code;
    throw error;
  }
  return "accepted";
}

/** Plain values; raw members become their text. */
function plain(value: Envelope): unknown {
  if (value instanceof Uint8Array) return `raw ${Buffer.from(value).toString()}`;
  if (Array.isArray(value)) return (value as Envelope[]).map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

describe("refusals", () => {
  test.each(badTexts)("%s", (_name, text, code) => {
    expect(codeOf(() => parse(text))).toBe(code);
  });

  test.each(badUtf8)("P7 invalid UTF-8: %s", (_name, bytes) => {
    expect(codeOf(() => parse(Buffer.from(bytes)))).toBe("bad_json");
  });

  test("the limits are those that are given", () => {
    const limits = { jsonDepthMax: 2, jsonValuesMax: 4 };
    expect(codeOf(() => parseBody(Buffer.from("[[[]]]"), limits))).toBe("too_deep");
    expect(codeOf(() => parseBody(Buffer.from("[1,2,3,4]"), limits))).toBe("too_many");
    expect(codeOf(() => parseBody(Buffer.from("[[1,2]]"), limits))).toBe("accepted");
  });
});

describe("what is accepted at the edge of the limits", () => {
  test.each([
    ["depth 64", nested(64)],
    ["50,000 values", `[${"1,".repeat(49_998)}1]`],
    ["2^53-1", "9007199254740991"],
    ["-(2^53-1)", "-9007199254740991"],
    ["a decimal beyond 2^53", "9007199254740993.5"],
    ["1e21", "1e21"],
    ["the largest double", "1.7976931348623157e308"],
    ["a number below the smallest double", "1e-400"],
    ["minus zero", "-0"],
    ["a lone surrogate as an escape", '"\\ud800"'],
    ["all white space", " \t\r\n1 \t\r\n"],
  ])("%s", (_name, text) => {
    expect(plain(parse(text))).toEqual(JSON.parse(text));
  });
});

describe("the user's values stay text", () => {
  test.each([
    ["numbers as written", '{"Data":1.0}', { Data: "raw 1.0" }],
    ["long decimals", '{"Data":[3.14159265358979323846264338]}', { Data: "raw [3.14159265358979323846264338]" }],
    ["key order", '{"Data":{"b":1,"a":2,"1":3}}', { Data: 'raw {"b":1,"a":2,"1":3}' }],
    ["escapes as written", '{"Data":"\\u0041\\/"}', { Data: 'raw "\\u0041\\/"' }],
    ["white space in strings", '{"Data": [ "a  b" , 1 ] }', { Data: 'raw ["a  b",1]' }],
    ["quotes in strings", '{"Data": { "a \\" b" : " c " } }', { Data: 'raw {"a \\" b":" c "}' }],
    ["null", '{"Data":null}', { Data: "raw null" }],
    [
      "all four members",
      '{"Data":1,"Value":2,"Vars":{},"Details":3}',
      {
        Data: "raw 1",
        Value: "raw 2",
        Vars: "raw {}",
        Details: "raw 3",
      },
    ],
    [
      "in nested envelopes",
      '{"Selects":[{"Cases":[{"Data": [ 1 ]}]}]}',
      { Selects: [{ Cases: [{ Data: "raw [1]" }] }] },
    ],
    ["not inside opaque values", '{"Data":{"Data":1}}', { Data: 'raw {"Data":1}' }],
    ["the key as an escape", '{"D\\u0061ta":1.0}', { Data: "raw 1.0" }],
  ])("%s", (_name, text, expected) => {
    expect(plain(parse(text))).toEqual(expected);
  });

  test("P5 __proto__, constructor and prototype are keys like any other", () => {
    const value = parse('{"__proto__":{"polluted":1},"constructor":2,"Data":{"__proto__":3}}') as Record<
      string,
      Envelope
    >;
    expect("toString" in value).toBe(false);
    expect(Object.keys(value)).toEqual(["__proto__", "constructor", "Data"]);
    expect(Buffer.from(value["Data"] as Uint8Array).toString()).toBe('{"__proto__":3}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("long stretches between white space survive", () => {
    const long = "x".repeat(1000);
    expect(compact(`{ "a" : "${long}" , "b" : [ "${long}" ] }`)).toBe(`{"a":"${long}","b":["${long}"]}`);
  });
});

describe("agreement with JSON.parse", () => {
  /** What JSON.parse accepts and the protocol refuses. */
  const documented = new Set(["unsafe_number", "too_deep", "too_many"]);

  test("any value, however indented, comes back as text without white space", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 1, "\t", "\r\n "), (text, indent) => {
        fc.pre(!/(^|[^.\d])\d{16,}(?![\d.eE])/.test(text));
        const value: unknown = JSON.parse(text);
        expect(compact(JSON.stringify(value, null, indent))).toBe(JSON.stringify(value));
        expect(plain(parse(`{"x":${text}}`))).toEqual({ x: withRaw(value) });
      }),
    );
  });

  test("any text made of JSON's own pieces is accepted by both or by none", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      "u0041",
      "-",
      "0",
      "1",
      ".",
      "e",
      "+",
      "true",
      "null",
      " ",
      "a",
      "é",
      "\u0001",
      '"k"',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (chosen) => {
        const text = chosen.join("");
        const theirs = codeOf(() => {
          try {
            JSON.parse(text);
          } catch {
            throw new SlctError("bad_json", text);
          }
        });
        const ours = codeOf(() => parse(text));
        if (theirs === "bad_json") expect(ours).not.toBe("accepted");
        else expect(ours === "accepted" || documented.has(ours) || hasDuplicate(text)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  /** As {@link plain} shows it: opaque members as their text. */
  function withRaw(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(withRaw);
    if (value === null || typeof value !== "object") return value;
    const opaque = new Set(["Data", "Value", "Vars", "Details"]);
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, opaque.has(key) ? `raw ${JSON.stringify(one)}` : withRaw(one)]),
    );
  }

  /** Text that JSON.parse prints back shorter has lost a member: a duplicate key. */
  function hasDuplicate(text: string): boolean {
    const count = (one: string) => (one.match(/:/g) ?? []).length;
    return count(JSON.stringify(JSON.parse(text))) < count(text);
  }
});
