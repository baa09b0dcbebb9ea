/**
 * The gauges of a node, read from its parts when they are scraped.
 */
import type { GaugeName } from "./metrics.js";
import type { Parts } from "./parts.js";

export function readGauges(parts: Parts): Readonly<Record<GaugeName, number>> {
  const { raft, log, store, proposals, waits, machine, board, peers, members, health } = parts;
  const voters = members.all.filter(({ voter }) => voter).length;
  return {
    slct_raft_term: raft.term,
    slct_raft_leader: raft.role === "leader" ? 1 : 0,
    slct_raft_first_index: log.firstIndex(),
    slct_raft_last_index: raft.status().lastIndex,
    slct_raft_commit_index: raft.commitIndex,
    slct_raft_applied_index: store.appliedIndex,
    slct_raft_lag_entries: raft.commitIndex - store.appliedIndex,
    slct_raft_voters: voters,
    slct_raft_learners: members.all.length - voters,
    slct_flushed_index: store.flushedIndex,
    slct_proposals_open: proposals.count,
    slct_proposal_bytes_open: proposals.bytes,
    slct_waits_open: waits.count,
    slct_demands: machine.demandCount,
    slct_states_pending: machine.pendingCount,
    slct_clock_skew_seconds: board.skewMs() / 1000,
    slct_peer_queue_bytes: peers.queuedBytes(),
    slct_disk_free_bytes: health.status().diskFreeBytes ?? 0,
  };
}
