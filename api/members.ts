/**
 * Who is in the cluster and who leads it: asked of any node, done by the leader. All three can be repeated.
 *
 * Source: protocol §7.
 */
import { SlctError } from "../src/errors.js";
import { baseUrl, isPeerAddress, memberIdPattern } from "./addresses.js";
import { json, neededBodyOf } from "./exchange.js";
import type { Exchange, Reply } from "./exchange.js";
import { checkMember, checkTransfer } from "./schema.js";
import { refuse } from "./wire-values.js";

export async function addMember(exchange: Exchange): Promise<Reply> {
  const { ID, Peer, API } = await neededBodyOf(exchange, checkMember);
  const id = memberId(ID);
  if (!isPeerAddress(Peer)) refuse("Peer must be host:port, where the other members reach the node.");
  const api = baseUrl(API) ?? refuse("API must be a URL, the base of the node's API.");
  const { index, changed } = await exchange.api.node.change({ kind: "add", id, peer: Peer, api });
  return json(changed ? 201 : 200, { ID: id, Peer, API: api }, index);
}

export async function removeMember({ api, params }: Exchange): Promise<Reply> {
  const id = memberId(params["node"] ?? "");
  const { index } = await api.node.change({ kind: "remove", id });
  return json(200, { ID: id, Removed: true }, index);
}

export async function transferLeadership(exchange: Exchange): Promise<Reply> {
  const id = memberId((await neededBodyOf(exchange, checkTransfer)).To);
  const { index } = await exchange.api.node.change({ kind: "transfer", id });
  return json(200, { Leader: id }, index);
}

function memberId(text: string): string {
  if (memberIdPattern.test(text)) return text;
  throw new SlctError("bad_id", "The ID of a node is 1–64 letters, digits, dots, dashes or underscores.");
}
