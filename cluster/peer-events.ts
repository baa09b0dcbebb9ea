/**
 * What happens on the links, as events for tests and as lines for operators.
 */
import { performance } from "node:perf_hooks";
import type { NodeId } from "../raft/types.js";
import type { Lane } from "./peer-handshake.js";

export type PeerEvent =
  /** Our link to `node`. */
  | { readonly kind: "up"; readonly node: NodeId; readonly lane: Lane }
  | { readonly kind: "down"; readonly node: NodeId; readonly lane: Lane; readonly reason: string }
  /** An attempt to open one failed, or was answered with something else than 101. */
  | { readonly kind: "failed"; readonly node: NodeId; readonly lane: Lane; readonly reason: string }
  /** The link of `node` to us. */
  | { readonly kind: "accepted"; readonly node: NodeId; readonly lane: Lane }
  /** We did not accept a request on the peer port. */
  | { readonly kind: "rejected"; readonly status: number; readonly reason: string }
  | { readonly kind: "badFrame"; readonly node: NodeId; readonly lane: Lane; readonly reason: string }
  /** Not counted here: what is sent while the link is down. */
  | { readonly kind: "dropped"; readonly node: NodeId; readonly lane: Lane; readonly reason: "overflow" | "too large" };

export interface PeerLogger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

const repeatMs = 10_000;
const saidMax = 1000;
const texts: Record<PeerEvent["kind"], string> = {
  up: "peer link is up",
  down: "peer link is down",
  failed: "peer link cannot be opened",
  accepted: "peer link accepted",
  rejected: "request on the peer port rejected",
  badFrame: "damaged frame, peer link closed",
  dropped: "frame dropped",
};

/** Lines for what an operator should see; what repeats is said once in a while. */
export function createEventLog(logger: PeerLogger): (event: PeerEvent) => void {
  const said = new Map<string, number>();
  const isNews = (key: string) => {
    const nowMs = performance.now();
    if (nowMs - (said.get(key) ?? -Infinity) < repeatMs) return false;
    if (said.size >= saidMax) said.clear();
    said.set(key, nowMs);
    return true;
  };
  return (event) => {
    const { kind, ...details } = event;
    if (kind === "up" || kind === "accepted") logger.info(details, texts[kind]);
    else if (isNews(JSON.stringify(event))) logger.warn(details, texts[kind]);
  };
}
