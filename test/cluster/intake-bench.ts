/**
 * One intake over a cluster of one, for its tests.
 */
import { expect } from "vitest";
import { configurationOf } from "../raft/messages.js";
import { Intake, type Limit } from "../../cluster/intake.js";
import type { Forward, Refused } from "../../cluster/types.js";
import { MemoryLog } from "../../raft/memory-log.js";
import { Raft } from "../../raft/raft.js";
import { decodeEntry, encodeEntry } from "../../src/codec.js";
import { named, nameOf } from "./mesh.js";

/** A cluster of one: what its intake takes is what it commits. */
export function open({ uncommittedBytesMax = 1 << 20 } = {}) {
  const log = new MemoryLog();
  const raft = new Raft({
    ...{ id: "n1", configuration: configurationOf(["n1"]), electionTicks: 10, heartbeatTicks: 1, random: () => 0, log },
    hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
    ...{ appliedIndex: 0, appendBytesMax: 1 << 20, inflightMax: 8, uncommittedBytesMax },
    ...{ preVote: false, checkQuorum: false },
  });
  const world = {
    nowMs: 1000,
    congested: false,
    limit: undefined as Limit | undefined,
    applied: undefined as number | undefined,
  };
  const refusals: { origin: string; refused: Refused }[] = [];
  const intake = new Intake({
    ...{ raft, clock: () => world.nowMs, congested: () => world.congested, limit: () => world.limit },
    applied: () => world.applied ?? raft.commitIndex,
    refuse: (origin, refused) => refusals.push({ origin, refused }),
  });
  /** What `accept` refused, as far as it says so. */
  const accept = (...[origin, epoch, term, batch]: Parameters<Intake["accept"]>) => {
    refusals.length = 0;
    intake.accept(origin, epoch, term, batch);
    expect(refusals.every((one) => one.origin === origin && one.refused.epoch === epoch && one.refused.term === term));
    return refusals.map(({ refused }) => ({ seqs: refused.seqs, reason: refused.reason }));
  };
  const taken: { name: string; nowMs: number }[] = [];
  const run = () => {
    while (raft.hasReady()) {
      const ready = raft.takeReady();
      log.append(ready.entries);
      for (const { data } of ready.committed) {
        if (data.length === 0) continue;
        const { command, nowMs } = decodeEntry(data);
        taken.push({ name: nameOf(command), nowMs });
      }
      raft.persisted(ready);
    }
    return taken.map(({ name }) => name);
  };
  const elect = () => {
    raft.campaign();
    run();
  };
  /** So many ticks; what was refused meanwhile. */
  const wait = (ticks: number) => {
    refusals.length = 0;
    for (let tick = 0; tick < ticks; tick++) intake.release();
    return refusals.map(({ origin, refused: { seqs, reason } }) => ({ origin, seqs, reason }));
  };
  return { raft, intake, accept, wait, refusals, world, run, elect, taken };
}

/** For which it holds what the records are behind for. */
export const heldTicks = 40;

export const forward = (seq: number, name = `${seq}`): Forward => ({
  seq,
  data: encodeEntry({ node: "n2", epoch: 1, seq }, named(name)),
});
