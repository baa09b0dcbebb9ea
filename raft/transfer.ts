/**
 * Leadership transfer: catch the target up, take no proposals meanwhile, then tell it to campaign at once.
 *
 * Its campaign skips PreVote and overrides stickiness (`force`). Given up after an election timeout: the target may be
 * cut off, and nobody else leads. Source: dissertation 3.10.
 */

import { send, type Core } from "./core.js";
import type { NodeId, TransferBegun } from "./types.js";

/** See `Raft.transferTo`. */
export function transferTo(core: Core, to: NodeId): TransferBegun {
  if (core.role !== "leader") return { ok: false, reason: "not_leader" };
  if (to === core.id) {
    core.transfer = undefined;
    return { ok: false, reason: "self" };
  }
  const member = core.log.configurations.latest.configuration.members.find(({ id }) => id === to);
  if (member === undefined) return { ok: false, reason: "unknown" };
  if (!member.voter) return { ok: false, reason: "learner" };
  if (core.transfer?.to !== to) core.transfer = { to, atTick: core.tick };
  handOver(core, to);
  return { ok: true };
}

export function tickTransfer(core: Core): void {
  const { transfer, tick, options } = core;
  if (transfer !== undefined && tick - transfer.atTick >= options.electionTicks) core.transfer = undefined;
}

/** Called whenever `id` shows a sign of life: the call to campaign may have been lost. */
export function handOver(core: Core, id: NodeId): void {
  const progress = core.progress.get(id);
  if (core.transfer?.to !== id || progress === undefined || progress.lost) return;
  if (progress.matchIndex === core.log.lastIndex) callToCampaign(core, id);
}

export function callToCampaign(core: Core, to: NodeId): void {
  send(core, { type: "TimeoutNow", from: core.id, to, term: core.term });
}
