/**
 * Moving entries: AppendEntries on both sides, and the commit index that follows from the answers.
 *
 * What a leader sends is decided once per turn ({@link replicate}), so all proposals of a turn travel together.
 * Source: dissertation 3.5, 3.6, 10.2; reliability 1.3.
 */

import { invariant } from "../src/invariant.js";
import { reachedByQuorum, reply, send, type Core } from "./core.js";
import {
  becomeSnapshot,
  isPaused,
  onAccepted,
  onHeartbeatReturned,
  onHeard,
  onRejected,
  onSent,
  type Progress,
} from "./progress.js";
import { releaseConfirmed, releaseDeferred } from "./reads.js";
import { becomeFollower } from "./roles.js";
import { callToCampaign, handOver } from "./transfer.js";
import type { Entry, Message } from "./types.js";

// ---------------------------------------------------------------------------------------------------- leader, out

/** Sends every follower what it may get now: entries, the commit index, or a question where its log stands. */
export function replicate(core: Core): void {
  core.replicationDue = false;
  for (const progress of core.progress.values()) {
    if (progress.mode === "snapshot" || isCutOff(core, progress)) askForSnapshot(core, progress);
    let sent = false;
    while (isServed(progress) && progress.nextIndex <= core.log.lastIndex && !isPaused(progress)) {
      const to = core.log.lastIndex + 1;
      sendAppend(core, progress, core.log.entries(progress.nextIndex, to, core.options.appendBytesMax));
      sent = true;
    }
    if (!sent && wantsMessage(core, progress)) sendAppend(core, progress, []);
    progress.poked = false;
  }
}

/** It gets entries. */
function isServed({ lost, mode }: Progress): boolean {
  return !lost && mode !== "snapshot";
}

/** What it needs next is not there any more. */
function isCutOff({ log }: Core, progress: Progress): boolean {
  return !isPaused(progress) && log.term(progress.nextIndex - 1) === undefined;
}

/** The host hears of it once, and not before the follower is there to take it. */
function askForSnapshot(core: Core, progress: Progress): void {
  const { log, tick, options } = core;
  becomeSnapshot(progress, log.firstIndex());
  if (progress.snapshotAsked || tick - progress.heardAt >= options.electionTicks) return;
  progress.snapshotAsked = true;
  core.outbox.snapshotsTo.push(progress.id);
}

/** There is something to tell this follower, and it may be told now. */
function wantsMessage({ log }: Core, progress: Progress): boolean {
  if (isPaused(progress)) return false;
  if (progress.poked) return true;
  return isServed(progress) && (progress.nextIndex <= log.lastIndex || progress.commitSent < log.commitIndex);
}

function sendAppend(core: Core, progress: Progress, entries: readonly Entry[]): void {
  const prevLogIndex = progress.nextIndex - 1;
  const prevLogTerm = core.log.term(prevLogIndex);
  invariant(prevLogTerm !== undefined, `${progress.id} is asked for ${prevLogIndex}, which is not in the log`);
  send(core, {
    type: "AppendEntries",
    from: core.id,
    to: progress.id,
    term: core.term,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: core.log.commitIndex,
  });
  onSent(progress, entries, core.log.commitIndex);
}

// ----------------------------------------------------------------------------------------------------- leader, in

export function onAppendEntriesResponse(
  core: Core,
  message: Extract<Message, { type: "AppendEntriesResponse" }>,
): void {
  const progress = core.progress.get(message.from);
  if (core.role !== "leader" || progress === undefined) return;
  onHeard(progress, core.tick);
  if (message.success) {
    if (message.matchIndex > core.log.lastIndex) {
      core.protocolErrors += 1;
      return;
    }
    const changed = onAccepted(progress, message.matchIndex, core.log.firstIndex() - 1);
    core.replicationDue ||= wantsMessage(core, progress);
    handOver(core, message.from);
    if (changed) advanceCommitIndex(core);
    return;
  }
  const { hint, prevLogIndex } = message;
  if (hint === undefined) return;
  // Two-sided: the follower skipped its entries of later terms, here those of later terms than its hint are skipped.
  const hintIndex = hint.term > 0 ? core.log.findConflictByTerm(hint.index, hint.term).index : hint.index;
  if (onRejected(progress, { prevLogIndex, hintIndex })) core.replicationDue = true;
}

export function onHeartbeatResponse(core: Core, message: Extract<Message, { type: "HeartbeatResponse" }>): void {
  const progress = core.progress.get(message.from);
  if (core.role !== "leader" || progress === undefined) return;
  if (message.context > core.reads.round) {
    core.protocolErrors += 1;
    return;
  }
  onHeard(progress, core.tick);
  onHeartbeatReturned(progress, core.log.lastIndex);
  core.replicationDue ||= wantsMessage(core, progress);
  handOver(core, message.from);
  if (message.context > progress.confirmedRound) {
    progress.confirmedRound = message.context;
    releaseConfirmed(core);
  }
}

/**
 * Leader: commits what a majority has on disk, this node counting like any other voter. Only entries of the current term
 * are counted; earlier ones follow with them (dissertation 3.6.2, figure 3.7).
 */
export function advanceCommitIndex(core: Core): void {
  const { log } = core;
  if (core.role !== "leader") return;
  const before = log.commitIndex;
  const index = reachedByQuorum(core, log.durableIndex, ({ lost, matchIndex }) => (lost ? 0 : matchIndex));
  if (index < core.termStart || !log.commitTo(index)) return;
  core.replicationDue = true;
  const counted = Math.max(before, core.termStart - 1);
  core.uncommittedBytes -= log.bytesBetween(counted, index);
  if (before < core.termStart) releaseDeferred(core);
  const { latest } = log.configurations;
  const removed = latest.index <= index && !latest.voters.includes(core.id);
  if (removed || core.options.needsSnapshot === true) resign(core);
}

/** The own removal is committed, or this node could not apply what it commits: it leads no further (dissertation 4.2.2). */
function resign(core: Core): void {
  const { voters } = core.log.configurations.latest;
  const best = [...core.progress.values()]
    .filter(({ id, lost }) => voters.includes(id) && !lost)
    .sort((a, b) => b.matchIndex - a.matchIndex || b.heardAt - a.heardAt)[0];
  // Otherwise the others would have to wait for their timeouts.
  if (best !== undefined) callToCampaign(core, best.id);
  becomeFollower(core, core.term, null);
}

// ------------------------------------------------------------------------------------------------------- follower

/** The sender is the leader of this term and has been recorded as such. */
export function onAppendEntries(core: Core, message: Extract<Message, { type: "AppendEntries" }>): void {
  const { log } = core;
  const { prevLogIndex, prevLogTerm, entries } = message;
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
  acknowledge(core, { to: message.from, prevLogIndex, matchIndex });
}

/** To the leader of the term: what is committed agrees with its log as well. */
export function acknowledge(core: Core, answer: NonNullable<Core["outbox"]["ack"]>): void {
  const matchIndex = Math.max(answer.matchIndex, core.log.commitIndex, core.outbox.ack?.matchIndex ?? 0);
  core.outbox.ack = { ...answer, matchIndex };
}
