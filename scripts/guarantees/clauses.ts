/**
 * The promise, clause by clause: what upholds it, who looks at it, and which counts of the runs speak of it.
 *
 * Source of the sentence: reliability §5.8; of the invariants D1–D13: reliability §3.4.
 */
import type { Kind } from "../../chaos/workload.js";

export interface Clause {
  readonly promise: string;
  /** Invariants, each with the file that checks it in the simulation or against the model. */
  readonly invariants: readonly (readonly [what: string, file: string])[];
  /** Workloads of a chaos run, with the kinds of violation that would break the clause. */
  readonly workloads: readonly string[];
  readonly kinds: readonly Kind[];
  /** Groups of faults that this is about; absent: all. */
  readonly groups?: readonly string[];
}

export const sentence =
  "An acknowledged operation is fsynced on a majority, checksummed, linearizable, applied exactly once, and survives any " +
  "minority of crashed, paused, partitioned, full, or bit-rotten nodes; a select resolves at most once; a timer never fires " +
  "early or twice; a lease has one holder and a fencing token.";

const raftChecks = "sim/raft-checks.ts";
const model = "sim/model/model.ts";

export const clauses: readonly Clause[] = [
  {
    promise: "fsynced on a majority",
    invariants: [
      [
        "what is committed is on the disks of a majority; a message is sent after what it promises is durable",
        raftChecks,
      ],
      ["failing and full disks end the node before it answers", "test/storage/process.test.ts"],
    ],
    workloads: ["creates", "queue", "rendezvous", "lists", "bank"],
    kinds: ["lost"],
    groups: ["process", "failpoint"],
  },
  {
    promise: "checksummed",
    invariants: [
      ["one flipped bit in any file is found, or changes nothing", "test/storage/store-damage.test.ts"],
      ["a damaged log is refused, never cut", "test/storage/log-damage.test.ts"],
      ["a frame that was changed on its way is refused", "test/cluster/frames.test.ts"],
    ],
    workloads: ["creates", "register", "lists"],
    kinds: ["lost", "phantom", "wrong"],
    groups: ["disk", "network"],
  },
  {
    promise: "linearizable",
    invariants: [
      ["every answer is what the one order of the log says", "sim/oracle.ts"],
      ["search for an order of each register", "chaos/linearizability.ts"],
      ["cycles among appends and reads", "chaos/append-graph.ts"],
    ],
    workloads: ["register", "lists", "queue"],
    kinds: ["stale", "reordered"],
  },
  {
    promise: "applied exactly once",
    invariants: [
      ["nothing is in two entries, nothing refused is in one (N1–N4)", "sim/oracle.ts"],
      ["D1 what is sent is received once, or still there", "sim/model/ledger.ts"],
      ["D8, D9 each change counts once; a repetition has the same answer", model],
    ],
    workloads: ["creates", "queue", "rendezvous", "bank"],
    kinds: ["lost", "duplicated", "phantom"],
  },
  {
    promise: "survives any minority of crashed, paused, partitioned, full, or bit-rotten nodes",
    invariants: [
      ["Raft's five properties, over crashes and damaged disks", raftChecks],
      ["after the faults one leader, equal records, every acknowledged entry", "sim/recovery.ts"],
    ],
    workloads: ["creates", "register", "queue", "rendezvous", "race", "bank", "lists", "leases", "timers", "callbacks"],
    kinds: ["lost", "stuck", "wrong"],
  },
  {
    promise: "a select resolves at most once",
    invariants: [
      ["D2 a select resolves once and leaves no waiter", "sim/reference.ts"],
      ["D3, D4 no partners stay unmatched; first come, first served", "sim/model/invariants.ts"],
    ],
    workloads: ["race", "rendezvous"],
    kinds: ["duplicated", "phantom"],
  },
  {
    promise: "a timer never fires early or twice",
    invariants: [["D5, D6 fired at or after it is due, once; time never goes back", model]],
    workloads: ["timers"],
    kinds: ["early", "duplicated", "lost"],
    groups: ["clock", "process"],
  },
  {
    promise: "a lease has one holder and a fencing token",
    invariants: [
      ["D7 one token at a time, never used again", model],
      ["D12 a result with an old token is refused", "sim/model/leases.ts"],
    ],
    workloads: ["leases", "callbacks"],
    kinds: ["overlap", "lost", "duplicated"],
  },
];

/** What the promise does not cover. */
export const notSurvived: readonly string[] = [
  "Loss of the disks of a majority: what only they held is gone. The cluster stops rather than go on without it.",
  "A disk that reports a write as durable and forgets it, or is set back to an earlier state: no node can tell what was never kept. If it held one of the two copies of an operation and the third node was behind, that operation is gone.",
  "Byzantine nodes and networks: peers are told apart by name, instance and cluster, not by a secret; checksums find accidents, not attacks.",
  "Wall clocks of a majority that are wrong for long: a timer is then early or late by what they are off (docs/decisions/008-one-clock-of-many.md). One wrong clock of three is survived.",
  "More than a minority down, stopped or cut off: nothing is acknowledged meanwhile, nothing acknowledged is lost, and it goes on when a majority is back.",
  "Side effects of your own code: who dies with a lease is replaced, and the next one sees the same results.",
  "A refusal (`409 not_ready`) after a try whose outcome you do not know: that try may still arrive. Go on with the same `Request-Id`, and nothing is lost or done twice.",
  "Power cuts are simulated, not pulled: real processes were killed, but the kernel kept its page cache.",
];
