/**
 * The translators: tables of what a case, a time, a name may be, and of what an answer looks like.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseReturned, renderHandOut } from "../../api/hand-out.js";
import { parseBody } from "../../api/json.js";
import { problemBody, problems, refusalError, toProblem } from "../../api/problem.js";
import { cursorOf, cursorText, parseQuery } from "../../api/query.js";
import { defaultLimits } from "../../api/rules.js";
import { checkPlainSelect } from "../../api/schema.js";
import { parseCases } from "../../api/wire-in.js";
import { afterMs, instantMs, stateId, unixSecondsMs } from "../../api/wire-values.js";
import { SlctError, errorCodes } from "../../src/errors.js";
import { badCases } from "./rows/bad-requests.js";
import type { PutCommand } from "../../src/select/command.js";
import type { Result, State } from "../../src/select/types.js";

const raw = (text: string) => Buffer.from(text);

/** The value, or the code of the refusal. */
function outcome<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof SlctError) return error.code;
    throw error;
  }
}

describe("time", () => {
  test.each([
    ["15600421234", 15_600_421_234_000],
    [15600421234, 15_600_421_234_000],
    ["1560042123.25", 1_560_042_123_250],
    [1560042123.1, 1_560_042_123_100],
    ["1560042123.0001", 1_560_042_123_001],
    ["0", 0],
  ])("Chan of a time case, unix seconds: %j", (value, expected) => {
    expect(outcome(() => unixSecondsMs(value, "Chan"))).toBe(expected);
  });

  test.each([
    [1763683200000, 1763683200000],
    [0, 0],
    ["2025-11-21T00:00:00Z", 1763683200000],
    ["2025-11-21t00:00:00z", 1763683200000],
    ["2025-11-21 01:30:00+01:30", 1763683200000],
    ["2025-11-20T23:00:00.001-01:00", 1763683200001],
    ["2025-11-21T00:00:00.0000001Z", 1763683200001],
    ["2016-12-31T23:59:60Z", 1483228800000],
    ["2024-02-29T00:00:00Z", 1709164800000],
  ])("At, NotBefore: %j", (value, expected) => {
    expect(outcome(() => instantMs(value, "At"))).toBe(expected);
  });

  test.each([
    [500, 500],
    [0, 0],
    [1.2, 2],
    ["500ms", 500],
    ["30s", 30_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["1.5s", 1500],
    ["0.1s0.2s", 300],
    ["1us", 1],
    ["3µs", 1],
  ])("After: %j", (value, expected) => {
    expect(outcome(() => afterMs(value, "After"))).toBe(expected);
  });

  test("an instant printed by this runtime is read back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253402300799999 }), (ms) => {
        expect(instantMs(new Date(ms).toISOString(), "At")).toBe(ms);
      }),
    );
  });
});

describe("names", () => {
  test.each([
    ["a", "a"],
    ["a/b%2F", "a/b%2F"],
    ["..", "bad_id"],
    [".", "bad_id"],
    ["poll", "bad_id"],
    ["", "bad_id"],
    ["a\r\nb", "bad_id"],
    ["a\u007f", "bad_id"],
    ["P7 \ud800", "bad_id"],
    ["x".repeat(513), "bad_id"],
    ["P8 e\u0301", "P8 e\u0301"],
  ])("state ID %j", (id, expected) => {
    expect(outcome(() => stateId(id, defaultLimits.idBytesMax))).toBe(expected);
  });

  test("a cursor is any name, and nothing else", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
        expect(cursorOf(new Map([["cursor", cursorText(name) ?? ""]]))).toBe(name);
      }),
    );
    expect(outcome(() => cursorOf(new Map([["cursor", "!"]])))).toBe("bad_request");
  });

  test("query parameters are decoded once", () => {
    expect(parseQuery("/state?prefix=a%252Fb+c&x")).toEqual(
      new Map([
        ["prefix", "a%2Fb c"],
        ["x", ""],
      ]),
    );
    expect(outcome(() => parseQuery("/state?prefix=%zz"))).toBe("bad_request");
  });
});

