/**
 * Three real processes under mixed load while nodes and links are broken: nothing acknowledged is lost, nothing happens
 * twice, no timer is early, no lease has two holders, and the replicas end up equal. Needs no privileges. Longer runs, with
 * everything that can be broken: `npm run chaos`, docs/chaos.md.
 */
import { expect, test } from "vitest";
import { runChaos } from "../../chaos/run.js";

/** Each once, of every group that needs no privileges; more than a minute. */
const faults = [
  ...["kill-leader", "kill-follower", "stop-leader", "isolate-leader", "triangle", "corrupt", "failpoint-exit"],
  ...["flip-store", "wipe", "replace-leader", "fsync-error", "restart", "kill-all"],
];

test("what is broken loses nothing and repeats nothing", async () => {
  const report = await runChaos({
    ...{ faults, seed: 129, nodes: 3, minutes: 1, inOrder: true, networks: ["proxies"], mayMount: false },
    print: (line) => console.log(line),
  });
  const [leg] = report.legs;
  expect(leg?.details).toEqual([]);
  expect(leg?.episodes.map(({ fault }) => fault)).toEqual(faults.filter((name) => leg?.missing[name] === undefined));
  // What a workload counts first is what it did; the rest may not have come up.
  for (const [name, counts] of Object.entries(leg?.workloads ?? {}))
    expect(Object.values(counts)[0], name).toBeGreaterThan(0);
}, 900_000);
