/**
 * The leader's process is stopped for longer than two election timeouts while others go on, and does not know it when it
 * wakes up: nothing it answers is stale, and no state has two holders. Reliability 52, row K9.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestCluster, waitFor, type Answer } from "./harness.js";
import { agreedHash } from "./replicas.js";
import { gauge, logged } from "./vitals.js";

const timeoutMs = 400;
const rounds = 3;
const writesWhileStopped = 25;
const leaseMs = 2000;

interface HandOut {
  readonly ID: string;
  readonly Lock: string;
  readonly LockUntil: number;
  readonly Attempt: number;
}

interface Held extends HandOut {
  readonly receivedMs: number;
  readonly round: number;
}

let cluster: TestCluster;
beforeAll(async () => {
  // Without callbacks only polls are parked.
  cluster = await TestCluster.open(3, ["--election-timeout-ms", String(timeoutMs), "--callback-slots", "0"]);
});
afterAll(() => cluster.close());

/** One try, and what came of it: undefined when there was no answer. */
function once<T>(node: string, path: string, method = "GET", body?: object): Promise<Answer<T> | undefined> {
  return cluster.call<T>(path, { node, once: true, method, ...(body && { body }) }).catch(() => undefined);
}

/** Creates `n` after `n` through nodes that run; what is acknowledged is in order. */
async function write(nodes: readonly string[], name: string): Promise<boolean> {
  for (const node of nodes) {
    const signal = { Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: "never" }] }] };
    const answer = await once(node, `/state/${name}`, "PUT", signal);
    if (answer?.status === 201) return true;
  }
  return false;
}

test("K9 what a leader answers after it was stopped is not stale, and leases have one holder", async () => {
  const reads: Promise<{ name: string; status: number | undefined }>[] = [];
  const held: Held[] = [];
  for (let round = 0; round < rounds; round++) {
    const leader = await cluster.leader();
    const others = cluster.ids.filter((id) => id !== leader);
    await cluster.call(`/state/job-${round}`, {
      method: "PUT",
      body: { Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: `go-${round}` }] }] },
    });
    const poll = async (node: string, wait: number) => {
      const answer = await once<HandOut[]>(
        node,
        `/state/poll?prefix=job-${round}&wait=${wait}&lease=${leaseMs / 1000}`,
      );
      const receivedMs = Date.now();
      for (const one of answer?.body ?? []) held.push({ ...one, receivedMs, round });
    };
    const parked = poll(leader, 30);
    await waitFor("the poll to be parked", async () => (await gauge(cluster, others[0] ?? "", "slct_demands")) > 0);

    await cluster.kill(leader, "SIGSTOP");
    const stoppedMs = performance.now();
    let written = 0;
    while (written < writesWhileStopped || performance.now() - stoppedMs < 2 * timeoutMs) {
      const name = `r${round}-${written}`;
      if (!(await write(others, name))) continue;
      written++;
      reads.push(once(leader, `/state/${name}`).then((answer) => ({ name, status: answer?.status })));
      // The grant goes to the one that sleeps; when its lease is over, to one that is awake.
      if (written === 1) await once(others[0] ?? "", `/channel/go-${round}/send`, "POST", { Data: 1 });
    }
    await waitFor("the next holder", async () => {
      await poll(others[0] ?? "", 1);
      return held.some((one) => one.round === round);
    });
    await cluster.kill(leader, "SIGCONT");
    reads.push(
      ...Array.from({ length: 50 }, () => {
        const name = `r${round}-${written - 1}`;
        return once(leader, `/state/${name}`).then((answer) => ({ name, status: answer?.status }));
      }),
    );
    await parked;
    await Promise.all(reads);
    expect(await gauge(cluster, leader, "slct_stall_seconds_count")).toBeGreaterThan(0);
    const stalls = logged(cluster, leader, 40) as { event?: string; gapMs?: number }[];
    expect(stalls.some(({ event, gapMs = 0 }) => event === "stall" && gapMs >= 2 * timeoutMs)).toBe(true);
  }

  const answers = await Promise.all(reads);
  const counts = new Map<number | undefined, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  console.log(`reads of a leader that was stopped: ${JSON.stringify([...counts])}; hand-outs: ${held.length}`);
  expect(answers.filter(({ status }) => status === 404)).toEqual([]);
  expect(counts.get(200)).toBeGreaterThan(0);
  for (let round = 0; round < rounds; round++) {
    const holders = held.filter((one) => one.round === round).sort((a, b) => a.receivedMs - b.receivedMs);
    expect(holders.length).toBeGreaterThan(0);
    // What was granted first and is answered after the next grant would be the second holder of one lease.
    for (const [n, holder] of holders.entries()) {
      const before = holders[n - 1];
      if (before !== undefined) expect(holder.LockUntil - leaseMs).toBeGreaterThanOrEqual(before.LockUntil);
    }
  }
  await agreedHash(cluster);
});
