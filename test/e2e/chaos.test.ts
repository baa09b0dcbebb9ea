/**
 * Three real processes under mixed load while nodes, links and files are broken: nothing acknowledged is lost, nothing
 * happens twice, no timer is early, no lease has two holders, and the replicas end up equal. Longer runs, with everything
 * that can be broken: `npm run chaos`, docs/chaos.md.
 */
import { expect, test } from "vitest";
import { runChaos } from "../../chaos/run.js";

/** Each once; about a minute. */
const faults = [
  ...["kill-leader", "stop-leader", "isolate-leader", "kill-majority", "corrupt", "failpoint-exit", "triangle"],
  ...["replay", "flip-store", "kill-follower", "kill-all"],
];

test("what is broken loses nothing and repeats nothing", async () => {
  const report = await runChaos({
    ...{ faults, seed: 7, nodes: 3, minutes: 1, inOrder: true, networks: ["proxies"], mayMount: false },
    print: (line) => console.log(line),
  });
  const [leg] = report.legs;
  expect(leg?.details).toEqual([]);
  expect(leg?.episodes.map(({ fault }) => fault)).toEqual(faults.filter((name) => leg?.missing[name] === undefined));
  for (const counts of Object.values(leg?.workloads ?? {}))
    for (const [name, count] of Object.entries(counts)) if (name !== "unknown") expect(count, name).toBeGreaterThan(0);
}, 900_000);
