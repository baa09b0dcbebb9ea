/**
 * Commands about a state as a whole: delete, pause, resume; and how a state ends.
 */

import { writeData } from "./data.js";
import { openState, touch, wake, type Draft } from "./draft.js";
import { stateAnswer } from "./holder.js";
import { checkLock, clearDelay, pause } from "./lock.js";
import { checkVersion, missing } from "./put.js";
import { done, type Handled } from "./refusal.js";
import { withdrawSelect } from "./select.js";
import { disarm } from "./timer.js";
import type { Command } from "./command.js";
import type { Txn } from "./txn.js";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

export function deleteState(txn: Txn, command: Of<"delete">): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  const refusal =
    checkVersion(draft.now.version, command.ifVersion) ??
    (command.force ? undefined : checkLock(txn, draft, command.lock));
  if (refusal) return refusal;
  removeState(txn, draft);
  return done;
}

/** Not handed out any more; whoever holds it may still put it back, and its selects stay queued. */
export function pauseState(txn: Txn, command: Of<"pause">): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  const refusal = checkVersion(draft.now.version, command.ifVersion);
  if (refusal) return refusal;
  if (!draft.now.paused) pause(draft, command.reason);
  return stateAnswer(draft);
}

export function resumeState(txn: Txn, command: Of<"resume">): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  const refusal = checkVersion(draft.now.version, command.ifVersion);
  if (refusal) return refusal;
  if (!draft.now.paused) return stateAnswer(draft);
  draft.now.paused = undefined;
  draft.now.lastError = undefined;
  draft.now.attempt = 0;
  clearDelay(txn, draft);
  touch(draft, "state.resumed");
  wake(txn, draft);
  return stateAnswer(draft);
}

/** Leaves nothing: no waiter, no deadline, no data; requests that wait for the state are told. */
export function removeState(txn: Txn, draft: Draft): void {
  const { now } = draft;
  for (const select of now.selects) if (!select.result) withdrawSelect(txn, select);
  if (now.lock) disarm(txn, now.lock.deadlineKey);
  if (now.retainKey !== undefined) disarm(txn, now.retainKey);
  clearDelay(txn, draft);
  writeData(txn, draft, undefined);
  draft.removed = true;
  touch(draft, "state.deleted");
  for (const seq of txn.demands.onState(draft.id)) txn.grants.set(seq, []);
}
