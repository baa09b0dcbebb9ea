/**
 * The processing lock: leases, fencing tokens, and what ends a lease.
 *
 * Invariant S5: at most one token of a state is valid; it is fenced by log order and stamp, so a lease that has passed
 * is refused even before its `expire` entry comes. At the millisecond of its end the first of the two entries wins.
 */

import type { Refusal } from "./outcome.js";
import { touch, wake, type Draft, type OpenState } from "./draft.js";
import { tokenOf } from "./order.js";
import { refuse } from "./refusal.js";
import { arm, disarm, wholeMs } from "./timer.js";
import type { Txn } from "./txn.js";

type LockReason = "exists" | "missing" | "stale" | "expired";

export function lockRefusal(now: OpenState, reason: LockReason, message: string): Refusal {
  const details = { reason, Version: now.version };
  return refuse("lock_error", message, now.lock ? { ...details, LockUntil: now.lock.untilMs } : details);
}

/** @returns why `token` does not allow to change the state; undefined if it does */
export function checkLock(txn: Txn, { now }: Draft, token: string | undefined): Refusal | undefined {
  if (token === undefined) return lockRefusal(now, "missing", "this needs the lock of the state");
  if (now.lock?.token === token) {
    return txn.nowMs <= now.lock.untilMs ? undefined : lockRefusal(now, "expired", "the lease is over");
  }
  if (now.lock === undefined && now.expiredLock === token) return lockRefusal(now, "expired", "the lease is over");
  return lockRefusal(now, "stale", "this lock is not the current one");
}

/** Hands the state to a new holder with all results that it has. */
export function takeLease(txn: Txn, draft: Draft, leaseMs: number): void {
  const { now } = draft;
  clearDelay(txn, draft);
  const token = tokenOf({ seed: txn.seed, index: txn.index, seq: txn.nextSeq() });
  const untilMs = wholeMs(txn.nowMs + leaseMs);
  const deadlineKey = arm(txn, untilMs, { kind: "lease", state: draft.id, token });
  const delivered = now.selects.filter((select) => select.result !== undefined).map((select) => select.id);
  now.lock = { token, untilMs, leaseMs, deadlineKey, delivered };
  now.expiredLock = undefined;
  now.attempt += 1;
  touch(draft, "state.handed_out");
}

/** Moves the end of the current lease. */
export function extendLease(txn: Txn, { now }: Draft, untilMs: number): void {
  if (!now.lock) return;
  disarm(txn, now.lock.deadlineKey);
  const until = wholeMs(untilMs);
  const deadlineKey = arm(txn, until, { kind: "lease", state: now.id, token: now.lock.token });
  now.lock = { ...now.lock, untilMs: until, deadlineKey };
}

/** A checkpoint: the lease goes on for its own length from now, and never ends earlier than it would have. */
export function renewLease(txn: Txn, draft: Draft): void {
  const { lock } = draft.now;
  if (lock) extendLease(txn, draft, Math.max(lock.untilMs, txn.nowMs + lock.leaseMs));
}

/** Ends the current lease, whatever the reason. */
export function dropLease(txn: Txn, draft: Draft): void {
  const { now } = draft;
  if (!now.lock) return;
  disarm(txn, now.lock.deadlineKey);
  now.lock = undefined;
  wake(txn, draft);
}

/** Ends the lease without a put-back: the next holder sees what the last one reported. */
export function abandonLease(txn: Txn, draft: Draft): void {
  draft.now.lastDetails = draft.now.lock?.details ?? draft.now.lastDetails;
  dropLease(txn, draft);
}

/** Not handed out before `delayMs` have passed. */
export function setDelay(txn: Txn, draft: Draft, delayMs: number): void {
  clearDelay(txn, draft);
  if (!(delayMs > 0)) return;
  const untilMs = wholeMs(txn.nowMs + delayMs);
  draft.now.delayed = { untilMs, deadlineKey: arm(txn, untilMs, { kind: "delay", state: draft.id }) };
}

export function clearDelay(txn: Txn, { now }: Draft): void {
  if (!now.delayed) return;
  disarm(txn, now.delayed.deadlineKey);
  now.delayed = undefined;
}

export function pause(draft: Draft, reason: string): void {
  draft.now.paused = { reason };
  touch(draft, "state.paused");
}
