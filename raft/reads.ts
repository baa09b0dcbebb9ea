/**
 * ReadIndex: linearizable reads without a log entry.
 *
 * A read takes the commit index at the time it is asked, and may be served once a quorum confirms, by answers to
 * heartbeats sent later, that this node was still the leader then. Rounds are numbered; confirming one confirms all
 * before it, and no round confirms a read that was asked after it left. Source: dissertation 6.4.
 *
 * Who asks is somebody who confirms: {@link isQuorumWith}. In a cluster of three a follower's question needs no round.
 */

import { reachedByQuorum, send, votersNow, type Core } from "./core.js";
import { sendHeartbeats } from "./heartbeat.js";
import { quorumSize } from "./quorum.js";
import type { Index, Message, NodeId } from "./types.js";

/** A host's question. Asked again with the same context, only the later question is answered. */
export function askRead(core: Core, context: number): void {
  const { reads } = core;
  if (core.leader === null) {
    core.outbox.reads.push({ context, index: 0 });
    return;
  }
  if (context <= reads.lastContext) forget(core, context);
  reads.lastContext = Math.max(reads.lastContext, context);
  reads.number += 1;
  reads.asked.set(reads.number, { context, atTick: core.tick });
  if (core.role === "leader") enqueue(core, core.id, reads.number);
  else send(core, { type: "ReadIndex", from: core.id, to: core.leader, term: core.term, context: reads.number });
}

export function onReadIndex(core: Core, { from, context }: Extract<Message, { type: "ReadIndex" }>): void {
  if (core.role === "leader") enqueue(core, from, context);
  else answer(core, { from, number: context, index: 0 });
}

export function onReadIndexResponse(core: Core, message: Extract<Message, { type: "ReadIndexResponse" }>): void {
  if (message.from === core.leader) answer(core, { from: core.id, number: message.context, index: message.index });
}

/** An entry of the term is committed: the commit index is not behind that of earlier leaders any more. */
export function releaseDeferred(core: Core): void {
  const { deferred } = core.reads;
  core.reads.deferred = [];
  for (const { from, number } of deferred) enqueue(core, from, number);
}

/** Opens one round for all reads that were queued since the last one. */
export function startRound(core: Core): void {
  core.reads.roundDue = false;
  core.reads.round += 1;
  sendHeartbeats(core, core.reads.round);
  releaseConfirmed(core);
}

/** The round that a periodic heartbeat repeats, as its messages may be lost; 0 when no read waits. */
export function openRound(core: Core): number {
  return core.reads.waiting.length > 0 ? core.reads.round : 0;
}

/** Answers what a quorum has confirmed by now; this node alone may be one. */
export function releaseConfirmed(core: Core): void {
  const { reads } = core;
  if (reads.waiting.length === 0) return;
  const confirmed = reachedByQuorum(core, reads.round, ({ confirmedRound }) => confirmedRound);
  let released = 0;
  for (const read of reads.waiting) {
    if (read.round > confirmed) break;
    answer(core, read);
    released += 1;
  }
  if (released > 0) reads.waiting = reads.waiting.slice(released);
}

/** The leader changed: every question of this host is refused, every queue is freed. */
export function abandonReads(core: Core): void {
  const { reads } = core;
  for (const { context } of reads.asked.values()) core.outbox.reads.push({ context, index: 0 });
  reads.asked.clear();
  reads.deferred = [];
  reads.waiting = [];
  reads.roundDue = false;
}

/** A follower refuses questions whose answer must have been lost. */
export function expireReads(core: Core): void {
  for (const [number, { context, atTick }] of core.reads.asked) {
    if (core.tick - atTick < 2 * core.options.electionTicks) break;
    core.reads.asked.delete(number);
    core.outbox.reads.push({ context, index: 0 });
  }
}

function enqueue(core: Core, from: NodeId, number: number): void {
  const { reads, log } = core;
  if (log.commitIndex < core.termStart) {
    reads.deferred.push({ from, number });
  } else if (isQuorumWith(core, from)) {
    answer(core, { from, number, index: log.commitIndex });
  } else {
    reads.waiting.push({ from, number, index: log.commitIndex, round: reads.round + 1 });
    reads.roundDue = true;
  }
}

/**
 * Who asked in this term had voted in no later one when the read began, and neither has this node until now. If these two
 * are a quorum, every other one has one of them in it: nobody else had been elected when the read began.
 */
function isQuorumWith(core: Core, from: NodeId): boolean {
  const voters = votersNow(core);
  const confirming = voters.filter((id) => id === core.id || id === from).length;
  return confirming >= quorumSize(voters.length);
}

function answer(core: Core, { from, number, index }: { from: NodeId; number: number; index: Index }): void {
  if (from !== core.id) {
    send(core, { type: "ReadIndexResponse", from: core.id, to: from, term: core.term, context: number, index });
    return;
  }
  const asked = core.reads.asked.get(number);
  if (asked === undefined) return;
  core.reads.asked.delete(number);
  core.outbox.reads.push({ context: asked.context, index });
}

function forget(core: Core, context: number): void {
  for (const [number, asked] of core.reads.asked) {
    if (asked.context === context) core.reads.asked.delete(number);
  }
}
