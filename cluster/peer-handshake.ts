/**
 * How a peer link begins: an HTTP/1.1 request that asks for an upgrade and says who dials whom. Everything in it is
 * checked before a byte of a frame is read.
 *
 * Source: reliability 42, 43 and S2, S4, S7. Links are not encrypted: the peer port belongs on a private network.
 */
import type { IncomingHttpHeaders } from "node:http";
import { crc32 } from "node:zlib";
import type { NodeId } from "../raft/types.js";
import { instancePattern } from "./instances.js";

export const peerPath = "/peer";
/** Name and version of what is spoken after the upgrade. */
export const peerProtocol = "slct-peer/3";
const sumHeader = "slct-sum";

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
  /** Of the dialing node's directory. */
  readonly instance: string;
  /** Start of the dialing node. */
  readonly epoch: number;
  readonly lane: Lane;
  /** `host:port` where the dialing node listens: one that does not know it yet can answer. */
  readonly peer: string;
}

/**
 * Why a node of this cluster is not let in, ever: its id was `removed`, or it belongs to another `instance`, that is to a
 * data directory which this one is not.
 */
export const bans = ["removed", "instance"] as const;
export type Ban = (typeof bans)[number];

/** Who listens. */
export interface Doorkeeper {
  readonly clusterId: string;
  readonly self: NodeId;
  readonly isMember: (id: NodeId) => boolean;
  /** Somebody unknown may come in: this node may be the one that is behind. */
  readonly hasRoom: () => boolean;
  readonly isRemoved: (id: NodeId) => boolean;
  /** The one that this member is known as; undefined if it is not known yet. */
  readonly instanceOf: (id: NodeId) => string | undefined;
  /** Latest start of a member that was heard of; 0 if none. */
  readonly epochOf: (id: NodeId) => number;
}

interface Refusal {
  readonly ok: false;
  readonly status: 400 | 403 | 404 | 405 | 409 | 410 | 412 | 421 | 426;
  readonly reason: string;
  readonly ban?: Ban;
}

export type Admission = { readonly ok: true; readonly hello: Omit<Hello, "clusterId" | "to"> } | Refusal;
export type CallerAdmission = { readonly ok: true; readonly hello: Omit<Hello, "clusterId" | "to" | "lane"> } | Refusal;

interface PeerRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/**
 * CRC-32 in hex over the names and values of our own headers. Frames have theirs (frames.ts); a greeting needs one because
 * it is believed for long: a bit that flips in an instance would ban the right node, or make a wrong one known for good.
 */
export function greetingSum(headers: Readonly<Record<string, string | string[] | undefined>>): string {
  const own = Object.entries(headers).filter(
    ([name, value]) => name.startsWith("slct-") && name !== sumHeader && value !== undefined,
  );
  const lines = own.map(([name, value]) => `${name}:${String(value)}`).sort();
  return crc32(lines.join("\n")).toString(16).padStart(8, "0");
}

function isWhole(headers: IncomingHttpHeaders): boolean {
  return headers[sumHeader] === greetingSum(headers);
}

function sealed(headers: Record<string, string>): Record<string, string> {
  return { ...headers, [sumHeader]: greetingSum(headers) };
}

/** Who asks, for a request that opens no link. */
export function callerHeaders(hello: Omit<Hello, "lane">): Record<string, string> {
  return sealed(ownHeaders(hello));
}

export function helloHeaders(hello: Hello): Record<string, string> {
  const own = sealed({ ...ownHeaders(hello), "slct-lane": hello.lane });
  return { connection: "Upgrade", upgrade: peerProtocol, ...own };
}

function ownHeaders(hello: Omit<Hello, "lane">): Record<string, string> {
  return {
    "slct-cluster": encodeURIComponent(hello.clusterId),
    "slct-node": encodeURIComponent(hello.from),
    "slct-to": encodeURIComponent(hello.to),
    "slct-instance": hello.instance,
    "slct-epoch": String(hello.epoch),
    "slct-peer": encodeURIComponent(hello.peer),
  };
}

