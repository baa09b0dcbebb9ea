/**
 * The gate that every message passes: form, sender, term, leader. What passed goes to the part that deals with it.
 *
 * Source: dissertation 3.3, 4.2.3 (whom to listen to), 9.6.
 */

import { invariant, unreachable } from "../src/invariant.js";
import { reply, type Core } from "./core.js";
import { campaign, isSticky, onRequestVote, onRequestVoteResponse } from "./election.js";
import { onHeartbeat } from "./heartbeat.js";
import { isWellFormed } from "./message.js";
import { onAppendEntries, onAppendEntriesResponse, onHeartbeatResponse } from "./replication.js";
import { onReadIndex, onReadIndexResponse } from "./reads.js";
import { becomeFollower } from "./roles.js";
import type { Message, NodeId } from "./types.js";

/** @throws InvariantError when the message proves that the cluster is broken (two leaders, a committed entry denied) */
export function receive(core: Core, message: Message): void {
  if (!isWellFormed(message, core.id)) {
    core.protocolErrors += 1;
    return;
  }
  if (!isHeard(core, message)) return;
  if (message.term < core.term) {
    answerStale(core, message);
    return;
  }
  if (!enterTermOf(core, message)) return;
  if (isFromLeader(message)) followLeader(core, message.from);
  dispatch(core, message);
}

/**
 * Leaders and candidates are heard whoever they are: they may belong to a configuration that has not come here yet, or
 * that this node is not in. Terms and logs decide about them. Questions and answers concern members only; from anybody
 * else they are late ones of a member that was removed, and must not move the term.
 */
function isHeard(core: Core, message: Message): boolean {
  return (
    isFromLeader(message) ||
    message.type === "RequestVote" ||
    message.from === core.leader ||
    isMember(core, message.from)
  );
}

function isMember({ log }: Core, from: NodeId): boolean {
  return log.configurations.latest.configuration.members.some(({ id }) => id === from);
}

/** A sender that is behind learns the term, so that it cannot stay behind for ever (PreVote and the quorum check silence it). */
function answerStale(core: Core, message: Message): void {
  if (message.type === "RequestVote") {
    onRequestVote(core, message);
    return;
  }
  if (!isFromLeader(message) || !(core.options.preVote || core.options.checkQuorum)) return;
  reply(core, {
    type: "AppendEntriesResponse",
    from: core.id,
    to: message.from,
    term: core.term,
    prevLogIndex: 0,
    success: false,
    matchIndex: 0,
  });
}

/** Adopts a later term. @returns whether the message is to be looked at any further */
function enterTermOf(core: Core, message: Message): boolean {
  if (message.term === core.term) return true;
  const { type, term } = message;
  if (type === "RequestVote") {
    // A call to take over may reach a member late, after its removal: it must not depose anybody then.
    if (isSticky(core) && !(message.force && isMember(core, message.from))) return false;
    if (!message.preVote) becomeFollower(core, term, null, "keep");
  } else if (type !== "RequestVoteResponse" || !message.preVote || !message.granted) {
    // (A granted PreVote names the term that was asked for, in which nobody is yet.)
    becomeFollower(core, term, isFromLeader(message) ? message.from : null);
  }
  return true;
}

/** Only the leader of a term sends these. */
function isFromLeader(message: Message): boolean {
  return message.type === "AppendEntries" || message.type === "Heartbeat" || message.type === "TimeoutNow";
}

function followLeader(core: Core, leader: NodeId): void {
  invariant(core.leader === null || core.leader === leader, `two leaders in term ${core.term}`);
  if (core.role !== "follower" || core.leader === null) becomeFollower(core, core.term, leader);
  core.electionElapsed = 0;
}

function dispatch(core: Core, message: Message): void {
  switch (message.type) {
    case "RequestVote":
      return onRequestVote(core, message);
    case "RequestVoteResponse":
      return onRequestVoteResponse(core, message);
    case "AppendEntries":
      return onAppendEntries(core, message);
    case "AppendEntriesResponse":
      return onAppendEntriesResponse(core, message);
    case "Heartbeat":
      return onHeartbeat(core, message);
    case "HeartbeatResponse":
      return onHeartbeatResponse(core, message);
    case "ReadIndex":
      return onReadIndex(core, message);
    case "ReadIndexResponse":
      return onReadIndexResponse(core, message);
    case "TimeoutNow":
      return campaign(core, true);
    default:
      return unreachable(message);
  }
}
