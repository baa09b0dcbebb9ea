/**
 * The behaviour suites of the protocol on three real nodes, each request at the next one: a follower answers as the
 * leader does, and what one node said the next one knows.
 */
import { afterAll, beforeAll } from "vitest";
import { aimAt } from "../api/behaviour/client.js";
import { TestCluster } from "./harness.js";
import "../api/behaviour/suites.js";

/** So that the suites reach the end of attempts, and of a request that cannot be answered, in seconds. */
const attemptsMax = 3;
const flags = ["--attempts-max", String(attemptsMax), "--request-timeout-ms", "2000"];

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.open(3, flags);
  const urls = cluster.ids.map((id) => cluster.member(id).api);
  let requests = 0;
  aimAt(() => ({ url: urls[requests++ % urls.length] ?? "", attemptsMax }));
});
afterAll(() => cluster.close());
