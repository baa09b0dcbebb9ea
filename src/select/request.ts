/**
 * Request-Id: the first accepted answer is kept and repeated, and repeats join a first request that still waits.
 *
 * The memory is scoped to route and target and outlives the state. Refusals are not remembered: a repeat is a new attempt.
 */

import { keys } from "./keys.js";
import { refuse, type Handled } from "./refusal.js";
import { arm, wholeMs } from "./timer.js";
import type { Command } from "./command.js";
import type { Answer, Remembered } from "./outcome.js";
import type { Ref } from "./types.js";
import type { Txn } from "./txn.js";

/** Where the answer to `command` is remembered; undefined if it carries no Request-Id. */
export function requestKeyOf(command: Command): string | undefined {
  if (!("requestId" in command) || command.requestId === undefined) return undefined;
  if (command.kind === "select") return keys.request(command.route, "", command.requestId);
  return keys.request(command.kind, "id" in command ? command.id : command.chan, command.requestId);
}

/**
 * What a repeat gets; undefined if there is nothing to repeat.
 *
 * @param join makes the repeat another holder of the demand behind which the first request waits
 */
export function recall(
  txn: Txn,
  { command, join }: { command: Command; join: (demand: number, ref: Ref) => void },
): Handled | undefined {
  const memory = txn.requestKey === undefined ? undefined : txn.get<Remembered>(txn.requestKey);
  if (memory === undefined) return undefined;
  const { answer, waiting } = memory;
  const wait = "wait" in command ? command.wait : undefined;
  if (waiting !== undefined && wait !== undefined) {
    join(waiting.demand, wait.ref);
    return repeated(answer?.kind === "put" ? { kind: "parked", put: answer } : { kind: "parked" });
  }
  return answer === undefined ? refuse("not_ready", "the first request still waits") : repeated(answer);
}

/** Remembers the answer of the entry; one that waits is completed by {@link settleMemory}. */
export function remember(txn: Txn, answer: Answer): void {
  if (txn.requestKey === undefined) return;
  if (answer.kind !== "parked" || txn.parkedSeq === undefined) return keep(txn, txn.requestKey, answer);
  const waiting = { demand: txn.parkedSeq };
  if (!answer.put) return txn.put(txn.requestKey, { waiting });
  keep(txn, txn.requestKey, answer.put);
  txn.put(txn.requestKey, { answer: answer.put, waiting });
}

/**
 * The wait behind a remembered request is over. Without `final` it was withdrawn: a plain request is forgotten, a PUT
 * keeps the answer it had.
 */
export function settleMemory(txn: Txn, key: string, final: ((put: Answer | undefined) => Answer) | undefined): void {
  const memory = txn.get<Remembered>(key);
  if (memory?.waiting === undefined) return;
  const answer = final ? final(memory.answer) : memory.answer;
  if (answer === undefined) txn.del(key);
  else if (memory.answer === undefined) keep(txn, key, answer);
  else txn.put(key, { answer });
}

function keep(txn: Txn, key: string, answer: Answer): void {
  txn.put(key, { answer });
  arm(txn, wholeMs(txn.nowMs + txn.settings.requestMemoryMs), { kind: "request", key });
}

function repeated(answer: Answer): Handled {
  return { ok: true, answer: () => answer, repeated: true };
}