/** The answer that opens a link. */
export function welcome(self: NodeId, instance: string): string {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", `Upgrade: ${peerProtocol}`];
  const own = sealed({ "slct-node": encodeURIComponent(self), "slct-instance": instance });
  for (const [name, value] of Object.entries(own)) lines.push(`${name}: ${value}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** The instance that answers, if it is the node that was dialed, speaks our protocol and its words arrived whole. */
export function welcomedBy(headers: IncomingHttpHeaders, to: NodeId): string | undefined {
  const fits = headers.upgrade === peerProtocol && isWhole(headers) && headers["slct-node"] === encodeURIComponent(to);
  return fits ? decodeInstance(headers["slct-instance"]) : undefined;
}

/** Headers of a refusal, beside the status. */
export function refusalHeaders(status: number, ban?: Ban): Record<string, string> {
  return { ...(status === 426 && { upgrade: peerProtocol }), ...(ban && { "slct-ban": ban }) };
}

/** What a refusal says of our own standing. */
export function banOf(headers: IncomingHttpHeaders): Ban | undefined {
  return bans.find((one) => one === headers["slct-ban"]);
}

/** Checks a request that opens a link. Nothing but its head has been read. */
export function admit(request: PeerRequest, door: Doorkeeper): Admission {
  const { headers } = request;
  if (request.url !== peerPath) return refuse(404, "there is nothing here");
  if (request.method !== "GET") return refuse(405, "GET opens a peer link");
  if (headers.upgrade !== peerProtocol) return refuse(426, `this port speaks ${peerProtocol}`);
  const lane = lanes.find((one) => one === headers["slct-lane"]);
  const admission = admitCaller(request, door);
  if (!admission.ok) return admission;
  return lane === undefined ? refuse(400, "slct-lane is unknown") : { ok: true, hello: { ...admission.hello, lane } };
}

/** Checks who asks, whatever for. */
export function admitCaller({ headers }: PeerRequest, door: Doorkeeper): CallerAdmission {
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined)
    return refuse(400, "requests between peers have no body");
  if (!isWhole(headers)) return refuse(400, "the greeting is damaged");
  if (headers["slct-cluster"] !== encodeURIComponent(door.clusterId)) return refuse(412, "another cluster");
  if (headers["slct-to"] !== encodeURIComponent(door.self)) return refuse(421, "another node was meant");
  const from = decodeText(headers["slct-node"]);
  if (from === undefined) return refuse(400, "slct-node is missing or damaged");
  if (from === door.self) return refuse(403, "this node does not speak with itself");
  if (door.isRemoved(from)) return refuse(410, "this node was removed from the cluster", "removed");
  const instance = decodeInstance(headers["slct-instance"]);
  if (instance === undefined) return refuse(400, "slct-instance is missing or damaged");
  if ((door.instanceOf(from) ?? instance) !== instance)
    return refuse(412, "this id belongs to another data directory", "instance");
  const peer = decodeAddress(headers["slct-peer"]);
  if (!door.isMember(from) && !(peer !== "" && door.hasRoom())) return refuse(403, "not a member of this cluster");
  const epoch = decodeEpoch(headers["slct-epoch"]);
  if (epoch === undefined) return refuse(400, "slct-epoch is not a positive integer");
  // An earlier run of the node: it must not speak for the later one.
  if (epoch < door.epochOf(from)) return refuse(409, "a later start of this node is known");
  return { ok: true, hello: { from, instance, epoch, peer } };
}

function refuse(status: Refusal["status"], reason: string, ban?: Ban): Refusal {
  return { ok: false, status, reason, ...(ban && { ban }) };
}

type Header = string | string[] | undefined;

function decodeText(value: Header): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function decodeInstance(value: Header): string | undefined {
  return typeof value === "string" && instancePattern.test(value) ? value : undefined;
}

/** Empty if nobody can be reached there. */
function decodeAddress(value: Header): string {
  const address = decodeText(value) ?? "";
  return /^[A-Za-z0-9.:[\]_-]{1,255}:[1-9]\d{0,4}$/.test(address) ? address : "";
}

function decodeEpoch(value: Header): number | undefined {
  if (typeof value !== "string" || !/^[1-9][0-9]{0,15}$/.test(value)) return undefined;
  const epoch = Number(value);
  return Number.isSafeInteger(epoch) ? epoch : undefined;
}
