/**
 * One member in this process: real storage below `root`, links of a {@link Network}, clocks that run fast.
 */
import { join } from "node:path";
import { pino } from "pino";
import { Registry } from "prom-client";
import type { NodeConfig } from "../../cluster/node-config.js";
import type { Member } from "../../cluster/node.js";
import type { NodeHooks } from "../../cluster/parts.js";
import { openNode } from "../../cluster/start.js";
import { settings } from "./engine.js";
import type { Network } from "./network.js";

export interface LocalMember {
  readonly root: string;
  readonly network: Network;
  /** With whom the cluster begins. */
  readonly ids: readonly string[];
  readonly onFatal: (error: unknown) => void;
  /** It is let in later. */
  readonly join?: boolean;
  readonly onRemoved?: () => void;
  /** What is to be otherwise than below. */
  readonly config?: Partial<NodeConfig>;
  readonly hooks?: Partial<NodeHooks>;
}

export const addressOf = (id: string) => ({ id, peer: `${id}:1`, api: `http://${id}` });

export function openMember(id: string, options: LocalMember): Promise<Member> {
  const { root, network, ids, onFatal, join: joins = false, onRemoved } = options;
  const config: NodeConfig = {
    ...{ id, clusterId: "c", dataDir: join(root, id), settings },
    members: joins ? [addressOf(id)] : ids.map(addressOf),
    ...{ join: joins, tickMs: 10, electionTicks: 20, heartbeatTicks: 2, requestTimeoutMs: 5000, leaderGraceMs: 2500 },
    ...{ proposalsMax: 1000, proposalBytesMax: 1 << 24, waitsMax: 1000, eventsMax: 1000 },
    ...{ logSegmentBytes: 1 << 20, logTailBytes: 1 << 20, overlayBytesMax: 1 << 20, diskFreeMin: 0 },
    callback: {
      ...{ slots: 0, timeoutMs: 1000, responseBytesMax: 1000, allow: [], secrets: [] },
      backoffMs: { first: 10, max: 100, factor: 2, jitter: 0 },
    },
    ...options.config,
  };
  const hooks = {
    ...{ version: "0", logger: pino({ level: "silent" }), registry: new Registry(), onFatal },
    render: () => Buffer.alloc(0),
    parseReturned: () => {
      throw new Error("there are no callbacks");
    },
    ...(onRemoved && { onRemoved }),
    ...options.hooks,
  };
  return openNode(config, hooks, network.open);
}
