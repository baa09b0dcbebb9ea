/**
 * Flows that run: what follows what, what is undone, what is changed on the way.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flow } from "../../../sdk/sdk.js";
import { byHand, done, failureOf, Workshop } from "./workshop.js";

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.cluster.close());

describe("F1 a saga", () => {
  const trip = flow("trip", [
    done("flight"),
    done("hotel"),
    done("car"),
    done("mail", { requires: ["flight", "hotel"] }),
  ]);

  test("is done step by step, each when all that it requires is done", async () => {
    const id = await shop.all.execute(trip, { to: "BER" }, { id: "1" });
    expect(id).toBe("flow/trip/1");
    expect(await shop.bodies(id)).toEqual({ car: "car done", mail: "mail done" });
    expect(shop.log.slice(0, 3).sort()).toEqual(["car", "flight", "hotel"]);
    expect(shop.log.slice(3)).toEqual(["mail"]);
    expect(await shop.all.status(id)).toEqual({
      status: "success",
      steps: { flight: "success", hotel: "success", car: "success", mail: "success" },
      levels: [["flight", "hotel", "car"], ["mail"]],
      errors: {},
    });
  });

  test("is undone in reverse when a step fails, with what each step had answered", async () => {
    const line = flow("line", [done("a"), done("b", { requires: ["a"] }), done("c", { requires: ["b"] })]);
    const id = await shop.all.execute(line, { bad: "c" });
    expect(await failureOf(shop.all.result(id))).toMatchObject({
      ...{ code: "step_failed", message: "step c: sold out" },
      details: { Step: "c", Error: { code: "sold_out", message: "sold out" } },
    });
    expect(shop.log).toEqual(["a", "b", "c", 'undo b: "b done"', 'undo a: "a done"']);
    expect(await shop.all.status(id)).toMatchObject({
      status: "failure",
      steps: { a: "aborted", b: "aborted", c: "failure" },
      errors: { c: "sold out" },
    });
  });

  test("stops what runs beside a step that fails, and undoes what ends in spite of it", async () => {
    const both = flow("both", [byHand("slow"), done("bad"), done("never", { requires: ["slow"] })]);
    const id = await shop.all.execute(both, { bad: "bad" });
    expect(await failureOf(shop.all.result(id))).toMatchObject({ code: "step_failed" });
    expect(shop.log.sort()).toEqual(["bad", "slow"]);
    expect((await shop.all.status(id)).steps).toEqual({ slow: "aborted", bad: "failure", never: "aborted" });
    await expect(shop.cluster.client.result(`flow.step/${id.slice(5)}/slow`)).rejects.toMatchObject({
      code: "cancelled",
    });
  });

  test("says what could not be undone, and undoes the rest", async () => {
    const stuck = done("b", { requires: ["a"], compensate: "work.nobody" });
    const id = await shop.all.execute(flow("stuck", [done("a"), stuck, done("c", { requires: ["b"] })]), { bad: "c" });
    const { message } = await failureOf(shop.all.result(id));
    expect(message).toBe("step c: sold out; undoing b: queue work has no activity nobody");
    expect(shop.log.at(-1)).toBe('undo a: "a done"');
    expect((await shop.all.status(id)).steps).toEqual({ a: "aborted", b: "success", c: "failure" });
  });
});

describe("F8 a flow that runs", () => {
  const two = flow("two", [byHand("a"), byHand("b", { requires: ["a"] })]);

  test("shows its status and its levels", async () => {
    const id = await shop.all.execute(two, null);
    await shop.cluster.untilQuiescent();
    const levels = [["a"], ["b"]];
    expect(await shop.all.status(id)).toMatchObject({
      status: "running",
      steps: { a: "running", b: "pending" },
      levels,
    });
    await shop.end("a");
    expect((await shop.all.status(id)).steps).toEqual({ a: "success", b: "running" });
    await shop.end("b");
    expect(await shop.bodies(id)).toEqual({ b: "b done" });
    const shown: string[] = [];
    for await (const one of shop.all.executions("two")) shown.push(`${one.id} ${one.status}`);
    expect(shown).toEqual([`${id} success`]);
  });

  test("is suspended and resumed: nothing begins in between, what runs goes on", async () => {
    const id = await shop.all.execute(two, null);
    await shop.cluster.untilQuiescent();
    await shop.all.suspend(id);
    await shop.end("a");
    await shop.cluster.advance("1 day");
    expect(await shop.all.status(id)).toMatchObject({ status: "suspend", steps: { a: "success", b: "pending" } });
    await shop.all.resume(id);
    await shop.end("b");
    expect(await shop.bodies(id)).toEqual({ b: "b done" });
  });

  test("is aborted: what runs is stopped, what was done is undone", async () => {
    const id = await shop.all.execute(two, null);
    await shop.end("a");
    expect(await shop.all.abort(id, "too expensive")).toBe(true);
    expect(await shop.all.abort(id)).toBe(false);
    expect(await failureOf(shop.all.result(id))).toMatchObject({ code: "aborted", message: "too expensive" });
    expect(shop.log).toEqual(["a", "b", 'undo a: "a done"']);
    expect(await shop.all.status(id)).toMatchObject({ status: "aborted", steps: { a: "aborted", b: "aborted" } });
  });

  test("gets steps, and loses steps that have not begun", async () => {
    const id = await shop.all.execute(two, null);
    await shop.cluster.untilQuiescent();
    await shop.all.appendSteps(id, [done("c", { requires: ["b"] }), done("d", { requires: ["a"] })]);
    await shop.all.removeSteps(id, ["b", "c"]);
    expect((await shop.all.status(id)).levels).toEqual([["a"], ["d"]]);
    await shop.end("a");
    expect(await shop.bodies(id)).toEqual({ d: "d done" });
    expect(shop.log).toEqual(["a", "d"]);
  });

  test("takes no change that makes it none, or comes too late", async () => {
    const id = await shop.all.execute(two, null);
    await shop.cluster.untilQuiescent();
    const codes = [];
    for (const change of [
      () => shop.all.appendSteps(id, [done("a")]),
      () => shop.all.appendSteps(id, [done("c", { requires: ["z"] })]),
      () => shop.all.appendSteps(id, [{ id: "c", endpoint: { uri: "nowhere" }, requires: [] }]),
      () => shop.all.removeSteps(id, ["z"]),
      () => shop.all.removeSteps(id, ["a", "b"]),
      () => shop.all.setStatus(id, "a", "success"),
    ]) {
      codes.push((await failureOf(change())).code);
    }
    expect(codes).toEqual(["exists", "no_step", "bad_endpoint", "no_step", "begun", "begun"]);
    await shop.end("a");
    await shop.end("b");
    expect(await shop.bodies(id)).toEqual({ b: "b done" });
    expect((await failureOf(shop.all.suspend(id))).code).toBe("over");
    expect((await failureOf(shop.all.suspend("flow/two/never"))).code).toBe("not_found");
  });

  test("does not end by what is no command", async () => {
    const id = await shop.all.execute(two, null);
    await shop.cluster.untilQuiescent();
    for (const told of [null, 7, { reply: 7 }, { reply: "x" }, { reply: "\u0000", command: { do: "append" } }]) {
      await shop.cluster.client.send(`${id}/in`, told, { wait: "1m" });
    }
    const refused = { reply: "an answer", command: { do: "jump" } };
    await shop.cluster.client.send(`${id}/in`, refused, { wait: "1m" });
    expect(await shop.cluster.client.recv("an answer", { wait: "1m" })).toMatchObject({
      value: { error: { code: "bad_command", message: "flows know no command jump" } },
    });
    await shop.cluster.client.send(`${id}/in`, refused, { wait: "1m" });
    await shop.cluster.client.closeChannel(`${id}/in`);
    await shop.end("a");
    await shop.end("b");
    expect(await shop.bodies(id)).toEqual({ b: "b done" });
  });

  test("F12 keeps a step that another one requires, and says which", async () => {
    const id = await shop.all.execute(
      flow("f", [byHand("a"), done("b", { requires: ["a"] }), done("c", { requires: ["b"] })]),
    );
    await shop.cluster.untilQuiescent();
    const failure = await failureOf(shop.all.removeSteps(id, ["b"]));
    expect(failure).toMatchObject({
      ...{ code: "required", message: "step b is required by c" },
      details: { Step: "b", By: ["c"] },
    });
    await shop.all.removeSteps(id, ["c", "b"]);
    await shop.end("a");
    expect(await shop.bodies(id)).toEqual({ a: "a done" });
  });
});
