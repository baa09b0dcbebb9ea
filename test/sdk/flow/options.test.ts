/**
 * Options of flows and steps, and what goes between steps.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flow, process, step, withHeader, type StepInput } from "../../../sdk/sdk.js";
import { byHand, done, failureOf, Workshop } from "./workshop.js";

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.cluster.close());

describe("F11 options", () => {
  test("a step that fails has a fallback, whose answer stands for it", async () => {
    const id = await shop.all.execute(
      flow("f", [
        done("a"),
        done("b", { requires: ["a"], fallback: "x" }),
        byHand("c", { requires: ["b"] }),
        byHand("x", { fallback: "y" }),
        done("y"),
      ]),
      { bad: "b" },
    );
    await shop.cluster.untilQuiescent();
    expect(shop.open.get("x")?.input).toMatchObject({
      failed: { step: "b", error: { code: "sold_out" } },
      responses: { a: { body: "a done" } },
    });
    await shop.end("x", "instead");
    expect(shop.open.get("c")?.input.responses).toEqual({ b: { header: {}, body: "instead" } });
    await shop.end("c");
    expect(await shop.bodies(id)).toEqual({ c: "c done" });
    expect((await shop.all.status(id)).steps).toEqual({
      ...{ a: "success", b: "failure", c: "success" },
      ...{ x: "success", y: "pending" },
    });
  });

  test("a flow begins with a step in the middle", async () => {
    const line = flow("line", [done("a"), done("b", { requires: ["a"] }), done("c", { requires: ["b"] })]);
    expect(await shop.bodies(await shop.all.execute(line, null, { start: "b" }))).toEqual({ c: "c done" });
    expect(shop.log).toEqual(["b", "c"]);
    expect((await failureOf(shop.all.execute(line, null, { start: "z" }))).code).toBe("no_step");
  });

  test("a flow has a time limit, as a step has", async () => {
    const id = await shop.all.execute(flow("late", [done("a"), byHand("b", { requires: ["a"] })]), null, {
      timeout: "1h",
    });
    await shop.cluster.advance("1h");
    expect(await failureOf(shop.all.result(id))).toMatchObject({ code: "timeout" });
    expect(shop.log).toEqual(["a", "b", 'undo a: "a done"']);
    const limited = byHand("b", { endpoint: { uri: "work.by-hand", timeout: "5m" } });
    const other = await shop.all.execute(flow("late", [limited]));
    await shop.cluster.advance("5m");
    expect(await failureOf(shop.all.result(other))).toMatchObject({
      details: { Step: "b", Error: { code: "timeout" } },
    });
  });

  test("executing is asynchronous, or waits for the end; once per key, now or later", async () => {
    const one = flow("one", [done("a")]);
    const startAt = shop.cluster.time.now() + 3_600_000;
    const id = await shop.all.execute(one, null, { id: "k", startAt });
    expect([await shop.all.execute(one, null, { id: "k" }), (await shop.all.status(id)).status]).toEqual([
      id,
      "pending",
    ]);
    await shop.cluster.advance("1h");
    expect((await shop.all.status(id)).status).toBe("success");
    expect(shop.log).toEqual(["a"]);
    const other = await shop.all.execute(one, null, { async: false });
    expect((await shop.all.status(other)).status).toBe("success");
    expect((await failureOf(shop.all.execute(one, { bad: "a" }, { async: false }))).code).toBe("step_failed");
  });

  test("a flow that is suspended when a step fails is mended by hand", async () => {
    const line = flow("line", [done("a"), done("b", { requires: ["a"] }), done("c", { requires: ["b"] })]);
    const id = await shop.all.execute(line, { bad: "b" }, { onFailure: "suspend" });
    await shop.cluster.untilQuiescent();
    expect(await shop.all.status(id)).toMatchObject({
      status: "suspend",
      steps: { b: "failure" },
      errors: { b: "sold out" },
    });
    await shop.all.resume(id);
    await shop.cluster.untilQuiescent();
    expect(shop.log).toEqual(["a", "b", "b"]);
    await shop.all.setStatus(id, "b", "success", "by phone");
    await shop.all.resume(id);
    expect(await shop.bodies(id)).toEqual({ c: "c done" });
    expect((await shop.all.status(id)).errors).toEqual({});
  });
});

describe("F5 what is between steps", () => {
  test("a step is given the request and what the steps before it have answered, and keeps what it answered", async () => {
    const first = process("first", { version: 1 }, (_, { request }: StepInput) =>
      Promise.resolve(withHeader({ etag: "7" }, { got: request.body })),
    );
    shop.cluster.worker({ processes: [first] });
    const header = { tenant: "t1" };
    const steps = [step("a", { endpoint: first }), byHand("b", { requires: ["a"] })];
    const id = await shop.all.execute(flow("pass", steps), { n: 1 }, { header, id: "1" });
    await shop.cluster.untilQuiescent();
    expect(shop.open.get("b")?.input).toEqual({
      ...{ flow: id, step: "b", request: { header, body: { n: 1 } } },
      responses: { a: { header: { etag: "7" }, body: { got: { n: 1 } } } },
    });
    expect(await shop.cluster.client.result("flow.step/pass/1/a")).toEqual({
      ...{ header: { etag: "7" }, body: '{"got":{"n":1}}' },
    });
    await shop.end("b");
  });

  test("a step publishes on a channel, in time", async () => {
    const chan = (timeout: string) => step("a", { endpoint: { uri: "chan://news of today", timeout } });
    const id = await shop.all.execute(flow("chan", [chan("1h")]), { n: 1 });
    expect(await shop.cluster.client.recv<StepInput>("news of today", { wait: "1m" })).toMatchObject({
      value: { flow: id, step: "a", request: { body: { n: 1 } } },
    });
    expect(await shop.bodies(id)).toEqual({ a: null });
    const late = await shop.all.execute(flow("chan", [chan("1h")]));
    await shop.cluster.advance("1h");
    expect(await failureOf(shop.all.result(late))).toMatchObject({ details: { Error: { code: "timeout" } } });
  });
});
