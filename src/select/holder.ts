/**
 * The lock routes: heartbeat, lease by hand, giving back, and a callback that failed. Protocol section 3.
 */

import { openState, touch, type Draft } from "./draft.js";
import { abandonLease, checkLock, extendLease, lockRefusal, pause, setDelay, takeLease } from "./lock.js";
import { checkVersion, missing } from "./put.js";
import { accept, refuse, type Handled } from "./refusal.js";
import { handOutOf } from "./settle.js";
import type { Command } from "./command.js";
import type { Txn } from "./txn.js";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

export function lockState(txn: Txn, command: Of<"lock">): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  const mismatch = checkVersion(draft.now.version, command.ifVersion);
  if (mismatch) return mismatch;
  return command.lock === undefined ? takeByHand(txn, draft, command) : heartbeat(txn, draft, command);
}

/** Gives the lease back: it does not count as an attempt. */
export function unlockState(txn: Txn, command: Of<"unlock">): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  const refusal = checkVersion(draft.now.version, command.ifVersion) ?? checkLock(txn, draft, command.lock);
  if (refusal) return refusal;
  abandonLease(txn, draft);
  draft.now.attempt = Math.max(0, draft.now.attempt - 1);
  setDelay(txn, draft, command.delayMs);
  touch(draft, "state.released");
  return stateAnswer(draft);
}

export function failCallback(txn: Txn, command: Of<"callbackFailed">): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  const refusal = checkLock(txn, draft, command.lock);
  if (refusal) return refusal;
  abandonLease(txn, draft);
  draft.now.lastError = command.error;
  touch(draft, "state.released");
  if (command.pause) pause(draft, "callback");
  else if (draft.now.attempt >= txn.settings.attemptsMax) pause(draft, "attempts");
  else setDelay(txn, draft, command.delayMs);
  return stateAnswer(draft);
}

/** The `expire` entry of a lease. A lease that was extended has another deadline. */
export function expireLease(txn: Txn, { state, token }: { readonly state: string; readonly token: string }): void {
  const draft = openState(txn, state);
  const lock = draft?.now.lock;
  if (!draft || lock?.token !== token || lock.untilMs > txn.nowMs) return;
  abandonLease(txn, draft);
  draft.now.expiredLock = token;
  touch(draft, "state.released");
  if (!draft.now.paused && draft.now.attempt >= txn.settings.attemptsMax) pause(draft, "attempts");
}

export function stateAnswer(draft: Draft): Handled {
  return accept(() => ({ kind: "state", id: draft.id, status: draft.now.status, version: draft.now.version }));
}

function takeByHand(txn: Txn, draft: Draft, command: Of<"lock">): Handled {
  if (draft.now.lock) return lockRefusal(draft.now, "missing", "the state is locked by somebody else");
  if (draft.now.paused) return refuse("busy", "the state is paused", { Version: draft.now.version });
  takeLease(txn, draft, command.forMs);
  note(draft, command);
  return accept(() => ({ kind: "handOuts", handOuts: [handOutOf(txn, draft)] }));
}

/** Not a change of the state: its version stays. */
function heartbeat(txn: Txn, draft: Draft, command: Of<"lock">): Handled {
  const refusal = checkLock(txn, draft, command.lock);
  if (refusal) return refusal;
  extendLease(txn, draft, txn.nowMs + command.forMs);
  note(draft, command);
  draft.quiet = true;
  const { lock } = draft.now;
  return accept(() => ({ kind: "lease", token: lock?.token ?? "", untilMs: lock?.untilMs ?? 0 }));
}

/** What this holder reports is for the next one, should the lease end without a put-back. */
function note({ now }: Draft, { details }: Of<"lock">): void {
  if (now.lock && details) now.lock = { ...now.lock, details };
}
