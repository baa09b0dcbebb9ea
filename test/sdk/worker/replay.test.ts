/**
 * A process replayed from what `GET /state/{id}` answers: its trace, or where code and journal part.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StateOut } from "../../../sdk/client.js";
import { encrypted, process, replay, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

let charges = 0;
const order = process("order", { version: 1 }, async (p, total: number) => {
  p.vars["total"] = total;
  const receipt = await p.step("charge", () => `receipt ${++charges}`);
  const ready = p.promise();
  void p.go(async (p) => p.sleep("1h"));
  const r = await p.select({ paid: p.recv("paid"), ready, late: p.after("1 day") });
  if (r.tag === "late") return "late";
  await p.step("ship", () => {
    throw new Error("no courier");
  });
  return receipt;
});

/** The state as a person would save it. */
async function saved(): Promise<StateOut> {
  charges = 0;
  cluster.worker({ processes: [order] });
  const { id } = await cluster.client.start(order, 30, { id: "17" });
  await cluster.untilQuiescent();
  return JSON.parse(JSON.stringify(await cluster.client.getState(id))) as StateOut;
}

const other = (run: (p: ProcessContext) => PromiseLike<unknown>, version = 2) =>
  process<number, unknown>("order", { version }, run);

describe("a replay", () => {
  test("shows every operation with its line and what it was given, and does nothing", async () => {
    const { trace, vars, mismatch, warnings, outcome } = await replay(order, await saved());
    expect(trace.map(({ op, is, entry }) => [op, is, entry && "value" in entry ? entry.value : entry])).toEqual([
      ["1", "step charge", "receipt 1"],
      ["2", "promise", undefined],
      ["3", "go", undefined],
      ["3.1", "time", undefined],
      ["4", expect.stringMatching(/^recv paid \| recv order\/17\/p\/2\/[0-9a-f]{32} \| time$/), undefined],
    ]);
    expect(trace.filter(({ place }) => !/^replay\.test\.ts:\d+$/.test(place))).toEqual([]);
    expect([vars, warnings, mismatch, outcome, charges]).toEqual([{ total: 30 }, [], undefined, undefined, 1]);
  });

  test("goes on with results that no worker has seen, up to the next step", async () => {
    const state = await saved();
    const Result = { Select: "4", Case: 0, Op: 1 as const, Ok: true, Data: 30, At: state.UpdatedAt, Index: 99 };
    const { trace } = await replay(order, { ...state, Status: "pending", Results: [Result] });
    expect(trace.slice(-2)).toMatchObject([
      { op: "4", entry: { data: 30 } },
      { op: "5", is: "step ship" },
    ]);
    expect(trace.at(-1)).not.toHaveProperty("entry");
  });

  test("shows how often a step was tried, and the end of a process that has just come to it", async () => {
    const state = await saved();
    await cluster.client.send("paid", 30);
    await cluster.advance("2s");
    const { trace } = await replay(order, await cluster.client.getState("order/17"));
    expect(trace.at(-1)).toMatchObject({ is: "step ship", retried: { attempts: 2, error: { message: "no courier" } } });
    const late = { Select: "4", Case: 2, Op: 3 as const, Ok: true, At: state.UpdatedAt, Index: 99 };
    expect(await replay(order, { ...state, Results: [late] })).toMatchObject({ outcome: { value: "late" } });
  });

  test("takes what a codec wrote", async () => {
    const codec = encrypted(new Uint8Array(16));
    cluster.worker({ processes: [order], codec });
    await cluster.newClient({ codec }).start(order, 30, { id: "17" });
    await cluster.untilQuiescent();
    const state = await cluster.client.getState("order/17");
    expect((await replay(order, state, { codec })).trace.length).toBe(5);
    await expect(replay(order, state)).rejects.toMatchObject({ code: "bad_answer" });
  });
});

describe("a replay of other code", () => {
  test("names both sides of the first mismatch, and the line", async () => {
    const changed = other(async (p) => {
      await p.step("authorize", () => 1);
      await p.step("charge", () => 2);
    });
    const { mismatch, error, trace } = await replay(changed, await saved());
    expect(mismatch).toEqual({
      op: "1",
      recorded: "step charge",
      asked: "step authorize",
      place: expect.stringMatching(/^replay\.test\.ts:\d+$/) as string,
    });
    expect(error?.message).toContain('the journal has "step charge", the code now asks for "step authorize"');
    expect(trace.length).toBe(1);
  });

  test("or what it no longer asks for", async () => {
    const shorter = other((p) => p.step("charge", () => 1).then(() => p.recv("other")));
    expect((await replay(shorter, await saved())).mismatch).toEqual({
      op: "3.1",
      recorded: "time",
      place: expect.stringMatching(/^after "recv other", replay\.test\.ts:\d+$/) as string,
    });
  });

  test("notices what is not durable", async () => {
    const foreign = other(async (p) => {
      await p.step("charge", () => Math.random());
      Math.random();
      await new Promise(() => undefined);
    });
    const { error, warnings } = await replay(foreign, await saved(), { foreignMs: 10 });
    expect(error?.code).toBe("not_durable");
    expect(warnings.join()).toContain("Math.random()");
  });

  test("takes the version of the state if it is there, and refuses what is no such process", async () => {
    const state = await saved();
    expect((await replay([other(() => Promise.resolve(1)), order], state)).mismatch).toBeUndefined();
    const stranger = process("stranger", { version: 1 }, () => Promise.resolve());
    await expect(replay(stranger, state)).rejects.toMatchObject({ code: "bad_request" });
    await cluster.client.cancel("order/17");
    await cluster.untilQuiescent();
    await expect(replay(order, await cluster.client.getState("order/17"))).rejects.toThrow("its journal is not");
  });
});
