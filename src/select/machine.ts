/**
 * The select engine: applies one committed entry after the other. Start reading here, then select.ts.
 *
 * Pure and synchronous: what comes out is a function of the log. Total: no command can make it throw, only a broken
 * invariant does. One entry is one transaction (txn.ts); a refusal drops it and only log time moves on.
 */

import { unreachable } from "../invariant.js";
import { runAnonymous } from "./anonymous.js";
import { closeChan, dropChan, makeChan } from "./channels.js";
import { Demands } from "./demand.js";
import { expireDeadlines } from "./expire.js";
import { failCallback, lockState, unlockState } from "./holder.js";
import { keys } from "./keys.js";
import { joinDemand, withdrawRef } from "./park.js";
import { PendingStates, type PendingRecord } from "./pending.js";
import { patchState, putState } from "./put.js";
import { done, refuse, type Handled } from "./refusal.js";
import { recall, remember, requestKeyOf } from "./request.js";
import { seal, settle } from "./settle.js";
import { deleteState, pauseState, resumeState } from "./state.js";
import { takePending } from "./take.js";
import { Txn } from "./txn.js";
import type { Command, Entry } from "./command.js";
import type { Applied, Outcome } from "./outcome.js";
import type { Demand, Meta, Ref, State } from "./types.js";
import type { View } from "./view.js";

export class Machine {
  readonly #view: View;
  #pending = new PendingStates();
  #demands = new Demands();

  /** An empty view, or one whose indexes are then loaded. */
  constructor(view: View) {
    this.#view = view;
  }

  /** Parked demands for states; plain requests that wait are not counted. */
  get demandCount(): number {
    return this.#demands.size;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Rebuilds what lives in memory from the `p` and `q` records, in key order. */
  load(pending: Iterable<readonly [seq: number, PendingRecord | string]>, demands: Iterable<Demand>): void {
    this.#pending = new PendingStates();
    this.#demands = new Demands();
    for (const [seq, record] of pending) {
      const { id, taker } = typeof record === "string" ? this.#completed(record) : record;
      this.#pending.add(taker, id, seq);
    }
    for (const demand of demands) this.#demands.add(demand);
  }

  /** Earlier records were the ID alone. */
  #completed(id: string): PendingRecord {
    const state = this.#view.get(keys.state(id)) as State | undefined;
    return { id, taker: state?.callback ? "callback" : "poll" };
  }

  /** @throws InvariantError only if records contradict each other: the node must stop */
  apply(entry: Entry): Applied {
    const { command } = entry;
    const meta = this.#view.get(keys.meta) as Meta | undefined;
    if (command.kind === "configure") return this.#configure(meta, entry.nowMs, command);
    if (meta === undefined) return { outcome: refuse("no_leader", "cluster not configured"), effects: [] };
    const indexes = { pending: this.#pending, demands: this.#demands };
    const txn = new Txn(this.#view, { meta, entry, indexes, requestKey: requestKeyOf(command) });
    const outcome = run(txn, command);
    if (outcome.ok) txn.commit();
    else this.#view.put(keys.meta, { ...meta, nowMs: txn.nowMs });
    return { outcome, effects: outcome.ok ? txn.effects : [] };
  }

  /** The first one begins the cluster and fixes its seed. */
  #configure(meta: Meta | undefined, nowMs: number, command: Extract<Command, { kind: "configure" }>): Applied {
    const { seed, settings } = command;
    const counts = { waiting: 0, pending: 0, running: 0, done: 0, paused: 0 };
    const values = { sent: 0, received: 0, buffered: 0 };
    const begun: Meta = meta ?? { seq: 0, nowMs, seed, settings, counts, values };
    this.#view.put(keys.meta, { ...begun, nowMs: Math.max(begun.nowMs, nowMs), settings });
    return { outcome: { ok: true, answer: { kind: "done" } }, effects: [] };
  }
}

function run(txn: Txn, command: Command): Outcome {
  const join = (demand: number, ref: Ref) => joinDemand(txn, demand, ref);
  const recalled = recall(txn, { command, join });
  const handled = recalled ?? dispatch(txn, command);
  if (!handled.ok) return handled;
  settle(txn);
  const answer = handled.answer();
  if (!recalled) remember(txn, answer);
  seal(txn);
  return handled.repeated ? { ok: true, answer, repeated: true } : { ok: true, answer };
}

function dispatch(txn: Txn, command: Command): Handled {
  switch (command.kind) {
    case "put":
      return putState(txn, command);
    case "patch":
      return patchState(txn, command);
    case "delete":
      return deleteState(txn, command);
    case "lock":
      return lockState(txn, command);
    case "unlock":
      return unlockState(txn, command);
    case "pause":
      return pauseState(txn, command);
    case "resume":
      return resumeState(txn, command);
    case "make":
      return makeChan(txn, command);
    case "close":
      return closeChan(txn, command);
    case "drop":
      return dropChan(txn, command.chan);
    case "select":
      return runAnonymous(txn, command);
    case "demand":
      return takePending(txn, command);
    case "withdraw":
      return withdrawAll(txn, command.refs, command.waited);
    case "forget":
      return withdrawAll(txn, txn.demands.refsBefore(command.node, command.epoch));
    case "expire":
      return expireDeadlines(txn, command.keys);
    case "callbackFailed":
      return failCallback(txn, command);
    case "configure":
      return done;
    default:
      return unreachable(command);
  }
}

function withdrawAll(txn: Txn, refs: readonly Ref[], waited = false): Handled {
  for (const ref of refs) withdrawRef(txn, ref, waited);
  return done;
}
