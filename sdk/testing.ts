/**
 * `slct/testing`: the service in the process of a test, with time that the test moves. For Node.
 */
export { explore } from "./testing/explore.js";
export type { Explored, ExploreOptions } from "./testing/explore.js";
export { matchers } from "./testing/matchers.js";
export type { Blocked, ProcessMatchers } from "./testing/matchers.js";
export { createTestCluster, TestCluster } from "./testing/test-cluster.js";
export type { Fault, SentRequest, TestClusterOptions, TestWorker } from "./testing/test-cluster.js";
