/**
 * What all nodes of a run share.
 */
import type { Buggify } from "./buggify.js";
import type { SimConfig } from "./config.js";
import type { Loop } from "./loop.js";
import type { Network } from "./network.js";
import type { SimNode } from "./node.js";
import type { RaftChecks } from "./raft-checks.js";
import type { Reference } from "./reference.js";
import type { Trace } from "./trace.js";
import type { Verdict } from "./verdict.js";

export interface Surroundings {
  readonly config: SimConfig;
  readonly loop: Loop;
  readonly trace: Trace;
  readonly verdict: Verdict;
  readonly buggify: Buggify;
  readonly network: () => Network;
  readonly checks: () => RaftChecks;
  readonly reference: Reference;
  /** A node starts from a snapshot. */
  readonly onInstalled: (node: SimNode) => void;
}
