/**
 * Flows as values: steps, the graph they make, statuses, messages.
 */
import { describe, expect, test } from "vitest";
import { activity, flow, flowStatuses, flowStatusOf, flowStatusValue, process, RawMessage } from "../../../sdk/sdk.js";
import { step, stepText, withHeader, type Failure, type FlowStep, type StepInput } from "../../../sdk/sdk.js";
import { beginningWith, levelsOf, reduced } from "../../../sdk/flow/graph.js";
import { inputText, messageData, responseOf } from "../../../sdk/flow/message.js";
import { readSteps } from "../../../sdk/flow/step.js";

/** `c: a b` is a step c that requires a and b; `c: a / d` one with the fallback d. */
function steps(...texts: readonly string[]): FlowStep[] {
  return texts.map((text) => {
    const [id = "", rest = ""] = text.split(":");
    const [requires = "", fallback] = rest.split("/").map((part) => part.trim());
    const more = { ...(fallback !== undefined && { fallback }) };
    return step(id, { endpoint: "queue.work", requires: requires.split(" ").filter(Boolean), ...more });
  });
}

function failureOf(run: () => unknown): Pick<Failure, "code" | "message" | "details"> | undefined {
  try {
    run();
  } catch (error) {
    const { code, message, details } = error as Failure;
    return { code, message, details };
  }
  return undefined;
}

