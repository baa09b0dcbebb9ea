/**
 * Mistakes on the way of a request: proposals, the leader's door, waits, the clock hand.
 */
import type { Bug } from "./bug.js";

export const shellBugs: readonly Bug[] = [
  {
    name: "repetitions-taken",
    file: "cluster/intake.ts",
    find: "const repeated = batch.filter(({ seq }) => seq <= source.decided);",
    replace: "const repeated = batch.filter(({ seq }) => seq < 0);",
    why: "a command that was sent twice is done twice (Redis-Raft #13)",
  },
  {
    name: "no-term-fence",
    file: "cluster/intake.ts",
    find: 'if (raft.role !== "leader" || raft.term !== term) {',
    replace: 'if (raft.role !== "leader") {',
    why: "a command decided under one term is proposed in another (NATS TestNRGTermFencedProposals)",
  },
  {
    name: "sent-again-too-soon",
    file: "cluster/proposals.ts",
    find: "if (this.#undecided === 0 || this.#target.term >= term) return;",
    replace: "if (this.#undecided === 0) return;",
    why: "the beginning of the term under which a command was sent is taken for its end",
  },
  {
    name: "any-copy-refused",
    file: "cluster/proposals.ts",
    find: "else if (--proposal.copies === 0) this.#unsend(proposal);",
    replace: "else if (--proposal.copies >= 0) this.#unsend(proposal);",
    why: "one refused copy of two counts as the refusal of both",
  },
  {
    name: "unknown-told-as-nothing",
    file: "cluster/proposals.ts",
    find: "proposal.sentTerm === 0 ? noLeader() : unknown()",
    replace: "proposal.sentTerm >= 0 ? noLeader() : unknown()",
    why: "a request without an answer is told that nothing was done",
  },
  {
    name: "clock-hand-stays",
    file: "cluster/duties.ts",
    find: "    this.#configure();\n    timers.start();",
    replace: "    this.#configure();\n    if (term < 2) timers.start();",
    why: "only the first leader fires timers",
  },
  {
    name: "failed-fire-forgotten",
    file: "cluster/timers.ts",
    find: "this.#cancel = this.#time.after(sleepMsMax, () => this.start());",
    replace: "this.#cancel = this.#time.after(sleepMsMax, () => this.stop());",
    why: "after one proposal that failed no timer fires in this term",
  },
  {
    name: "wait-not-withdrawn",
    file: "cluster/waits.ts",
    find: "return this.#withdraw(parked);",
    replace: 'return { kind: "withdrawn", index, outcome };',
    why: "a request that gave up stays parked, and what comes to it is lost",
  },
  {
    name: "leftovers-left",
    file: "cluster/waits.ts",
    find: "if (!isUntouched(error)) this.#leave(ref);",
    replace: "if (isUntouched(error)) this.#leave(ref);",
    why: "a request whose end is unknown stays parked",
  },
  {
    name: "uncertain-end-told-as-empty",
    file: "cluster/waits.ts",
    find: "if (withdrawnIndex === undefined && wait.dropped === undefined && !handsOut) throw unknownEnd();",
    replace: "if (withdrawnIndex !== undefined && wait.dropped === undefined && !handsOut) throw unknownEnd();",
    why: "a receive is told that there was nothing, and a value goes to it",
  },
  {
    name: "read-before-applied",
    file: "cluster/reads.ts",
    find: "if (index <= this.#options.applied()) read.resolve();",
    replace: "if (index >= 0) read.resolve();",
    why: "a read is answered before its index is applied",
  },
  {
    name: "restart-not-forgotten",
    file: "cluster/start.ts",
    find: 'node.submit({ kind: "forget", node: node.id, epoch })',
    replace: 'node.submit({ kind: "forget", node: node.id, epoch: 0 })',
    why: "what an earlier run left parked takes what others wait for",
  },
];
