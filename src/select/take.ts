/**
 * A demand for pending states: takes what is there, oldest first, and parks for the rest. Protocol section 3.
 *
 * Nothing here can be refused, so the pending index is changed at once.
 */

import { openState, type Draft } from "./draft.js";
import { takeLease } from "./lock.js";
import { parkDemand, withdrawRef } from "./park.js";
import { accept, done, type Handled } from "./refusal.js";
import { grant, handOutOf } from "./settle.js";
import type { Command } from "./command.js";
import type { Demand } from "./types.js";
import type { Txn } from "./txn.js";

type DemandCommand = Extract<Command, { kind: "demand" }>;

export function takePending(txn: Txn, command: DemandCommand): Handled {
  // A second copy of the same request replaces the first one.
  withdrawRef(txn, command.ref);
  const max = command.max >= 1 ? command.max : 1;
  return command.for === "poll" ? poll(txn, command, max) : dispatch(txn, command, max);
}

/** A poll is over with the first entry that gives it something. */
function poll(txn: Txn, command: DemandCommand, max: number): Handled {
  const drafts = takeOldest(txn, command, max);
  for (const draft of drafts) takeLease(txn, draft, command.leaseMs);
  if (drafts.length > 0 || !command.park) {
    return accept(() => ({ kind: "handOuts", handOuts: drafts.map((draft) => handOutOf(txn, draft)) }));
  }
  parkDemand(txn, demandOf(command, txn.nextSeq(), max));
  return accept(() => ({ kind: "parked" }));
}

/** A dispatcher gets its states as grants, now and later, until its slots are used up. */
function dispatch(txn: Txn, command: DemandCommand, max: number): Handled {
  const drafts = takeOldest(txn, command, max);
  const slots = command.park ? max : drafts.length;
  if (slots === 0) return done;
  const demand = demandOf(command, txn.nextSeq(), slots);
  parkDemand(txn, demand);
  for (const draft of drafts) grant(txn, demand.seq, draft);
  return drafts.length === slots ? done : accept(() => ({ kind: "parked" }));
}

function takeOldest(txn: Txn, command: DemandCommand, max: number): Draft[] {
  const prefix = command.for === "poll" ? command.prefix : "";
  const drafts: Draft[] = [];
  while (drafts.length < max) {
    const id = txn.pending.take(command.for, prefix);
    const draft = id === undefined ? undefined : openState(txn, id);
    if (!draft) break;
    drafts.push(draft);
  }
  return drafts;
}

function demandOf(command: DemandCommand, seq: number, slots: number): Demand {
  const match = command.for === "poll" ? command.prefix : "";
  return { seq, kind: command.for, match, slots, leaseMs: command.leaseMs, holders: [command.ref] };
}
