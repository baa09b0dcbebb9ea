/**
 * Three real processes under mixed load while nodes are killed, stopped and restarted: nothing acknowledged is lost,
 * nothing happens twice, no timer is early, no lease has two holders, and the replicas end up equal.
 */
import { afterAll, expect, test } from "vitest";
import { callbacks } from "./chaos/callbacks.js";
import { creates } from "./chaos/creates.js";
import { leases } from "./chaos/leases.js";
import { nemesis } from "./chaos/nemesis.js";
import { rendezvous } from "./chaos/rendezvous.js";
import { timers } from "./chaos/timers.js";
import { TestCluster } from "./harness.js";
import { agreedHash } from "./replicas.js";

/** Short leases and pauses, so that what a dead node held comes back within the run. */
const flags = [
  ...["--callback-lease-ms", "3000", "--callback-timeout-ms", "1500"],
  ...["--callback-backoff-ms", "100", "--callback-backoff-max-ms", "500", "--attempts-max", "100000"],
];
const seconds = Number(process.env.SLCT_CHAOS_SECONDS ?? 60);
const resumeMsMax = 1500;

let cluster: TestCluster | undefined;
afterAll(() => cluster?.close());

test(
  "kill -9, SIGSTOP and restarts under mixed load lose and repeat nothing",
  async () => {
    cluster = await TestCluster.open(3, flags);
    const nodes = cluster.ids.map((id) => (cluster as TestCluster).member(id).api);
    const workloads = [
      creates(nodes, 4),
      rendezvous(nodes, 4),
      leases(nodes, 4, 8),
      timers(nodes, 2, 2),
      await callbacks(nodes),
    ];
    const faults = await nemesis(cluster, flags, seconds);
    await Promise.all(
      workloads.map(async (workload) => {
        await workload.stop();
        console.log(`${workload.name}: every outcome is known`);
      }),
    );

    const found = Object.fromEntries(
      await Promise.all(workloads.map(async (one) => [one.name, await one.violations()] as const)),
    );
    console.log(
      JSON.stringify({ faults, counts: Object.fromEntries(workloads.map((one) => [one.name, one.counts()])) }),
    );
    expect(found).toEqual(Object.fromEntries(workloads.map(({ name }) => [name, []])));
    for (const workload of workloads)
      for (const count of Object.values(workload.counts())) expect(count).toBeGreaterThan(0);
    const resumed = faults.flatMap(({ resumedMs }) => (resumedMs === undefined ? [] : [Math.round(resumedMs)]));
    expect(resumed.length).toBeGreaterThanOrEqual(3);
    for (const ms of resumed) expect(ms).toBeLessThanOrEqual(resumeMsMax);
    await agreedHash(cluster);
  },
  seconds * 1000 + 180_000,
);
