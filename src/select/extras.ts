/**
 * What PUT and PATCH do beside the state itself, in the order make, close, own selects, spawn (cancel came first).
 */

import { applyClose, applyMake } from "./channels.js";
import { writeData } from "./data.js";
import { newState, stateExists, touch, type Draft } from "./draft.js";
import { checkNew } from "./plan.js";
import { refuse } from "./refusal.js";
import { register } from "./select.js";
import type { Extras, SpawnSpec } from "./command.js";
import type { Refusal } from "./outcome.js";
import type { Callback, Raw, SelectSpec, SpawnReport, StateId } from "./types.js";
import type { Txn } from "./txn.js";

/** Reports about spawned states, composed once their versions are known. */
export interface Spawned {
  readonly ok: true;
  readonly reports?: () => SpawnReport[];
}

export function applyExtras(
  txn: Txn,
  draft: Draft,
  { extras, selects }: { extras: Extras; selects: readonly SelectSpec[] },
): Spawned | Refusal {
  for (const make of extras.make ?? []) {
    const refusal = applyMake(txn, make);
    if (refusal) return refusal;
  }
  for (const close of extras.close ?? []) {
    const refusal = applyClose(txn, close);
    if (refusal) return refusal;
  }
  for (const select of selects) register(txn, draft, select);
  return extras.spawn === undefined ? { ok: true } : spawnAll(txn, extras.spawn, extras.strict ?? false);
}

/** A state as a request creates it. */
export interface Birth {
  readonly id: StateId;
  readonly data?: Raw;
  readonly vars?: Raw;
  readonly callback?: Callback;
}

/** The caller has made sure that the ID is free. Its selects are registered later. */
export function createState(txn: Txn, { id, data, vars, callback }: Birth): Draft {
  const draft = newState(txn, id);
  draft.now.vars = vars;
  draft.now.callback = callback;
  if (data !== undefined) writeData(txn, draft, data);
  touch(draft, "state.created");
  return draft;
}

function spawnAll(txn: Txn, specs: readonly SpawnSpec[], strict: boolean): Spawned | Refusal {
  const children: { readonly id: StateId; readonly draft: Draft | undefined }[] = [];
  for (const spec of specs) {
    const refusal = checkNew(spec.selects, txn.settings.selectsMax);
    if (refusal) return refusal;
    const exists = stateExists(txn, spec.id);
    if (exists && strict) return refuse("exists", `state ${spec.id} exists`, { ID: spec.id });
    const draft = exists ? undefined : createState(txn, spec);
    if (draft) for (const select of spec.selects) register(txn, draft, select);
    children.push({ id: spec.id, draft });
  }
  return { ok: true, reports: () => children.map(({ id, draft }) => reportOf(id, draft)) };
}

function reportOf(id: StateId, draft: Draft | undefined): SpawnReport {
  return draft ? { id, status: draft.now.status, version: draft.now.version } : { id, code: "exists" };
}
