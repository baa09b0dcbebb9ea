/**
 * A node with little room: what does not fit is refused at once with 503 `overloaded` and never happens, what fits is
 * done, and afterwards the node serves as before.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster, waitFor } from "./harness.js";
import { Ledger } from "./ledger.js";
import { agreedHash } from "./replicas.js";
import { gauge } from "./vitals.js";

const waitsMax = 8;
const flags = ["--proposals-max", "8", "--proposal-bytes-max", String(1024 * 1024), "--waits-max", String(waitsMax)];

interface Problem {
  readonly code?: string;
  readonly Data?: number;
}

let cluster: TestCluster;
let leader: string;
let follower: string;
beforeAll(async () => {
  cluster = await TestCluster.open(3, flags);
  leader = await cluster.leader();
  follower = cluster.ids.find((id) => id !== leader) ?? "";
});
afterAll(() => cluster.close());

async function nothingOpen(): Promise<void> {
  for (const node of cluster.ids) {
    for (const name of ["slct_proposals_open", "slct_proposal_bytes_open", "slct_waits_open"])
      await waitFor(`${name} 0`, async () => (await gauge(cluster, node, name)) === 0);
  }
}

describe.each([["the leader"], ["a follower"]])("%s", (which) => {
  const at = () => (which === "the leader" ? leader : follower);

  test.each([
    ["requests", 500, 0],
    ["bytes", 60, 200_000],
  ])("too many %s at once", async (_what, count, bytes) => {
    const ledger = new Ledger(cluster);
    await ledger.open();
    const answers = await Promise.all(Array.from({ length: count }, () => ledger.write(at(), bytes)));
    const refused = answers.filter(({ status }) => status >= 300);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused).toEqual(refused.map(() => ({ status: 503, code: "overloaded", retryAfter: "1" })));
    expect(ledger.acknowledged.length).toBeGreaterThan(0);
    expect(await ledger.compare()).toEqual({ missing: [], unwanted: [] });
    await nothingOpen();
    for (let n = 0; n < 20; n++) expect((await ledger.write(at())).status).toBeLessThan(300);
  });

  test("too many waiting requests: those beyond are refused and park nothing, the others are served", async () => {
    const chan = `waits-${at()}`;
    const recv = () =>
      cluster.call<Problem>(`/channel/${chan}/recv?wait=30`, { method: "POST", node: at(), once: true });
    const taken = Array.from({ length: 10 * waitsMax }, recv);
    const refusals: number[] = [];
    const received: number[] = [];
    const all = taken.map(async (one) => {
      const { status, body, headers } = await one;
      if (status === 200) return void received.push(body.Data ?? -1);
      expect({ status, code: body.code, retryAfter: headers.get("retry-after") }).toEqual({
        ...{ status: 503, code: "overloaded", retryAfter: "1" },
      });
      refusals.push(status);
    });
    await waitFor("refusals", () => refusals.length === taken.length - waitsMax);
    await waitFor("the others to be parked", async () => (await receivers(chan)) === waitsMax);
    const poll = await cluster.call<Problem>("/state/poll?wait=30", { node: at(), once: true });
    expect([poll.status, poll.body.code]).toEqual([503, "overloaded"]);
    for (let n = 0; n < waitsMax; n++) expect((await send(chan, n)).status).toBe(200);
    expect((await send(chan, waitsMax)).status).toBe(409);
    await Promise.all(all);
    expect(received.sort((a, b) => a - b)).toEqual(Array.from({ length: waitsMax }, (_, n) => n));
    await nothingOpen();
  });

  const send = (chan: string, Data: number) =>
    cluster.call(`/channel/${chan}/send`, { method: "POST", body: { Data }, node: leader, once: true });

  async function receivers(chan: string): Promise<number> {
    const { status, body } = await cluster.call<{ Receivers: number }>(`/channel/${chan}`, { node: leader });
    return status === 200 ? body.Receivers : 0;
  }
});

test("clients that leave make room, however full the node is", async () => {
  const leaving = Array.from({ length: waitsMax }, () => new AbortController());
  const polls = leaving.map(({ signal }) =>
    fetch(`${cluster.member(follower).api}/state/poll?wait=60&prefix=nothing`, { signal }).catch(() => undefined),
  );
  await waitFor("the polls", async () => (await gauge(cluster, follower, "slct_waits_open")) === waitsMax);
  for (const one of leaving) one.abort();
  await Promise.all(polls);
  await nothingOpen();
  expect((await cluster.call("/state/poll?prefix=nothing", { node: follower, once: true })).status).toBe(200);
  await agreedHash(cluster);
});
