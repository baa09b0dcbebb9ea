/**
 * How a peer link begins: an HTTP/1.1 request that asks for an upgrade and says who dials whom. Everything in it is
 * checked before a byte of a frame is read.
 *
 * Source: reliability 43 and S2, S4, S7. Links are not encrypted: the peer port belongs on a private network.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { NodeId } from "../raft/types.js";

export const peerPath = "/peer";
/** Name and version of what is spoken after the upgrade. */
export const peerProtocol = "slct-peer/1";

/**
 * `control`: heartbeats, votes, answers, everything small. `bulk`: entries and forwarded proposals. A link is one lane of
 * one direction: frames go from the dialer to the acceptor.
 */
export const lanes = ["control", "bulk"] as const;
export type Lane = (typeof lanes)[number];

export interface Hello {
  readonly clusterId: string;
  readonly from: NodeId;
  readonly to: NodeId;
  /** Start of the dialing node. */
  readonly epoch: number;
  readonly lane: Lane;
}

/** Who listens. */
export interface Doorkeeper {
  readonly clusterId: string;
  readonly self: NodeId;
  readonly isMember: (id: NodeId) => boolean;
  /** Latest start of a member that was heard of; 0 if none. */
  readonly epochOf: (id: NodeId) => number;
}

export type Admission =
  | { readonly ok: true; readonly from: NodeId; readonly epoch: number; readonly lane: Lane }
  | { readonly ok: false; readonly status: 400 | 403 | 404 | 405 | 409 | 412 | 421 | 426; readonly reason: string };

export function helloHeaders(hello: Hello): Record<string, string> {
  return {
    connection: "Upgrade",
    upgrade: peerProtocol,
    "slct-cluster": encodeURIComponent(hello.clusterId),
    "slct-node": encodeURIComponent(hello.from),
    "slct-to": encodeURIComponent(hello.to),
    "slct-epoch": String(hello.epoch),
    "slct-lane": hello.lane,
  };
}

/** The answer that opens a link. */
export function welcome(self: NodeId): string {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", `Upgrade: ${peerProtocol}`];
  return `${lines.join("\r\n")}\r\nslct-node: ${encodeURIComponent(self)}\r\n\r\n`;
}

/** True if the answer comes from the node that was dialed and speaks our protocol. */
export function isWelcome(headers: IncomingHttpHeaders, to: NodeId): boolean {
  return headers.upgrade === peerProtocol && headers["slct-node"] === encodeURIComponent(to);
}

/** Checks a request on the peer port. Nothing but its head has been read. */
export function admit(
  request: {
    readonly method?: string | undefined;
    readonly url?: string | undefined;
    readonly headers: IncomingHttpHeaders;
  },
  door: Doorkeeper,
): Admission {
  const { headers } = request;
  const refuse = (status: Extract<Admission, { ok: false }>["status"], reason: string) =>
    ({ ok: false, status, reason }) as const;
  if (request.url !== peerPath) return refuse(404, "there is nothing here");
  if (request.method !== "GET") return refuse(405, "GET opens a peer link");
  if (headers.upgrade !== peerProtocol) return refuse(426, `this port speaks ${peerProtocol}`);
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined)
    return refuse(400, "a peer link opens without a body");
  if (headers["slct-cluster"] !== encodeURIComponent(door.clusterId)) return refuse(412, "another cluster");
  if (headers["slct-to"] !== encodeURIComponent(door.self)) return refuse(421, "another node was meant");
  const from = decodeId(headers["slct-node"]);
  if (from === undefined) return refuse(400, "slct-node is missing or damaged");
  if (from === door.self || !door.isMember(from)) return refuse(403, "not another member of this cluster");
  const epoch = decodeEpoch(headers["slct-epoch"]);
  if (epoch === undefined) return refuse(400, "slct-epoch is not a positive integer");
  const lane = lanes.find((one) => one === headers["slct-lane"]);
  if (lane === undefined) return refuse(400, "slct-lane is unknown");
  // An earlier run of the node, or a node whose data directory was emptied: it must not speak for the later one.
  if (epoch < door.epochOf(from)) return refuse(409, "a later start of this node is known");
  return { ok: true, from, epoch, lane };
}

function decodeId(value: string | string[] | undefined): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function decodeEpoch(value: string | string[] | undefined): number | undefined {
  if (typeof value !== "string" || !/^[1-9][0-9]{0,15}$/.test(value)) return undefined;
  const epoch = Number(value);
  return Number.isSafeInteger(epoch) ? epoch : undefined;
}
