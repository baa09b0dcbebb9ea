/**
 * Deadlines: armed as records that the leader's clock scans in key order, disarmed by deleting them.
 */

import { keys } from "./keys.js";
import type { Deadline } from "./types.js";
import type { Txn } from "./txn.js";

/** Beyond it a key would leave its sixteen digits: effectively never. */
const dueMsMax = Number.MAX_SAFE_INTEGER;

/** A whole, storable time that is not before `ms`: never early. */
export function wholeMs(ms: number): number {
  return Math.min(Math.ceil(ms), dueMsMax);
}

/** @returns the key, to disarm it with */
export function arm(txn: Txn, dueMs: number, deadline: Deadline, seq?: number): string {
  const key = keys.deadline(dueMs, seq ?? txn.nextSeq());
  // Under a number of its own it may be armed anew.
  if (seq === undefined) txn.create(key, deadline);
  else txn.put(key, deadline);
  txn.effects.push({ kind: "armed", key });
  return key;
}

export function disarm(txn: Txn, key: string): void {
  txn.del(key);
}
