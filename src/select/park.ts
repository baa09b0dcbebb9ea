/**
 * Parked demands as records: what hangs on refs, how it is joined, withdrawn and ended.
 *
 * Called only where the entry can no longer be refused: record and index (demand.ts) change together.
 */

import { withdrawSelect } from "./select.js";
import { openState } from "./draft.js";
import { keys } from "./keys.js";
import { settleMemory } from "./request.js";
import type { Demand, Ref } from "./types.js";
import type { Txn } from "./txn.js";

/** A ref names one promise: what an earlier copy of the same request parked for it goes. */
export function parkDemand(txn: Txn, demand: Demand): void {
  for (const ref of demand.holders) withdrawRef(txn, ref);
  txn.put(keys.demand(demand.seq), demand);
  txn.demands.add(demand);
  txn.parkedSeq = demand.seq;
}

/** One more request waits behind a parked demand. */
export function joinDemand(txn: Txn, seq: number, ref: Ref): void {
  const parked = txn.demands.get(seq);
  if (!parked || txn.demands.ofRef(ref) === seq) return;
  withdrawRef(txn, ref);
  replaceDemand(txn, { ...parked.demand, holders: [...parked.demand.holders, ref] });
}

export function replaceDemand(txn: Txn, demand: Demand): void {
  txn.put(keys.demand(demand.seq), demand);
  txn.demands.replace(demand);
}

export function endDemand(txn: Txn, seq: number): void {
  txn.del(keys.demand(seq));
  txn.demands.remove(seq);
}

/**
 * The request behind `ref` is over. Unknown refs are ignored: what they waited for came first.
 *
 * @param waited it is told that nothing came, which has to be true of a repetition that joined it, too
 */
export function withdrawRef(txn: Txn, ref: Ref, waited = false): void {
  const seq = txn.demands.ofRef(ref);
  const demand = seq === undefined ? undefined : txn.demands.get(seq)?.demand;
  if (!demand) return;
  const holders = demand.holders.filter((one) => !sameRef(one, ref));
  if (holders.length > 0 && !waited) return replaceDemand(txn, { ...demand, holders });
  if (holders.length > 0) txn.effects.push({ kind: "withdrawn", holders });
  endDemand(txn, demand.seq);
  if (demand.requestKey !== undefined) settleMemory(txn, demand.requestKey, undefined);
  if (demand.kind !== "select") return;
  const carrier = openState(txn, demand.match);
  if (!carrier) return;
  carrier.removed = true;
  for (const select of carrier.now.selects) withdrawSelect(txn, select);
}

function sameRef(a: Ref, b: Ref): boolean {
  return a.seq === b.seq && a.epoch === b.epoch && a.node === b.node;
}
