/**
 * Snapshots, as far as the core has to do with them: who needs one, and what an arrived one means.
 *
 * The bytes travel between the hosts. A snapshot holds committed entries and nothing else, so one that is whole is welcome
 * whoever leads by now. Source: dissertation chapter 5; reliability 33, H1–H5, H12–H15.
 */

import { invariant } from "../src/invariant.js";
import { isSound, votersOf } from "./configuration.js";
import type { Core } from "./core.js";
import { becomeProbe } from "./progress.js";
import { acknowledge } from "./replication.js";
import { becomeFollower } from "./roles.js";
import type { InstallSnapshot, NodeId } from "./types.js";

/** See `Raft.snapshotFailed`. */
export function snapshotFailed(core: Core, id: NodeId): void {
  const progress = core.progress.get(id);
  // Up to the cut it may have the log by now: asked there, and not before it has shown a sign of life.
  if (progress?.mode === "snapshot") becomeProbe(progress, core.log.firstIndex());
}

/** @throws InvariantError when the snapshot contradicts what is committed here */
export function onInstallSnapshot(core: Core, message: InstallSnapshot): void {
  const { from, term, lastIndex, lastTerm, configuration } = message;
  if (!isAddressed(core, message)) {
    core.protocolErrors += 1;
    return;
  }
  const { log } = core;
  const known = log.term(lastIndex);
  invariant(lastTerm <= term, `a snapshot of term ${lastTerm} from a leader of term ${term}`);
  invariant(
    lastIndex > log.commitIndex || known === undefined || known === lastTerm,
    `a snapshot of index ${lastIndex} and term ${lastTerm} contradicts the committed entry of term ${known}`,
  );
  if (term > core.term) becomeFollower(core, term, from);
  // A leader has everything that is committed.
  if (core.role === "leader") return;
  if (core.options.needsSnapshot === true) {
    // The log has to go on from it.
    if (lastIndex < log.firstIndex() - 1) return;
  } else if (lastIndex <= log.commitIndex || known === lastTerm) {
    log.commitTo(lastIndex);
    if (core.leader !== null) acknowledge(core, { to: core.leader, prevLogIndex: lastIndex, matchIndex: lastIndex });
    return;
  }
  becomeFollower(core, core.term, null);
  core.installing = true;
  core.outbox.install = { index: lastIndex, term: lastTerm, configuration };
}

/**
 * Meant for this node, and possible. One that names it as removed is not for it any more; one that does not name it at all
 * is of before its addition, which follows in the log.
 */
function isAddressed({ id }: Core, { to, lastIndex, lastTerm, term, configuration }: InstallSnapshot): boolean {
  if (to !== id || configuration.removed.includes(id)) return false;
  if (![lastIndex, lastTerm, term].every((one) => Number.isSafeInteger(one) && one > 0)) return false;
  return isSound(configuration) && votersOf(configuration).length > 0;
}
