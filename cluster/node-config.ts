/**
 * What a node needs to know; parsed once by src/config.ts, all values checked there.
 */
import type { NodeId } from "../raft/types.js";
import type { Settings } from "../src/select/types.js";
import type { Member } from "./types.js";

export interface NodeConfig {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly dataDir: string;
  /** This node, and at the first start of a cluster the others it begins with; later those are not looked at. */
  readonly members: readonly Member[];
  /** At the first start: the cluster is there already, and lets this node in. */
  readonly join: boolean;
  /** `host:port` where this node listens for the others, if that is not where they dial it. */
  readonly peerListen?: string;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** How long a request may take from ingress to answer, waits not counted. Then 504. */
  readonly requestTimeoutMs: number;
  /** After the leader was lost for this long, requests are refused at once with `no_leader`. */
  readonly leaderGraceMs: number;
  /** Proposals of this node that are not yet answered: count and bytes. Beyond it 503 `overloaded`. */
  readonly proposalsMax: number;
  readonly proposalBytesMax: number;
  /** Requests of this node that wait (polls, plain requests, watches). Beyond it 503 `overloaded`. */
  readonly waitsMax: number;
  readonly settings: Settings;
  readonly callback: CallbackConfig;
  readonly logSegmentBytes: number;
  /** Kept of the log below what is flushed: a member that was away for no longer needs no snapshot. */
  readonly logTailBytes: number;
  /** The overlay is flushed to LevelDB beyond this many dirty bytes (estimate). */
  readonly overlayBytesMax: number;
  /** Below so many free bytes in the data directory nothing is taken that needs room; 0: not watched. */
  readonly diskFreeMin: number;
  /** Events kept in memory for the feed. */
  readonly eventsMax: number;
}

export interface CallbackConfig {
  /** Calls of this node in flight at once; 0 turns the dispatcher off. */
  readonly slots: number;
  /** Deadline of one call; shorter than the lease. */
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
  /** Hosts, IPs or CIDR networks that may be called although they are private (`127.0.0.0/8`, `::1`, `hooks.internal`). */
  readonly allow: readonly string[];
  /** Signing keys `whsec_<base64>`; the first signs, all are offered during a rotation. */
  readonly secrets: readonly string[];
  readonly backoffMs: {
    readonly first: number;
    readonly max: number;
    readonly factor: number;
    readonly jitter: number;
  };
}
