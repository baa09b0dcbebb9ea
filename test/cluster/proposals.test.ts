import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Proposals, type Leadership } from "../../cluster/proposals.js";
import type { Committed, Forward } from "../../cluster/types.js";
import type { SlctError } from "../../src/errors.js";
import { named, timeoutMs } from "./mesh.js";

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error as SlctError).code,
  );

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const led: Leadership = { leader: "n2", term: 3, hopeless: false };
const leaderless: Leadership = { leader: null, term: 3, hopeless: false };

function open(limits: { proposalsMax?: number; proposalBytesMax?: number } = {}) {
  const batches: { term: number; seqs: number[]; bytes: number }[] = [];
  const wakes = { count: 0 };
  const proposals = new Proposals({
    ...{ node: "n1", epoch: 1, proposalsMax: 100, proposalBytesMax: 1 << 20, timeoutMs, ...limits },
    send: (_, term, batch) => batches.push({ term, seqs: batch.map(({ seq }) => seq), bytes: sum(batch) }),
    wake: () => wakes.count++,
    observe: () => undefined,
  });
  return { proposals, batches, wakes };
}
const sum = (batch: readonly Forward[]) => batch.reduce((bytes, { data }) => bytes + data.length, 0);
const committed: Committed = { index: 7, outcome: { ok: true, answer: { kind: "done" } } };

it("answers no_leader for what was never sent and timeout for what was", async () => {
  const { proposals } = open();
  const sent = codeOf(proposals.submit(named("a"), led));
  proposals.pump(led);
  const unsent = codeOf(proposals.submit(named("b"), leaderless));
  proposals.pump(leaderless);
  vi.advanceTimersByTime(timeoutMs - 1);
  proposals.sweep(leaderless);
  expect(proposals.count).toBe(2);
  vi.advanceTimersByTime(2);
  proposals.sweep(leaderless);
  expect([await sent, await unsent]).toEqual(["timeout", "no_leader"]);
});

it("still answers timeout for what waits to be sent again", async () => {
  const { proposals, batches } = open();
  const a = codeOf(proposals.submit(named("a"), led));
  proposals.pump(led);
  proposals.resend("n2");
  proposals.pump(leaderless);
  proposals.sweep({ ...leaderless, hopeless: true });
  expect(proposals.count).toBe(1);
  vi.advanceTimersByTime(timeoutMs + 1);
  proposals.sweep(leaderless);
  expect(await a).toBe("timeout");
  expect(batches).toHaveLength(1);
});

it("refuses at once without a leader beyond the grace, and ends what has waited until then", async () => {
  const { proposals } = open();
  const early = codeOf(proposals.submit(named("a"), leaderless));
  const hopeless = { ...leaderless, hopeless: true };
  expect(await codeOf(proposals.submit(named("b"), hopeless))).toBe("no_leader");
  proposals.sweep(hopeless);
  expect(await early).toBe("no_leader");
  expect(proposals.bytes).toBe(0);
});

it("sends a refused one under the next term and not to the same one again", async () => {
  const { proposals, batches } = open();
  const a = proposals.submit(named("a"), led);
  proposals.pump(led);
  proposals.refused({ epoch: 1, term: 3, seqs: [1], reason: "not_leader" });
  proposals.pump(led);
  proposals.pump({ ...led, term: 4 });
  expect(batches.map(({ term, seqs }) => [term, ...seqs])).toEqual([
    [3, 1],
    [4, 1],
  ]);
  proposals.applied(1, committed);
  expect(await a).toEqual(committed);
});

it("does not trust one refusal when two copies were sent", async () => {
  const { proposals, batches } = open();
  const a = codeOf(proposals.submit(named("a"), led));
  proposals.pump(led);
  proposals.resend("n2");
  proposals.pump(led);
  proposals.refused({ epoch: 1, term: 3, seqs: [1], reason: "not_leader" });
  proposals.pump({ ...led, term: 4 });
  expect(batches.map(({ term }) => term)).toEqual([3, 3]);
  // The first copy was taken.
  proposals.applied(1, committed);
  proposals.onTerm(4);
  proposals.pump({ ...led, term: 4 });
  expect(await a).toBe("done");
  expect(batches).toHaveLength(2);
});

it("knows that nothing happened when every copy went to somebody who does not lead", async () => {
  const { proposals, batches } = open();
  const a = codeOf(proposals.submit(named("a"), led));
  proposals.pump(led);
  proposals.resend("n2");
  proposals.pump(led);
  proposals.refused({ epoch: 1, term: 3, seqs: [1], reason: "not_leader" });
  proposals.refused({ epoch: 1, term: 3, seqs: [1], reason: "not_leader" });
  proposals.pump({ ...led, term: 4 });
  expect(batches.map(({ term }) => term)).toEqual([3, 3, 4]);
  proposals.close();
  expect(await a).toBe("timeout");
});

