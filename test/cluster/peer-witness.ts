/**
 * Nodes that speak through real peer links and remember what they heard; each stands behind a relay.
 */
import { Instances } from "../../cluster/instances.js";
import type { PeerEvent } from "../../cluster/peer-events.js";
import { openPeers, type OpenPeers, type PeersOptions } from "../../cluster/peers.js";
import type { Frame, Member } from "../../cluster/types.js";
import { onCleanUp } from "./cleanup.js";
import { Relay } from "./relay.js";

/** Fast enough for a test, slow enough for a busy machine. */
export const timing = { pingMs: 100, handshakeMs: 2000, backoffMs: { first: 5, max: 20 } };

/** That of the directory which a node has unless the test says otherwise. */
export const instanceOf = (id: string) => `instance-${id}`;

export interface Witness {
  readonly peers: OpenPeers;
  readonly frames: { readonly from: string; readonly frame: Frame }[];
  readonly events: PeerEvent[];
  readonly links: string[];
  /** Where nobody listens. */
  readonly stopped: string[];
  /** Who refused this one for good, and why. */
  readonly bans: string[];
  /** Who asked for which stream. */
  readonly pulls: string[];
  /** What it has to give, by path. */
  readonly streams: Map<string, () => AsyncIterable<Uint8Array>>;
  /** Resolves when `holds`, looking again after each frame and each event. */
  until(holds: () => boolean): Promise<void>;
}

export async function open(id: string, members: readonly Member[], more: Partial<PeersOptions> = {}): Promise<Witness> {
  const frames: Witness["frames"] = [];
  const events: PeerEvent[] = [];
  const links: string[] = [];
  const stopped: string[] = [];
  const bans: string[] = [];
  const pulls: string[] = [];
  const streams: Witness["streams"] = new Map();
  const waiting = new Set<() => void>();
  const look = () => [...waiting].forEach((check) => check());
  const peers = await openPeers({
    self: { id, peer: "127.0.0.1:0", api: "" },
    clusterId: "c",
    instance: instanceOf(id),
    epoch: 1,
    instances: new Instances(),
    handler: {
      onFrame: (from, frame) => {
        frames.push({ from, frame });
        look();
      },
      onLink: (to) => links.push(to),
      onStopped: (node) => {
        stopped.push(node);
        look();
      },
      onBanned: (by, ban) => {
        bans.push(`${by} ${ban}`);
        look();
      },
      onPull: (by, path) => {
        pulls.push(`${by} ${path}`);
        look();
        return streams.get(path)?.();
      },
    },
    onEvent: (event) => {
      events.push(event);
      look();
    },
    timing,
    ...more,
  });
  onCleanUp(() => peers.close());
  peers.setMembers(members, []);
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!holds()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return { peers, frames, events, links, stopped, bans, pulls, streams, until };
}

export async function cluster(ids: readonly string[], more: Partial<PeersOptions> = {}) {
  const relays = await Promise.all(ids.map(() => Relay.open()));
  onCleanUp(() => Promise.all(relays.map((relay) => relay.close())));
  const members = ids.map((id, n) => ({ id, peer: relays[n]?.address ?? "", api: "" }));
  const nodes: Witness[] = [];
  for (const [n, id] of ids.entries()) {
    const node = await open(id, members, more);
    relays[n]?.aim(node.peers.port);
    nodes.push(node);
  }
  await Promise.all(nodes.map((node) => node.until(() => isUp(node, 2 * (ids.length - 1)))));
  return { nodes, relays, members };
}

export const isUp = ({ peers }: Witness, links: number) => peers.stats().links.filter(({ up }) => up).length === links;
export const all = <T>(list: readonly (T | undefined)[]): T[] => list.map((one) => one as T);

export const heartbeat = (from: string, to: string, context = 0): Frame => ({
  kind: "raft",
  message: { type: "Heartbeat", from, to, term: 1, leaderCommit: 0, context },
});
export const forward = (origin: string, seq: number, data: Uint8Array = Buffer.from("x")): Frame => ({
  kind: "forward",
  origin,
  epoch: 1,
  term: 1,
  proposals: [{ seq, data }],
});
export const entries = (from: string, to: string, data: Uint8Array): Frame => ({
  kind: "raft",
  message: {
    ...{ type: "AppendEntries", from, to, term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0 },
    entries: [{ index: 1, term: 1, data }],
  },
});
export const seqs = (node: Witness) =>
  node.frames.flatMap(({ frame }) => (frame.kind === "forward" ? frame.proposals.map(({ seq }) => seq) : []));
export const contexts = (node: Witness) =>
  node.frames.flatMap(({ frame }) =>
    frame.kind === "raft" && frame.message.type === "Heartbeat" ? [frame.message.context] : [],
  );
export const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
