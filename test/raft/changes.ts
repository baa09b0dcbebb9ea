/**
 * Short forms for changes of members, and clusters to change.
 */

import type { MemberChange } from "../../raft/types.js";
import { accepted, configurationOf } from "./messages.js";
import { Network } from "./network.js";
import { TestNode, type NodeSetup } from "./node.js";

export const add = (id: string): MemberChange => ({
  kind: "add",
  member: { id, peer: `${id}:1`, api: `http://${id}` },
});
export const promote = (id: string): MemberChange => ({ kind: "promote", id });
export const remove = (id: string): MemberChange => ({ kind: "remove", id });

/** n1 leads three voters and has committed its opening entry. */
export function leading(setup: NodeSetup = {}): TestNode {
  const node = new TestNode(setup).elect();
  node.step(accepted(node.raft.term, 1), accepted(node.raft.term, 1, "n3"));
  return node;
}

/** Voters n1 up to `voters`, then learners; n1 leads, and everybody has everything. */
export function cluster(voters: number, learners = 0, shared: NodeSetup = {}): Network {
  const ids = Array.from({ length: voters + learners }, (_, at) => `n${at + 1}`);
  const configuration = configurationOf(ids.slice(0, voters), ids.slice(voters));
  const network = new Network(voters + learners, { ...shared, configuration });
  network.campaign("n1");
  network.tick("n1", 2);
  return network;
}

/** Members in the configuration in force at `id`, learners in brackets. */
export function membersAt(network: Network, id: string): string[] {
  const { members } = network.node(id).raft.configuration;
  return members.map((one) => (one.voter ? one.id : `(${one.id})`));
}
