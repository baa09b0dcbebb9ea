/**
 * One connection of the simulated network: one lane from one node to another.
 */
import type { Instances } from "../cluster/instances.js";
import type { Frame, PeersHandler } from "../cluster/types.js";
import type { NodeId } from "../raft/types.js";

/** A node, as far as the network has to do with it. */
export interface Host {
  readonly id: NodeId;
  /** Its place among all nodes. */
  readonly number: number;
  /** Number of its process; undefined while there is none. */
  readonly life: number | undefined;
  readonly handler: PeersHandler | undefined;
  /** Which directory it has, and those that it has met. */
  readonly instance: string;
  readonly instances: Instances;
  /** Runs in the node as soon as it can, if that process still lives. */
  enter(life: number, run: () => void): void;
}

export type Lane = "control" | "bulk";

export interface Link {
  readonly number: number;
  readonly from: Host;
  readonly to: Host;
  readonly lane: Lane;
  up: boolean;
  /** Grows when it breaks: what belongs to an earlier one is lost. */
  generation: number;
  /** Process of the receiver that accepted it. */
  toLife: number | undefined;
  dialing: boolean;
  dials: number;
  sent: number;
  underWay: number;
  /** Arrival of the last frame: the next one may not overtake it. */
  lastAtMs: number;
  cloggedUntilMs: number;
  /** Frames that wait for a cut to heal. */
  held: { readonly frame: Frame; readonly generation: number }[];
}

export function newLink(number: number, from: Host, to: Host, lane: Lane): Link {
  return {
    ...{ number, from, to, lane, up: false, generation: 0, toLife: undefined, dialing: false, dials: 0 },
    ...{ sent: 0, underWay: 0, lastAtMs: 0, cloggedUntilMs: 0, held: [] },
  };
}

/** As in cluster/peers.ts. */
export function laneOf(frame: Frame): Lane {
  if (frame.kind === "forward") return "bulk";
  return frame.kind === "raft" && frame.message.type === "AppendEntries" && frame.message.entries.length > 0
    ? "bulk"
    : "control";
}

/** Bytes that somebody may still write to are not shared between nodes. */
export function copyOf(frame: Frame): Frame {
  if (frame.kind === "forward") {
    return { ...frame, proposals: frame.proposals.map(({ seq, data }) => ({ seq, data: new Uint8Array(data) })) };
  }
  if (frame.kind !== "raft" || frame.message.type !== "AppendEntries" || frame.message.entries.length === 0)
    return frame;
  const entries = frame.message.entries.map((entry) => ({ ...entry, data: new Uint8Array(entry.data) }));
  return { kind: "raft", message: { ...frame.message, entries } };
}
