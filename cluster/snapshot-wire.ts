/**
 * What a leader and a member that is behind say to each other about a snapshot. Its bytes are pulled by the one that needs
 * them, on a connection of their own: the network sets the pace, and a transfer that broke goes on where it was.
 */
import type { Index, NodeId, Term } from "../raft/types.js";

export const snapshotSteps = ["offer", "wanted", "done", "failed"] as const;

/**
 * `offer`: the leader of `term` has a snapshot of `index` and `lastTerm` ready; said again until it is pulled.
 * `wanted`: this member has lost its records; anything from `index` on will do. `done`, `failed`: the transfer ended.
 */
export interface SnapshotNotice {
  readonly step: (typeof snapshotSteps)[number];
  /** Of the transfer; empty if there is none yet. */
  readonly id: string;
  readonly term: Term;
  readonly index: Index;
  readonly lastTerm: Term;
}

export const snapshotPath = "/snapshot";

/** Asks for the records behind the key `after`. */
export function pathOf(id: string, after: string): string {
  return `${snapshotPath}?id=${encodeURIComponent(id)}&after=${Buffer.from(after).toString("base64url")}`;
}

/** Undefined for anything that {@link pathOf} does not write. */
export function parsePath(path: string): { readonly id: string; readonly after: string } | undefined {
  const match = /^\/snapshot\?id=([A-Za-z0-9-]{1,64})&after=([A-Za-z0-9_-]{0,8192})$/.exec(path);
  const [, id, after] = match ?? [];
  if (id === undefined || after === undefined) return undefined;
  return { id, after: Buffer.from(after, "base64url").toString() };
}

/** How the parts of this node hand notices over. */
export type SendNotice = (to: NodeId, notice: SnapshotNotice) => void;
