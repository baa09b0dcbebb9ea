/**
 * A plain request: one anonymous select, alive only while it waits. Protocol section 4.
 *
 * Its carrier is a state that is never listed, versioned or handed out; a demand of kind `select` knows who waits.
 */

import { newState } from "./draft.js";
import { parkDemand } from "./park.js";
import { checkNew } from "./plan.js";
import { accept, refuse, type Handled } from "./refusal.js";
import { register } from "./select.js";
import type { Command } from "./command.js";
import type { Txn } from "./txn.js";

type SelectCommand = Extract<Command, { kind: "select" }>;

/** Control characters do not occur in IDs that clients choose. */
const carrierPrefix = "\u0001";

export function runAnonymous(txn: Txn, { cases, choice, wait }: SelectCommand): Handled {
  const spec = { id: "1", cases, choice };
  const refusal = checkNew([spec], 1);
  if (refusal) return refusal;
  const seq = txn.nextSeq();
  const id = carrierPrefix + seq.toString();
  const carrier = newState(txn, id);
  carrier.now.anonymous = { demand: seq };
  register(txn, carrier, spec);
  const result = carrier.now.selects[0]?.result;
  if (result) return accept(() => ({ kind: "result", result }));
  if (!wait) return refuse("not_ready", "no case is ready");
  const demand = { seq, kind: "select", match: id, slots: 1, leaseMs: 0, holders: [wait.ref] } as const;
  parkDemand(txn, txn.requestKey === undefined ? demand : { ...demand, requestKey: txn.requestKey });
  return accept(() => ({ kind: "parked" }));
}
