/**
 * Rows of group N in which replication has a part: requests that outlive a leader, and order across replicas.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { problems } from "../../api/problem.js";
import type { Command } from "../../src/select/command.js";
import type { Answer } from "../../src/select/outcome.js";
import type { SelectSpec } from "../../src/select/types.js";
import { now, poll, put, recv, ref } from "../select/engine-bench.js";
import { Replicas, type Ask } from "./replicas.js";

let cluster: Replicas;
beforeEach(() => (cluster = new Replicas()));

/** Whatever happened, all replicas hold the same records in the end. */
afterEach(() => {
  cluster.timeline.recover();
  for (const id of ["n2", "n3"]) expect(cluster.records(id)).toEqual(cluster.records("n1"));
});

const create = (requestId: string): Command => put("a", [recv("c")], { requestId });
const send = (chan: string, text: string): SelectSpec => ({
  ...{ id: "1", choice: "random" },
  cases: [{ op: "send", chan, data: new TextEncoder().encode(text) }],
});

function answerTo({ outcome }: Ask): Answer {
  if (outcome?.ok !== true) throw new Error(`no answer: ${JSON.stringify(outcome)}`);
  return outcome.answer;
}

const isRepeated = ({ outcome }: Ask) => outcome?.ok === true && outcome.repeated === true;

/** HTTP status and reason of a refusal. */
function refusalOf({ outcome }: Ask): unknown[] {
  return outcome?.ok === false ? [problems[outcome.code].status, outcome.details?.reason] : [];
}

/** Case and received text of every select that resolved. */
function resultsOf(id: string, on = "n1"): unknown[] {
  return (cluster.state(id, on)?.selects ?? []).flatMap(({ result }) =>
    result === undefined ? [] : [[result.case, new TextDecoder().decode(result.data)]],
  );
}

test("N1 a create sent three times under one Request-Id, the last time to the next leader: one state, one answer", () => {
  const asks = [1, 2].map(() => cluster.ask(create("r")));
  cluster.timeline.run(30);
  cluster.timeline.kill("n1");
  cluster.timeline.run(40);
  asks.push(cluster.ask(create("r")));
  expect(new Set(asks.map((ask) => JSON.stringify(answerTo(ask)))).size).toBe(1);
  expect(asks.map(isRepeated)).toEqual([false, true, true]);
  const [leader] = cluster.timeline.leaders;
  expect(cluster.state("a", leader)?.version).toBe(1);
  expect(cluster.records(leader).filter(([key]) => key.startsWith("s")).length).toBe(1);
  cluster.restart("n1");
});

test("N2 of two creates of one state in one batch the first succeeds, the other is a conflict", () => {
  const [first, second] = [cluster.begin(create("r1")), cluster.begin(create("r2"))];
  cluster.timeline.settle();
  expect(answerTo(first)).toMatchObject({ kind: "put", created: true });
  expect(refusalOf(second)).toEqual([409, "exists"]);
  expect(cluster.state("a")?.version).toBe(1);
});

test.each([true, false])(
  "N3 the leader dies with the answer, replicated %s: the next one gives the same",
  (replicated) => {
    const asked = cluster.begin(create("r"));
    // n2 has the entry and cannot say so, or nobody has it.
    if (replicated) cluster.timeline.cut("n2", "n1");
    else cluster.timeline.cut("n1", "n2");
    cluster.timeline.cut("n1", "n3");
    cluster.timeline.settle();
    expect(asked.outcome).toBeUndefined();
    cluster.timeline.kill("n1");
    cluster.timeline.heal();
    cluster.timeline.run(40);
    const again = cluster.ask(create("r"));
    expect(isRepeated(again)).toBe(replicated);
    expect(answerTo(again)).toMatchObject({ kind: "put", created: true, status: "waiting", version: 1 });
    const [leader] = cluster.timeline.leaders;
    expect(cluster.state("a", leader)?.version).toBe(1);
    expect(cluster.waiting(leader)).toEqual(["a"]);
    cluster.restart("n1");
    cluster.timeline.run(2);
    expect(cluster.waiting("n1")).toEqual(["a"]);
  },
);

test("N4 a callback's result sent twice, or another one under the used token, changes nothing more", () => {
  cluster.ask(put("a", [now()], { callback: { type: 1, uri: "http://a" } }));
  cluster.ask({ ...poll(ref(1)), for: "callback" });
  const lock = cluster.state("a")?.lock?.token ?? "";
  const result = put("a", [recv("c")], { lock });
  answerTo(cluster.ask(result));
  const before = cluster.records();
  expect(isRepeated(cluster.ask(result))).toBe(true);
  expect(refusalOf(cluster.ask(put("a", [recv("d")], { lock })))).toEqual([409, "stale"]);
  expect(cluster.records()).toEqual(before);
});

test("N6 three receives and three sends pair in log order on every replica, though one restarts between them", () => {
  for (const id of ["r1", "r2", "r3"]) cluster.begin(put(id, [recv("c")]));
  cluster.timeline.settle();
  cluster.timeline.kill("n3");
  cluster.restart("n3");
  for (const id of ["s1", "s2", "s3"]) cluster.begin(put(id, [send("c", id)]));
  cluster.timeline.settle();
  cluster.timeline.run(2);
  for (const on of ["n1", "n2", "n3"]) {
    expect(["r1", "r2", "r3"].map((id) => resultsOf(id, on))).toEqual([[[0, "s1"]], [[0, "s2"]], [[0, "s3"]]]);
    expect(cluster.waiting(on)).toEqual([]);
  }
});

test("N7 both channels of a select become ready in one batch of entries: one case fires, the other is withdrawn", () => {
  const cases = ["x", "y"].map((chan) => ({ op: "recv", chan }) as const);
  cluster.ask(put("a", [{ id: "1", choice: "random", cases }]));
  for (const [id, chan] of Object.entries({ b: "y", c: "x" })) cluster.begin(put(id, [send(chan, chan)]));
  cluster.timeline.settle();
  expect(resultsOf("a")).toEqual([[1, "y"]]);
  expect(cluster.waiting()).toEqual(["c"]);
  cluster.ask(put("d", [recv("x")]));
  expect([resultsOf("d"), resultsOf("a")]).toEqual([[[0, "x"]], [[1, "y"]]]);
});