describe("cases", () => {
  const parse = (text: string) =>
    outcome(
      () => parseCases(checkPlainSelect(parseBody(raw(`{"Cases":[${text}]}`), defaultLimits)).Cases, "Cases", 1024)[0],
    );

  test.each([
    ['{"Op":1,"Chan":"c"}', { op: "recv", chan: "c" }],
    ['{"Op":"recv"}', { op: "recv", chan: null }],
    ['{"Op":2,"Chan":"c","Data":1.0}', { op: "send", chan: "c", data: raw("1.0") }],
    ['{"Op":"send","Chan":null,"Data":null}', { op: "send", chan: null }],
    ['{"Op":2,"Chan":"c","NotBefore":5}', { op: "send", chan: "c", notBeforeMs: 5 }],
    ['{"Op":3,"Chan":"1.5"}', { op: "time", deadlineMs: 1500, form: { kind: "chan", chan: "1.5" } }],
    ['{"Op":"time","At":7}', { op: "time", deadlineMs: 7, form: { kind: "at" } }],
    ['{"Op":3,"After":"1s"}', { op: "time", form: { kind: "after", afterMs: 1000 } }],
    ['{"Op":4}', { op: "default" }],
    ['{"Op":"default"}', { op: "default" }],
  ])("%s", (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test.each(badCases)("%s: %s is refused", (_name, text) => {
    expect(parse(text)).toBe("bad_request");
  });
});

const result: Result = {
  ...{ select: "1", case: 0, op: "recv", chan: "c", data: raw("1.50"), ok: true, atMs: 9, index: 4, order: 2 },
};
const state: State = {
  ...{ id: "a/b", status: "running", version: 3, attempt: 2, createdAtMs: 1, updatedAtMs: 2, vars: raw('{"v":1.0}') },
  selects: [
    { id: "1", seq: 1, choice: "random", cases: [{ op: "recv", chan: "c" }], result },
    {
      ...{ id: "2", seq: 2, choice: "order" },
      cases: [
        { op: "send", chan: null, notBeforeMs: 8 },
        { op: "time", deadlineMs: 7, form: { kind: "after", afterMs: 1 } },
      ],
      result: { select: "2", case: 1, op: "time", ok: true, atMs: 8, index: 4, order: 1 },
    },
  ],
  lock: { token: "t", untilMs: 5, leaseMs: 1, deadlineKey: "k", delivered: ["1", "2"] },
  ...{
    lastDetails: raw("[1.0]"),
    lastError: "502",
    paused: { reason: "requested" },
    callback: { type: 1, uri: "http://x/" },
  },
};

describe("a hand-out", () => {
  const one = '{"Select":"1","Case":0,"Op":1,"Chan":"c","Data":1.50,"Ok":true,"At":9,"Index":4}';
  const two = '{"Select":"2","Case":1,"Op":3,"Ok":true,"At":8,"Index":4}';

  test("is this text", () => {
    expect(renderHandOut({ state, data: raw('{"b":1.0}') }).toString()).toBe(
      '{"ID":"a/b","Data":{"b":1.0},"Selects":[' +
        `{"ID":"1","Cases":[{"Op":1,"Chan":"c"}],"Choice":"random","Result":${one}},` +
        `{"ID":"2","Cases":[{"Op":2,"Chan":null,"Data":null,"NotBefore":8},{"Op":3,"At":7}],"Choice":"order","Result":${two}}` +
        `],"Results":[${two},${one}],"Callback":{"Type":1,"URI":"http://x/"},"Vars":{"v":1.0},` +
        '"Status":"running","Version":3,"Lock":"t","LockUntil":5,"Attempt":2,"CreatedAt":1,"UpdatedAt":2,' +
        '"PausedReason":"requested","LastError":"502","LastDetails":[1.0]}',
    );
  });

  test("returned by a callback it is a put-back under its lock", () => {
    const command = parseReturned(
      "a/b",
      "t",
      raw('{"ID":"a/b","Data":2.0,"Lock":"t","Selects":[{"ID":"3","Cases":[]}]}'),
    );
    expect(command).toEqual({
      ...{ kind: "put", id: "a/b", lock: "t", data: raw("2.0"), selects: [{ id: "3", cases: [], choice: "random" }] },
      digest: expect.stringMatching(/^[\w-]{22}$/) as string,
    });
  });

  test.each([
    ["", "bad_json"],
    ["[]", "bad_request"],
    ['{"ID":"other"}', "bad_request"],
    ['{"Lock":"other"}', "bad_request"],
    ['{"Selects":[{"ID":"1","Cases":[{"Op":9}]}]}', "bad_request"],
  ])("a callback that answers %j is refused", (body, code) => {
    expect(outcome(() => parseReturned("a/b", "t", raw(body)))).toBe(code);
  });

  test("the digest depends on what is said, not on how", () => {
    const digest = (body: string) => (parseReturned("a", "t", raw(body)) as PutCommand).digest;
    const first = digest('{"Data":{"a":1},"Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"c"}]}]}');
    expect(digest('{ "Selects":[{"Cases":[{"Chan":"c","Op":"recv"}],"ID":"1"}], "Data": {"a": 1}, "X": 1 }')).toBe(
      first,
    );
    expect(digest('{"Data":{"a":2},"Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"c"}]}]}')).not.toBe(first);
    expect(digest('{"Data":{"a":1},"Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"d"}]}]}')).not.toBe(first);
  });
});

describe("problems", () => {
  test("the table has every code, and only errors", () => {
    expect(Object.keys(problems).sort()).toEqual([...errorCodes].sort());
    for (const { status } of Object.values(problems)) expect(status).toBeGreaterThanOrEqual(400);
  });

  test("details become members, but never replace the document's own", () => {
    const error = new SlctError("lock_error", "no", { reason: "stale", Version: 3, status: 200, code: "ok" });
    expect(toProblem(error, "/state/a")).toEqual({
      ...{ type: "/problems/lock_error", title: problems.lock_error.title, status: 409, code: "lock_error" },
      ...{ detail: "no", instance: "/state/a", reason: "stale", Version: 3 },
    });
  });

  test.each([
    [new Error("secret /path")],
    [new SlctError("internal", "secret /path", { secret: 1 })],
    ["secret"],
    [undefined],
  ])("what is not for clients stays inside: %s", (error) => {
    expect(JSON.stringify(toProblem(error))).not.toContain("secret");
  });

  test("a result that comes with a refusal keeps its exact data", () => {
    const error = refusalError({ ok: false, code: "already_resolved", message: "no", result });
    expect(problemBody(error, toProblem(error)).toString()).toContain(
      '"Result":{"Select":"1","Case":0,"Op":1,"Chan":"c","Data":1.50',
    );
  });
});
