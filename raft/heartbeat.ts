/**
 * Heartbeats, both sides: they keep followers quiet, carry the commit index and confirm read rounds; never entries.
 *
 * Source: dissertation 3.4, 6.4. What a returned heartbeat sets off is up to replication.ts and reads.ts.
 */

import { reply, send, type Core } from "./core.js";
import type { Message } from "./types.js";

/** @param context read round to confirm, 0 for none */
export function sendHeartbeats(core: Core, context: number): void {
  core.heartbeatElapsed = 0;
  const { commitIndex } = core.log;
  for (const progress of core.progress.values()) {
    // Only what is known to be equal there: the message says nothing about the entries themselves.
    const leaderCommit = progress.lost ? 0 : Math.min(commitIndex, progress.matchIndex);
    progress.commitSent = Math.max(progress.commitSent, leaderCommit);
    send(core, {
      type: "Heartbeat",
      from: core.id,
      to: progress.id,
      term: core.term,
      leaderCommit,
      context,
    });
  }
}

/** The sender is the leader of this term and has been recorded as such. */
export function onHeartbeat(core: Core, message: Extract<Message, { type: "Heartbeat" }>): void {
  core.log.commitTo(Math.min(message.leaderCommit, core.log.lastIndex));
  reply(core, {
    type: "HeartbeatResponse",
    from: core.id,
    to: message.from,
    term: core.term,
    context: message.context,
  });
}
