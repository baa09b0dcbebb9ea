/**
 * Changing the configuration by one member at a time.
 *
 * Two rules keep majorities overlapping: the change before must be committed, and so must an entry of the leader's own
 * term, without which two leaders may hold different changes of the same configuration (dissertation 4.1 and its erratum
 * of 2015; docs/decisions/007-single-server-changes.md). New members are learners until they have caught up (4.2.1).
 */

import { encodeConfiguration, membersMax, removedMax } from "./configuration.js";
import type { Core } from "./core.js";
import { releaseConfirmed } from "./reads.js";
import { advanceCommitIndex } from "./replication.js";
import { followMembers } from "./roles.js";
import type { Configuration, MemberChange, MemberChanged, NodeId, Term } from "./types.js";

/** Committed entries that a learner may still lack when it becomes a voter. */
export const promoteLagMax = 4096;

type Refusal = Extract<MemberChanged, { ok: false }>["reason"];

/** See `Raft.changeMembers`. */
export function changeMembers(core: Core, change: MemberChange, term?: Term): MemberChanged {
  const reason = refusalNow(core, term) ?? refusalOf(core, change);
  if (reason !== undefined) return { ok: false, reason };
  const data = encodeConfiguration(changed(core.log.configurations.latest.configuration, change));
  const index = core.log.lastIndex + 1;
  core.log.append([{ index, term: core.term, kind: "configuration", data }]);
  core.uncommittedBytes += data.length;
  core.replicationDue = true;
  followMembers(core);
  const promoted = change.kind === "promote" ? core.progress.get(change.id) : undefined;
  // Its silence counts from now on, or the leader might be deposed by its own change.
  if (promoted !== undefined) promoted.heardAt = core.tick;
  // With a voter less, fewer are a quorum.
  releaseConfirmed(core);
  advanceCommitIndex(core);
  return { ok: true, index, term: core.term };
}

/** Why no change at all is possible now. */
function refusalNow(core: Core, term: Term | undefined): Refusal | undefined {
  if (core.role !== "leader") return "not_leader";
  if (term !== undefined && term !== core.term) return "stale_term";
  if (core.transfer !== undefined) return "transferring";
  if (core.log.commitIndex < core.termStart) return "not_ready";
  return core.log.configurations.latest.index > core.log.commitIndex ? "pending" : undefined;
}

function refusalOf(core: Core, change: MemberChange): Refusal | undefined {
  const { configuration, voters } = core.log.configurations.latest;
  const { members, removed } = configuration;
  const id = change.kind === "add" ? change.member.id : change.id;
  const member = members.find((one) => one.id === id);
  switch (change.kind) {
    case "add":
      if (member !== undefined) return "exists";
      if (removed.includes(id)) return "reused";
      return members.length < membersMax ? undefined : "full";
    case "promote":
      if (member === undefined) return "unknown";
      if (member.voter) return "exists";
      return hasCaughtUp(core, id) ? undefined : "behind";
    case "remove":
      if (member === undefined) return "unknown";
      if (member.voter && voters.length === 1) return "last_voter";
      return removed.length < removedMax ? undefined : "full";
  }
}

/** A voter that has to catch up first would hold back every commit that needs it. */
function hasCaughtUp({ progress, log, tick, options }: Core, id: NodeId): boolean {
  const learner = progress.get(id);
  if (learner?.mode !== "replicate" || tick - learner.heardAt >= options.electionTicks) return false;
  return learner.matchIndex + promoteLagMax >= log.commitIndex;
}

function changed({ members, removed }: Configuration, change: MemberChange): Configuration {
  switch (change.kind) {
    case "add":
      return { members: [...members, { ...change.member, voter: false }], removed };
    case "promote":
      return { members: members.map((one) => (one.id === change.id ? { ...one, voter: true } : one)), removed };
    case "remove":
      return { members: members.filter(({ id }) => id !== change.id), removed: [...removed, change.id] };
  }
}
