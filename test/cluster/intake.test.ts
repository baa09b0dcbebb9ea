import { configurationOf } from "../raft/messages.js";
import { expect, it } from "vitest";
import { Intake } from "../../cluster/intake.js";
import type { Forward } from "../../cluster/types.js";
import { MemoryLog } from "../../raft/memory-log.js";
import { Raft } from "../../raft/raft.js";
import { decodeEntry, encodeEntry } from "../../src/codec.js";
import { named, nameOf } from "./mesh.js";

/** A cluster of one: what its intake takes is what it commits. */
function open({ uncommittedBytesMax = 1 << 20 } = {}) {
  const log = new MemoryLog();
  const raft = new Raft({
    ...{ id: "n1", configuration: configurationOf(["n1"]), electionTicks: 10, heartbeatTicks: 1, random: () => 0, log },
    hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
    ...{ appliedIndex: 0, appendBytesMax: 1 << 20, inflightMax: 8, uncommittedBytesMax },
    ...{ preVote: false, checkQuorum: false },
  });
  const world = { nowMs: 1000, congested: false };
  const intake = new Intake(
    raft,
    () => world.nowMs,
    () => world.congested,
  );
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
  return { raft, intake, world, run, elect, taken };
}

const forward = (seq: number, name = `${seq}`): Forward => ({
  seq,
  data: encodeEntry({ node: "n2", epoch: 1, seq }, named(name)),
});

it("takes nothing unless this node leads the very term the sender believes in", () => {
  const { intake, elect, run } = open();
  expect(intake.accept("n2", 1, 1, [forward(1)])).toEqual({ seqs: [1], reason: "not_leader" });
  elect();
  expect(intake.accept("n2", 1, 2, [forward(1)])).toEqual({ seqs: [1], reason: "not_leader" });
  expect(intake.accept("n2", 1, 0, [forward(1), forward(2)])).toEqual({ seqs: [1, 2], reason: "not_leader" });
  expect(intake.accept("n2", 1, 1, [forward(1)])).toBeUndefined();
  expect(run()).toEqual(["1"]);
});

it("takes each number of an origin once, and only what is new of a batch", () => {
  const { intake, elect, run } = open();
  elect();
  expect(intake.accept("n2", 1, 1, [forward(1), forward(2)])).toBeUndefined();
  expect(intake.accept("n2", 1, 1, [forward(1), forward(2)])).toBeUndefined();
  expect(intake.accept("n2", 1, 1, [forward(2), forward(3)])).toBeUndefined();
  expect(run()).toEqual(["1", "2", "3"]);
});

it("counts for each origin, and for each run of it, by itself", () => {
  const { intake, elect, run } = open();
  elect();
  intake.accept("n2", 1, 1, [forward(5, "a")]);
  intake.accept("n3", 1, 1, [forward(1, "b")]);
  intake.accept("n2", 2, 1, [forward(1, "c")]);
  intake.accept("n2", 1, 1, [forward(5, "again")]);
  expect(run()).toEqual(["a", "b", "c"]);
});

it("takes again what it refused, if its origin did not hear of it", () => {
  const { intake, world, elect, run } = open();
  elect();
  world.congested = true;
  expect(intake.accept("n2", 1, 1, [forward(1)])).toEqual({ seqs: [1], reason: "overloaded" });
  world.congested = false;
  expect(intake.accept("n2", 1, 1, [forward(1)])).toBeUndefined();
  expect(run()).toEqual(["1"]);
});

it("refuses what exceeds the uncommitted bytes", () => {
  const { intake, elect, run } = open({ uncommittedBytesMax: 150 });
  elect();
  expect(intake.accept("n2", 1, 1, [forward(1, "x".repeat(100))])).toBeUndefined();
  expect(intake.accept("n2", 1, 1, [forward(2, "y".repeat(100))])).toEqual({ seqs: [2], reason: "overloaded" });
  run();
  expect(intake.accept("n2", 1, 1, [forward(2, "y".repeat(100))])).toBeUndefined();
});

it("stamps with its own clock, and a repetition does not change a stamp", () => {
  const { intake, world, elect, run, taken } = open();
  elect();
  const one = forward(1);
  intake.accept("n2", 1, 1, [one]);
  world.nowMs = 2000;
  intake.accept("n2", 1, 1, [one, forward(2)]);
  run();
  expect(taken.map(({ nowMs }) => nowMs)).toEqual([1000, 2000]);
});