it.each([
  ["overloaded", /too much to commit; nothing was done/],
  ["disk_low", /nearly full.*nothing was done/],
  ["state_mismatch", /replicas differ.*nothing was done/],
] as const)("knows it from one refusal of the leader, whatever else was sent: %s", async (reason, text) => {
  const { proposals, batches } = open();
  const a = proposals.submit(named("a"), led).catch((error: unknown) => error);
  proposals.pump(led);
  proposals.resend("n2");
  proposals.pump(led);
  proposals.refused({ epoch: 7, term: 3, seqs: [1], reason });
  proposals.refused({ epoch: 1, term: 2, seqs: [1], reason });
  expect(proposals.count).toBe(1);
  proposals.refused({ epoch: 1, term: 3, seqs: [1], reason });
  expect(await a).toMatchObject({ code: "overloaded", message: expect.stringMatching(text) as string });
  proposals.refused({ epoch: 1, term: 3, seqs: [1], reason });
  proposals.pump({ ...led, term: 4 });
  expect(batches.map(({ term }) => term)).toEqual([3, 3]);
  expect([proposals.count, proposals.bytes]).toEqual([0, 0]);
});

describe("N12 what was decided under a term", () => {
  const expire = { kind: "expire", keys: [] } as const;

  it("is sent under it", () => {
    const { proposals, batches } = open();
    const a = codeOf(proposals.submit(expire, led, 3));
    proposals.pump(led);
    proposals.applied(1, committed);
    expect(batches.map(({ term }) => term)).toEqual([3]);
    return expect(a).resolves.toBe("done");
  });

  it("is not sent under another", async () => {
    const { proposals, batches } = open();
    const a = codeOf(proposals.submit(expire, led, 3));
    proposals.pump({ ...led, term: 4 });
    expect(await a).toBe("no_leader");
    expect(batches.flatMap(({ seqs }) => seqs)).toEqual([]);
    expect([proposals.count, proposals.bytes]).toEqual([0, 0]);
  });

  it("is not sent again when a later term shows that it was not taken", async () => {
    const { proposals, batches } = open();
    const [a, b] = [codeOf(proposals.submit(expire, led, 3)), codeOf(proposals.submit(named("b"), led))];
    proposals.pump(led);
    proposals.onTerm(4);
    expect(await a).toBe("no_leader");
    proposals.pump({ ...led, term: 4 });
    expect(batches.map(({ term, seqs }) => [term, ...seqs])).toEqual([
      [3, 1, 2],
      [4, 2],
    ]);
    proposals.applied(2, committed);
    expect(await b).toBe("done");
  });

  it("is not sent again when its leader was none any more", async () => {
    const { proposals, batches } = open();
    const a = codeOf(proposals.submit(expire, led, 3));
    proposals.pump(led);
    proposals.refused({ epoch: 1, term: 3, seqs: [1], reason: "not_leader" });
    expect(await a).toBe("no_leader");
    proposals.pump({ ...led, term: 4 });
    expect(batches).toHaveLength(1);
  });
});

it.each([
  [led, "n2, which leads, has not committed it in time"],
  [{ ...led, leader: null }, "n2, which led term 3, has it, and no entry of a later term came in time to decide"],
  [{ ...led, leader: "n3", term: 4 }, "n2, which led term 3, has it, and no entry of a later term"],
])("says why it cannot know", async (leadership, why) => {
  const { proposals } = open();
  const a = proposals.submit(named("a"), led).catch((error: unknown) => error);
  proposals.pump(led);
  vi.advanceTimersByTime(timeoutMs + 1);
  proposals.sweep(leadership);
  const error = (await a) as SlctError;
  expect(error.code).toBe("timeout");
  expect(error.message).toContain(why);
  expect(error.message).toContain("repeat it with the same Request-Id or lock");
});

it("has room for what ends waits when requests fill it", async () => {
  const { proposals, batches } = open({ proposalsMax: 1 });
  const a = codeOf(proposals.submit(named("a"), led));
  expect(await codeOf(proposals.submit(named("b"), led))).toBe("overloaded");
  const withdrawn = codeOf(proposals.submit({ kind: "withdraw", refs: [] }, led));
  proposals.pump(led);
  expect(batches[0]?.seqs).toEqual([1, 2]);
  proposals.applied(1, committed);
  proposals.applied(2, committed);
  expect([await a, await withdrawn]).toEqual(["done", "done"]);
});

it("bounds bytes as well, and cuts batches so that a frame holds them", async () => {
  const big = (name: string) => ({ ...named(name), requestId: "r".repeat(400_000) });
  const { proposals, batches } = open({ proposalBytesMax: 2_000_000 });
  const codes = Array.from({ length: 6 }, (_, n) => codeOf(proposals.submit(big(`${n}`), led)));
  proposals.pump(led);
  expect(batches.flatMap(({ seqs }) => seqs)).toEqual([1, 2, 3, 4, 5]);
  expect(batches.every(({ bytes }) => bytes <= 1 << 20)).toBe(true);
  expect(batches.length).toBeGreaterThan(1);
  proposals.close();
  expect(await Promise.all(codes)).toEqual([...Array<string>(5).fill("timeout"), "overloaded"]);
});

it("ends everything when it closes", async () => {
  const { proposals } = open();
  const sent = codeOf(proposals.submit(named("a"), led));
  proposals.pump(led);
  const unsent = codeOf(proposals.submit(named("b"), led));
  proposals.close();
  expect([await sent, await unsent]).toEqual(["timeout", "no_leader"]);
  expect(await codeOf(proposals.submit(named("c"), led))).toBe("no_leader");
});
