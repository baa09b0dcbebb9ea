/**
 * `slct/testing`: the service in the process of a test, with time that the test moves. For Node.
 */
export { createTestCluster, TestCluster } from "./testing/test-cluster.js";
export type { Fault, SentRequest, TestClusterOptions, TestWorker } from "./testing/test-cluster.js";
