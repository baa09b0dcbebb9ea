/**
 * Moving entries: AppendEntries on both sides, and the commit index that follows from the answers.
 *
 * What a leader sends is decided once per turn ({@link replicate}), so all proposals of a turn travel together.
 * Source: dissertation 3.5, 3.6, 10.2; reliability 1.3.
 */

import { invariant } from "../src/invariant.js";
import { reply, send, type Core } from "./core.js";
import { isPaused, onAccepted, onHeartbeatReturned, onRejected, onSent, type Progress } from "./progress.js";
import { quorumReached } from "./quorum.js";
import { releaseConfirmed, releaseDeferred } from "./reads.js";
import type { Entry, Message } from "./types.js";

// ---------------------------------------------------------------------------------------------------- leader, out

/** Sends every follower what it may get now: entries, the commit index, or a question where its log stands. */
export function replicate(core: Core): void {
  core.replicationDue = false;
  for (const progress of core.progress.values()) {
    let sent = false;
    while (!progress.lost && progress.nextIndex <= core.log.lastIndex && !isPaused(progress)) {
      const to = core.log.lastIndex + 1;
      sendAppend(core, progress, core.log.entries(progress.nextIndex, to, core.options.appendBytesMax));
      sent = true;
    }
    if (!sent && wantsMessage(core, progress)) sendAppend(core, progress, []);
    progress.poked = false;
  }
}

/** There is something to tell this follower, and it may be told now. */
function wantsMessage({ log }: Core, progress: Progress): boolean {
  if (isPaused(progress)) return false;
  if (progress.poked) return true;
  return !progress.lost && (progress.nextIndex <= log.lastIndex || progress.commitSent < log.commitIndex);
}

function sendAppend(core: Core, progress: Progress, entries: readonly Entry[]): void {
  const prevLogIndex = progress.nextIndex - 1;
  const prevLogTerm = core.log.term(prevLogIndex);
  invariant(prevLogTerm !== undefined, `${progress.id} needs the log from ${prevLogIndex} on, which was cut too far`);
  send(core, {
    type: "AppendEntries",
    from: core.id,
    to: progress.id,
    term: core.term,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: core.log.commitIndex,
    compactTo: core.compactTo,
  });
  onSent(progress, entries.length, core.log.commitIndex);
}

// ----------------------------------------------------------------------------------------------------- leader, in

export function onAppendEntriesResponse(
  core: Core,
  message: Extract<Message, { type: "AppendEntriesResponse" }>,
): void {
  const progress = core.progress.get(message.from);
  if (core.role !== "leader" || progress === undefined) return;
  progress.heardAt = core.tick;
  if (message.success) {
    if (message.matchIndex > core.log.lastIndex) {
      core.protocolErrors += 1;
      return;
    }
    if (onAccepted(progress, message.matchIndex)) advanceCommitIndex(core);
    core.replicationDue ||= wantsMessage(core, progress);
    return;
  }
  const { hint, prevLogIndex } = message;
  if (hint === undefined) return;
  // Two-sided: the follower skipped its entries of later terms, here those of later terms than its hint are skipped.
  const hintIndex = hint.term > 0 ? core.log.findConflictByTerm(hint.index, hint.term).index : hint.index;
  if (onRejected(progress, { prevLogIndex, hintIndex, floor: core.compactTo })) core.replicationDue = true;
}

export function onHeartbeatResponse(core: Core, message: Extract<Message, { type: "HeartbeatResponse" }>): void {
  const progress = core.progress.get(message.from);
  if (core.role !== "leader" || progress === undefined) return;
  if (message.context > core.reads.round) {
    core.protocolErrors += 1;
    return;
  }
  progress.heardAt = core.tick;
  onHeartbeatReturned(progress, core.log.lastIndex);
  core.replicationDue ||= wantsMessage(core, progress);
  if (message.context > progress.confirmedRound) {
    progress.confirmedRound = message.context;
    releaseConfirmed(core);
  }
}

/**
 * Commits what a majority has on disk, this node counting like any other. Only entries of the current term are counted;
 * earlier ones follow with them (dissertation 3.6.2, figure 3.7).
 */
export function advanceCommitIndex(core: Core): void {
  const { log } = core;
  const durable = [log.durableIndex];
  const matched = [log.durableIndex];
  for (const progress of core.progress.values()) {
    durable.push(progress.lost ? 0 : progress.matchIndex);
    matched.push(progress.matchIndex);
  }
  core.compactTo = Math.max(core.compactTo, Math.min(...matched));
  const before = log.commitIndex;
  const index = quorumReached(durable);
  if (index < core.termStart || !log.commitTo(index)) return;
  core.replicationDue = true;
  const counted = Math.max(before, core.termStart - 1);
  core.uncommittedBytes -= log.bytesBetween(counted, index);
  if (before < core.termStart) releaseDeferred(core);
}

// ------------------------------------------------------------------------------------------------------- follower

/** The sender is the leader of this term and has been recorded as such. */
export function onAppendEntries(core: Core, message: Extract<Message, { type: "AppendEntries" }>): void {
  const { log } = core;
  const { prevLogIndex, prevLogTerm, entries } = message;
  core.compactTo = Math.max(core.compactTo, message.compactTo);
  // What was cut is committed, so it agrees.
  const agrees = prevLogIndex < log.firstIndex() - 1 || log.term(prevLogIndex) === prevLogTerm;
  if (!agrees) {
    invariant(prevLogIndex > log.commitIndex, `the leader denies the committed entry ${prevLogIndex}`);
    const index = Math.min(prevLogIndex, log.lastIndex);
    reply(core, {
      type: "AppendEntriesResponse",
      from: core.id,
      to: message.from,
      term: core.term,
      prevLogIndex,
      success: false,
      matchIndex: 0,
      hint: log.findConflictByTerm(index, prevLogTerm),
    });
    return;
  }
  log.merge(entries);
  const matchIndex = prevLogIndex + entries.length;
  log.commitTo(Math.min(message.leaderCommit, matchIndex));
  const { ack } = core.outbox;
  core.outbox.ack = {
    to: message.from,
    prevLogIndex,
    matchIndex: Math.max(matchIndex, log.commitIndex, ack?.matchIndex ?? 0),
  };
}