describe("F6 steps are a graph", () => {
  test("in levels: of what a level requires, all is in the levels before", () => {
    expect(levelsOf(steps("d: b c", "b: a", "c: a", "a", "e"))).toEqual([["a", "e"], ["b", "c"], ["d"]]);
    expect(levelsOf([])).toEqual([]);
  });

  test("a fallback comes after its step", () => {
    expect(levelsOf(steps("a: / x", "b: a", "x"))).toEqual([["a"], ["b", "x"]]);
  });

  test("reduced: what follows from the rest is left out", () => {
    const edges = reduced(steps("a", "b: a", "c: a b", "d: a b c", "e: a"));
    expect(Object.fromEntries(edges)).toEqual({ a: [], b: ["a"], c: ["b"], d: ["c"], e: ["a"] });
  });

  test("as deep and as wide as flows may be", () => {
    const chain = Array.from({ length: 200 }, (_, n) => `s${n}:${n === 0 ? "" : ` s${n - 1}`}`);
    expect(levelsOf(steps(...chain)).length).toBe(200);
    expect(reduced(steps(...chain)).get("s199")).toEqual(["s198"]);
    expect(failureOf(() => flow("f", steps(...chain, "more")))).toMatchObject({
      message: "a flow has at most 200 steps",
    });
  });

  test.each([
    [["a: b"], "no_step", "there is no step b, which step a refers to"],
    [["a: / x"], "no_step", "there is no step x, which step a refers to"],
    [["a", "a"], "exists", "step a is there twice"],
    [["a: b", "b: c", "c: a", "d"], "cycle", "steps require each other: a, b, c"],
    [["a: a"], "cycle", "steps require each other: a"],
    [["a: / x", "b: / x", "x"], "bad_step", "step x stands for more than one step: a, b"],
    [["a", "b: / x", "x: a"], "bad_step", "step x is a fallback and cannot require a"],
    [["b: / x", "x", "c: x"], "bad_step", "step x is a fallback and cannot be required, as by c"],
  ])("%j is none: %s", (texts, code, message) => {
    const failure = failureOf(() => flow("f", steps(...texts)));
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  test("what begins in the middle does not require what is before", () => {
    const all = steps("a", "b: a", "c: a b / x", "d: c", "x", "e: a");
    expect(beginningWith(all, "b").map(({ id, requires }) => [id, requires])).toEqual([
      ["b", []],
      ["c", ["b"]],
      ["d", ["c"]],
      ["x", []],
    ]);
    expect(failureOf(() => beginningWith(all, "z"))).toMatchObject({ code: "no_step" });
  });
});

describe("F5 a step", () => {
  test("has an ID, an endpoint, requirements, options, and says what it is", () => {
    const book = activity<StepInput, string>("hotels", "book", { timeout: "1m", retry: { attempts: 3 } });
    const flight = step("flight", { endpoint: "https://air.example/book" });
    const hotel = step("hotel", { endpoint: book, requires: [flight, "flight"], fallback: "motel" });
    expect(hotel).toEqual({
      ...{ id: "hotel", requires: ["flight"], fallback: "motel" },
      endpoint: { uri: "activity://hotels/book", timeout: "1m", retry: { attempts: 3 } },
    });
    expect(stepText(hotel, "pending")).toBe("hotel (pending): activity://hotels/book, after flight, or else motel");
    expect(stepText(flight, "success")).toBe("flight (success): https://air.example/book");
    expect(readSteps(JSON.parse(JSON.stringify([flight, hotel])))).toEqual([flight, hotel]);
  });

  test("may be done by a process", () => {
    const double = process("double", { version: 2 }, (_, input: StepInput) => Promise.resolve(input.step));
    expect(step("a", { endpoint: double }).endpoint).toEqual({ uri: "process://double/2" });
    const wrapped = { ...double, wrap: () => null };
    expect(failureOf(() => step("a", { endpoint: wrapped }))).toMatchObject({ code: "bad_endpoint" });
  });

  test.each(["", "nowhere", "ftp://a/b", "http://", "chan://", "activity://queue", "process://a b/1", "a b.c"])(
    "is not done at %j",
    (uri) => {
      expect(failureOf(() => step("a", { endpoint: uri }))).toMatchObject({ code: "bad_endpoint" });
    },
  );

  test.each([
    [{}, "steps are a list"],
    [[null], "a step has an ID"],
    [[{ id: "a b", endpoint: "q.w" }], "no ID of a step"],
    [[{ id: "a" }], "step a has no endpoint"],
    [[{ id: "a", endpoint: "q.w", requires: "b" }], "what step a requires are IDs"],
    [[{ id: "a", endpoint: "q.w", fallback: 1 }], "the fallback of step a is an ID"],
    [[{ id: "a", endpoint: "q.w", compensate: {} }], "step a has no endpoint"],
    [Array.from({ length: 201 }, (_, n) => ({ id: `s${n}`, endpoint: "q.w" })), "at most 200 steps"],
  ])("from elsewhere is read with care: %#", (value, message) => {
    expect(failureOf(() => readSteps(value))).toMatchObject({
      code: "bad_step",
      message: expect.stringContaining(message) as string,
    });
  });
});

test("F7 a status has a word and a number, each found by the other", () => {
  expect(flowStatuses).toEqual({ pending: 0, running: 1, failure: 2, success: 3, aborted: 4, suspend: 5 });
  for (const [name, value] of Object.entries(flowStatuses)) {
    expect([flowStatusOf(value), flowStatusValue(name)]).toEqual([name, value]);
  }
  expect(failureOf(() => flowStatusOf(6))).toMatchObject({ code: "no_status" });
  expect(failureOf(() => flowStatusValue("toString"))).toMatchObject({ code: "no_status" });
});

describe("F3 a raw message", () => {
  test("keeps its text until its value is asked for", () => {
    const text = '{"b": 1.0, "a": 12345678901234567890}';
    const raw = new RawMessage(text);
    expect([raw.text, String(raw)]).toEqual([text, text]);
    expect(raw.decode<{ b: number }>().b).toBe(1);
    expect(JSON.stringify({ raw: new RawMessage("[1]") })).toBe('{"raw":[1]}');
  });

  test("of nothing is null", () => {
    expect([new RawMessage().text, RawMessage.of(undefined).text, RawMessage.of(null).text]).toEqual(
      Array(3).fill("null"),
    );
    expect(JSON.stringify({ none: RawMessage.of(undefined) })).toBe('{"none":null}');
  });

  test("is JSON, and is checked by whoever needs it", () => {
    expect(failureOf(() => new RawMessage("{"))).toMatchObject({ code: "bad_message", message: "no JSON: {" });
    const even = {
      "~standard": {
        ...{ version: 1 as const, vendor: "test" },
        validate: (value: unknown) =>
          Number(value) % 2 === 0 ? { value: Number(value) } : { issues: [{ message: "odd" }] },
      },
    };
    expect(RawMessage.of(4).decode(even)).toBe(4);
    expect(failureOf(() => RawMessage.of(3).decode(even))).toMatchObject({ code: "invalid_value" });
  });
});

test("F4 a message has a header and a body, and goes on as it came", () => {
  const request = messageData({ header: { tenant: "t1" }, body: new RawMessage('{"n":1.00}') });
  const answered = responseOf(withHeader({ etag: "7" }, { ok: true }));
  expect(answered).toEqual({ header: { etag: "7" }, body: '{"ok":true}' });
  expect(responseOf([1])).toEqual({ header: {}, body: "[1]" });
  for (const wrong of [{ body: "{" }, { body: 1 }, { header: { a: 1 } }, { header: 1 }]) {
    const answer = { slct: "message/1", header: {}, body: "1", ...wrong };
    expect(failureOf(() => responseOf(answer))).toMatchObject({ code: "bad_message" });
  }
  const text = inputText({ flow: "flow/f/1", step: "b", request, responses: { a: answered } });
  expect(text).toBe(
    '{"flow":"flow/f/1","step":"b","request":{"header":{"tenant":"t1"},"body":{"n":1.00}},' +
      '"responses":{"a":{"header":{"etag":"7"},"body":{"ok":true}}}}',
  );
});
