/**
 * Changes of role. What a role keeps in memory is set up and given up here and nowhere else.
 *
 * The vote survives every change within a term; only a later term clears it. Source: dissertation 3.3, 3.4.
 */

import { invariant } from "../src/invariant.js";
import { drawTimeout, opening, type Core } from "./core.js";
import { newProgress } from "./progress.js";
import { abandonReads } from "./reads.js";
import type { NodeId, Term } from "./types.js";

/** @param timer `keep`: the term was learned from a candidate, whose call alone must not hold back an own campaign */
export function becomeFollower(core: Core, term: Term, leader: NodeId | null, timer: "reset" | "keep" = "reset"): void {
  invariant(term >= core.term, `term ${term} is behind ${core.term}`);
  const wasLeader = core.role === "leader";
  if (term > core.term) enterTerm(core, term);
  leave(core, leader);
  core.role = "follower";
  if (timer === "reset" || wasLeader) resetTimer(core);
}

/** Asks whether a campaign could be won; term and vote stay as they are. */
export function becomePreCandidate(core: Core): void {
  leave(core, null);
  core.role = "preCandidate";
  resetTimer(core);
}

export function becomeCandidate(core: Core): void {
  enterTerm(core, core.term + 1);
  leave(core, null);
  core.role = "candidate";
  core.votedFor = core.id;
  resetTimer(core);
}

export function becomeLeader(core: Core): void {
  invariant(core.role === "candidate", `a ${core.role} cannot become leader`);
  const { log } = core;
  leave(core, core.id);
  core.role = "leader";
  core.heartbeatElapsed = 0;
  core.termStart = log.lastIndex + 1;
  followMembers(core);
  // Without an entry of its own term a leader cannot commit what it inherited, nor serve reads (dissertation 6.4).
  log.append([opening(core.termStart, core.term)]);
  core.replicationDue = true;
}

/** Leader: one record per other member of the configuration in force. New ones are asked first where their log stands. */
export function followMembers(core: Core): void {
  const others = core.log.configurations.latest.configuration.members.filter(({ id }) => id !== core.id);
  for (const id of core.progress.keys()) if (!others.some((other) => other.id === id)) core.progress.delete(id);
  const { inflightMax, appendBytesMax, inflightBytesMax = inflightMax * appendBytesMax } = core.options;
  const at = { nextIndex: core.log.lastIndex + 1, inflightMax, inflightBytesMax, tick: core.tick };
  for (const { id } of others) if (!core.progress.has(id)) core.progress.set(id, newProgress(id, at));
}

/** Messages of an earlier term that have not left yet say nothing that anybody still waits for. */
function enterTerm(core: Core, term: Term): void {
  core.term = term;
  core.votedFor = null;
  core.outbox.messages = [];
  core.outbox.afterPersist = [];
  core.outbox.ack = undefined;
}

function leave(core: Core, leader: NodeId | null): void {
  if (core.leader !== leader || core.role === "leader") abandonReads(core);
  core.leader = leader;
  core.votes.clear();
  core.progress.clear();
  core.uncommittedBytes = 0;
  core.replicationDue = false;
  core.transfer = undefined;
  core.outbox.snapshotsTo = [];
}

function resetTimer(core: Core): void {
  core.electionElapsed = 0;
  core.electionTimeout = drawTimeout(core.options);
}
