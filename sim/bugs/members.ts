/**
 * Mistakes with members and snapshots.
 */
import type { Bug } from "./bug.js";

export const memberBugs: readonly Bug[] = [
  {
    name: "change-before-own-commit",
    file: "raft/membership.ts",
    find: 'if (core.log.commitIndex < core.termStart) return "not_ready";',
    replace: 'if (core.log.commitIndex < 0) return "not_ready";',
    why: "a new leader changes the members before anything of its own term is committed (Ongaro 2015)",
  },
  {
    name: "two-changes-at-once",
    file: "raft/membership.ts",
    find: 'return core.log.configurations.latest.index > core.log.commitIndex ? "pending" : undefined;',
    replace: 'return core.log.configurations.latest.index > core.log.lastIndex ? "pending" : undefined;',
    why: "a change begins while another is not committed",
  },
  {
    name: "removed-not-remembered",
    file: "raft/membership.ts",
    find: "removed: [...removed, change.id] };",
    replace: "removed };",
    why: "nobody knows that an id was used before",
  },
  {
    name: "log-cut-beyond-records",
    file: "cluster/snapshots.ts",
    find: "return isHeld ? heldIndex : store.flushedIndex;",
    replace: "return isHeld ? heldIndex : store.appliedIndex;",
    why: "the log is cut above what the records have on disk (Redis-Raft #43)",
  },
  {
    name: "last-block-left-out",
    file: "cluster/archive-writer.ts",
    find: 'if (records.length > 0) yield block("records", encodeRecords(records));',
    replace: 'if (records.length < 0) yield block("records", encodeRecords(records));',
    why: "snapshots lack their last records, so no member that needs one ever gets it",
  },
  {
    name: "emptied-disk-let-in",
    file: "cluster/instances.ts",
    find: "if (known !== undefined) return known === instance;",
    replace: "if (known !== undefined) return true;",
    why: "a node whose directory was emptied is spoken to under its old id",
  },
  {
    name: "lost-records-not-asked-for",
    file: "cluster/snapshots.ts",
    find: "wantedFrom: needsSnapshot ?",
    replace: "wantedFrom: needsSnapshot && log.lastIndex() < 0 ?",
    why: "a node that lost its records waits until somebody offers it some",
  },
];
