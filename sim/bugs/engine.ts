/**
 * Mistakes in the select engine.
 */
import type { Bug } from "./bug.js";

export const engineBugs: readonly Bug[] = [
  {
    name: "last-in-first-out",
    file: "src/select/select.ts",
    find: "let key = queueOf(chan, side).head;",
    replace: "let key = queueOf(chan, side).tail;",
    why: "the newest waiter is served first",
  },
  {
    name: "losers-stay",
    file: "src/select/select.ts",
    find: "if (parked) withdrawSelect(txn, select);",
    replace: "if (parked && select.cases.length === 1) withdrawSelect(txn, select);",
    why: "the other cases of a resolved select stay in their queues",
  },
  {
    name: "timer-early",
    file: "src/select/select.ts",
    find: 'if (one.op === "time") return one.deadlineMs <= txn.nowMs;',
    replace: 'if (one.op === "time") return one.deadlineMs <= txn.nowMs + 5;',
    why: "a time case is ready some milliseconds too early",
  },
  {
    name: "timer-twice",
    file: "src/select/expire.ts",
    find: "    txn.del(key);\n    expire(txn, deadline);",
    replace: '    if (deadline.kind !== "delay") txn.del(key);\n    expire(txn, deadline);',
    why: "a delay that is over stays armed",
  },
  {
    name: "no-refill",
    file: "src/select/select.ts",
    find: "    refill(txn, chan);",
    replace: "    if (chan.count > 0) refill(txn, chan);",
    why: "a receive that empties a buffer leaves the blocked sender where it is",
  },
  {
    name: "token-again",
    file: "src/select/lock.ts",
    find: "tokenOf({ seed: txn.seed, index: txn.index, seq: txn.nextSeq() })",
    replace: "tokenOf({ seed: txn.seed, index: 1 + (txn.nextSeq() % 16), seq: 1 })",
    why: "tokens of leases come back",
  },
  {
    name: "expired-lease-valid",
    file: "src/select/lock.ts",
    find: "return txn.nowMs <= now.lock.untilMs ? undefined",
    replace: "return now.lock.untilMs > 0 ? undefined",
    why: "the holder of a lease that is over is let in until the clock hand comes by",
  },
  {
    name: "answers-not-remembered",
    file: "src/select/machine.ts",
    find: "if (!recalled) remember(txn, answer);",
    replace: 'if (!recalled && answer.kind !== "state") remember(txn, answer);',
    why: "a repeated request is done twice",
  },
  {
    name: "pending-lost-on-restart",
    file: "src/select/machine.ts",
    find: "      this.#pending.add(taker, id, seq);",
    replace: '      if (taker === "callback") this.#pending.add(taker, id, seq);',
    why: "a node that starts again does not know who waits to be handed out, and goes its own way",
  },
  {
    name: "demand-order-lost",
    file: "src/select/demand.ts",
    find: "if (head && (oldest === undefined || head.demand.seq < oldest.demand.seq)) oldest = head;",
    replace: "if (head) oldest = head;",
    why: "a poll with a longer prefix overtakes older ones",
  },
  {
    name: "buffer-overflows",
    file: "src/select/select.ts",
    find: 'const room = one.op === "send" ? chan.count < chan.buffer : chan.count > 0;',
    replace: 'const room = one.op === "send" ? chan.count <= chan.buffer && chan.buffer > 0 : chan.count > 0;',
    why: "a buffer takes one value too many",
  },
  {
    name: "heartbeat-too-long",
    file: "src/select/lock.ts",
    find: "  disarm(txn, now.lock.deadlineKey);\n  const until = wholeMs(untilMs);",
    replace: "  const until = wholeMs(untilMs);",
    why: "the deadline of a lease that was extended stays armed",
  },
];
