/**
 * Deadlines that the leader found due. Each is checked again: what was disarmed or moved meanwhile has no record.
 */

import { openState, touch, wake } from "./draft.js";
import { expireLease } from "./holder.js";
import { dueOf } from "./keys.js";
import { done, type Handled } from "./refusal.js";
import { caseDue } from "./select.js";
import { removeState } from "./state.js";
import { unreachable } from "../invariant.js";
import type { Deadline, StateId } from "./types.js";
import type { Txn } from "./txn.js";

/** Only such keys name deadlines. */
const deadlinePrefix = "t\0";

/** In the order given: the leader's is that of the keys, (deadline, registration). */
export function expireDeadlines(txn: Txn, keys: readonly string[]): Handled {
  for (const key of keys) {
    if (!key.startsWith(deadlinePrefix) || !(dueOf(key) <= txn.nowMs)) continue;
    const deadline = txn.get<Deadline>(key);
    if (deadline === undefined) continue;
    txn.del(key);
    expire(txn, deadline);
  }
  return done;
}

function expire(txn: Txn, deadline: Deadline): void {
  switch (deadline.kind) {
    case "time":
    case "notBefore":
      return caseDue(txn, deadline);
    case "lease":
      return expireLease(txn, deadline);
    case "delay":
      return endDelay(txn, deadline.state);
    case "retain":
      return endRetention(txn, deadline.state);
    case "request":
      return txn.del(deadline.key);
    default:
      return unreachable(deadline);
  }
}

function endDelay(txn: Txn, id: StateId): void {
  const draft = openState(txn, id);
  if (!draft?.now.delayed) return;
  draft.now.delayed = undefined;
  touch(draft, "state.changed");
  wake(txn, draft);
}

function endRetention(txn: Txn, id: StateId): void {
  const draft = openState(txn, id);
  if (!draft || draft.now.selects.length > 0 || draft.now.lock) return;
  removeState(txn, draft);
}
