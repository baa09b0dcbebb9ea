/**
 * Elections: the timeout, PreVote, RequestVote on both sides, and the check that a leader still has a quorum.
 *
 * Source: dissertation 3.4, 3.6.1, 6.2 (quorum check), 9.6 (PreVote) and the stickiness of 4.2.3; reliability 1.2.
 */

import { reachedByQuorum, reply, send, sendAfterPersist, votersNow, type Core } from "./core.js";
import { voteResult } from "./quorum.js";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.js";
import type { Message, NodeId } from "./types.js";

type RequestVote = Extract<Message, { type: "RequestVote" }>;
type RequestVoteResponse = Extract<Message, { type: "RequestVoteResponse" }>;

export function tickElection(core: Core): void {
  core.electionElapsed += 1;
  if (core.electionElapsed >= core.electionTimeout) campaign(core);
}

/** A leader that has not heard of a majority for an election timeout gives up, so that its clients look elsewhere. */
export function tickQuorumCheck(core: Core): void {
  if (!core.options.checkQuorum) return;
  const heard = reachedByQuorum(core, core.tick, ({ heardAt }) => heardAt);
  if (core.tick - heard >= core.options.electionTicks) becomeFollower(core, core.term, null);
}

/**
 * Begins an election; nothing for a leader, and for a node that could not lead.
 *
 * @param force the leader asked for it: no PreVote, and voters let go of that leader
 */
export function campaign(core: Core, force = false): void {
  if (core.role === "leader" || !mayLead(core)) return;
  if (core.options.preVote && !force) {
    becomePreCandidate(core);
    hastenNextRound(core);
    requestVotes(core, { preVote: true, force });
    core.votes.set(core.id, true);
    decide(core);
  } else {
    startElection(core, force);
  }
}

/**
 * Voters may. So may one whose removal is in its log and not known to be committed: it may be the only one to have that
 * entry, and then nobody else can win (dissertation 4.2.2, figure 4.6). Its own vote does not count.
 */
function mayLead({ id, log }: Core): boolean {
  const { latest, before } = log.configurations;
  return latest.voters.includes(id) || (before?.voters.includes(id) ?? false);
}

/** The own vote does not count before it is on disk: {@link countOwnVote}. */
function startElection(core: Core, force: boolean): void {
  becomeCandidate(core);
  requestVotes(core, { preVote: false, force });
}

function requestVotes(core: Core, { preVote, force }: { preVote: boolean; force: boolean }): void {
  const { lastIndex, lastTerm } = core.log;
  for (const to of votersNow(core)) {
    if (to === core.id) continue;
    const request: RequestVote = {
      type: "RequestVote",
      from: core.id,
      to,
      term: preVote ? core.term + 1 : core.term,
      preVote,
      force,
      lastLogIndex: lastIndex,
      lastLogTerm: lastTerm,
    };
    if (preVote) send(core, request);
    else sendAfterPersist(core, request);
  }
}

/** While the leader is alive, nobody else is listened to: a cut-off node must not depose it when it returns. */
export function isSticky(core: Core): boolean {
  if (!core.options.checkQuorum || core.leader === null) return false;
  return core.role === "leader" || core.electionElapsed < core.options.electionTicks;
}

/** The term of a vote is the current one by now; that of a PreVote may be any. */
export function onRequestVote(core: Core, message: RequestVote): void {
  const { from, preVote } = message;
  const free =
    core.votedFor === from || (core.votedFor === null && core.leader === null) || (preVote && message.term > core.term);
  const granted = free && message.term >= core.term && core.log.isUpToDate(message.lastLogIndex, message.lastLogTerm);
  const term = granted ? message.term : core.term;
  const response: RequestVoteResponse = {
    type: "RequestVoteResponse",
    from: core.id,
    to: from,
    term,
    preVote,
    granted,
  };
  if (!granted || preVote) {
    reply(core, response);
    const isSplit = core.role === "candidate" && !preVote && message.term === core.term;
    // Who asks for a PreVote here has given the leader up, and so would this node soon; only with a better log.
    if (isSplit || (preVote && free && !granted)) hastenNextRound(core);
    return;
  }
  core.electionElapsed = 0;
  core.votedFor = from;
  sendAfterPersist(core, response);
}

/**
 * Nobody leads, for all that is known, and waiting a whole timeout would double the outage: votes that are probably split,
 * a PreVote that went to nodes that had not given up yet, a candidate that misses entries, a leader that has ended. The
 * next round comes within about a quarter of a timeout, still at a random moment of it.
 */
function hastenNextRound(core: Core): void {
  const { electionTicks, random } = core.options;
  const soon = core.electionElapsed + 2 + Math.floor((random() * electionTicks) / 4);
  core.electionTimeout = Math.min(core.electionTimeout, soon);
}

/** The host knows that this node's process has ended. If it leads, nobody waits for it any longer. */
export function stopped(core: Core, id: NodeId): void {
  if (core.leader !== id || core.role === "leader") return;
  becomeFollower(core, core.term, null);
  hastenNextRound(core);
}

/** A granted PreVote names the term that was asked for, every other answer the current one. */
export function onRequestVoteResponse(core: Core, { from, term, preVote, granted }: RequestVoteResponse): void {
  if (core.role !== (preVote ? "preCandidate" : "candidate")) return;
  if (preVote && granted && term !== core.term + 1) return;
  if (!core.votes.has(from)) core.votes.set(from, granted);
  decide(core);
}

/** Called when term and vote have reached the disk. */
export function countOwnVote(core: Core): void {
  if (core.role !== "candidate" || core.durable.term !== core.term || core.durable.votedFor !== core.id) return;
  core.votes.set(core.id, true);
  decide(core);
}

function decide(core: Core): void {
  const result = voteResult(votersNow(core), core.votes);
  if (result === "lost") becomeFollower(core, core.term, null);
  if (result !== "won") return;
  if (core.role === "preCandidate") startElection(core, false);
  else if (core.votes.has(core.id)) becomeLeader(core);
}
