/**
 * PUT and PATCH of a state: create it, or put it back under its lock. Protocol section 2.
 */

import { clearDelay, checkLock, dropLease, lockRefusal, renewLease } from "./lock.js";
import { writeData } from "./data.js";
import { openState, touch, type Draft } from "./draft.js";
import { applyExtras, createState, type Spawned } from "./extras.js";
import { checkNew, planPatch, planPut, tooMany, type Held, type Plan } from "./plan.js";
import { accept, refuse, type Handled } from "./refusal.js";
import { withdrawSelect } from "./select.js";
import { handOutOf } from "./settle.js";
import type { PatchCommand, PutCommand } from "./command.js";
import type { Answer, Refusal } from "./outcome.js";
import type { PutAnswer } from "./types.js";
import type { Txn } from "./txn.js";

type PutBack = PutCommand | PatchCommand;

export function putState(txn: Txn, command: PutCommand): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return command.lock === undefined ? create(txn, command) : missing(command);
  return repeat(txn, draft, command) ?? putBack(txn, draft, command);
}

export function patchState(txn: Txn, command: PatchCommand): Handled {
  const draft = openState(txn, command.id);
  if (!draft) return missing(command);
  return repeat(txn, draft, command) ?? putBack(txn, draft, command);
}

export function missing({ id }: { readonly id: string }): Refusal {
  return refuse("not_found", `there is no state ${id}`);
}

/** `If-Match`: the optimistic check that any mutation of a state may carry. Version 0, of none, is not one to match. */
export function checkVersion(version: number, ifVersion: number | undefined): Refusal | undefined {
  if (ifVersion === undefined || (ifVersion === version && version > 0)) return undefined;
  return refuse("version_mismatch", `the version is ${version}`, { Version: version });
}

function create(txn: Txn, command: PutCommand): Handled {
  const mismatch = checkVersion(0, command.ifVersion) ?? checkNew(command.selects, txn.settings.selectsMax);
  if (mismatch) return mismatch;
  const [unknown] = command.cancel ?? [];
  if (unknown !== undefined) return refuse("bad_request", `select ${unknown} is cancelled but unknown`);
  if (command.hold) return refuse("bad_request", "a state that is created has no lock to hold");
  const draft = createState(txn, command);
  const spawned = applyExtras(txn, draft, { extras: command, selects: command.selects });
  return spawned.ok ? finish(txn, draft, { command, spawned, created: true }) : spawned;
}

function putBack(txn: Txn, draft: Draft, command: PutBack): Handled {
  const refusal = checkVersion(draft.now.version, command.ifVersion) ?? checkHolder(txn, draft, command);
  if (refusal) return refusal;
  const held: Held = {
    selects: draft.now.selects,
    delivered: draft.now.lock?.delivered ?? [],
    hold: command.hold ?? false,
    cancel: command.cancel ?? [],
    nowMs: txn.nowMs,
  };
  const plan = command.kind === "put" ? planPut(command.selects, held) : planPatch(command.add ?? [], held);
  if (!plan.ok) return plan;
  const { selectsMax } = txn.settings;
  if (plan.added.length > 0 && plan.kept.length + plan.added.length > selectsMax) return tooMany(selectsMax);
  store(txn, draft, command);
  applyPlan(txn, draft, plan, held.hold);
  const spawned = applyExtras(txn, draft, { extras: command, selects: plan.added });
  return spawned.ok ? finish(txn, draft, { command, spawned, created: false }) : spawned;
}

/** Without a lock a PUT is a create, and the state exists. */
function checkHolder(txn: Txn, draft: Draft, { kind, lock }: PutBack): Refusal | undefined {
  if (kind === "put" && lock === undefined) return lockRefusal(draft.now, "exists", "the state exists");
  return checkLock(txn, draft, lock);
}

/** PUT replaces everything; PATCH what it names, `null` removes. */
function store(txn: Txn, draft: Draft, command: PutBack): void {
  const { now } = draft;
  const whole = command.kind === "put";
  if (whole || command.data !== undefined) writeData(txn, draft, command.data ?? undefined);
  if (whole || command.vars !== undefined) now.vars = command.vars ?? undefined;
  if (whole || command.callback !== undefined) now.callback = command.callback ?? undefined;
}

function applyPlan(txn: Txn, draft: Draft, plan: Plan, hold: boolean): void {
  const { now } = draft;
  now.selects = [...plan.kept];
  for (const select of plan.cancelled) withdrawSelect(txn, select);
  touch(draft, hold ? "state.changed" : "state.put_back");
  if (hold && now.lock) return renewLease(txn, draft);
  dropLease(txn, draft);
  clearDelay(txn, draft);
  now.attempt = 0;
  now.lastDetails = undefined;
  now.lastError = undefined;
}

interface Finish {
  readonly command: PutBack;
  readonly spawned: Spawned;
  readonly created: boolean;
}

function finish(txn: Txn, draft: Draft, { command, spawned, created }: Finish): Handled {
  startWait(txn, draft, command);
  return accept(() => {
    const { now } = draft;
    const put: { -readonly [K in keyof PutAnswer]: PutAnswer[K] } = {
      kind: "put",
      created,
      id: draft.id,
      status: now.status,
      version: now.version,
      createdAtMs: now.createdAtMs,
      updatedAtMs: now.updatedAtMs,
    };
    if (command.hold && now.lock) {
      put.lease = { token: now.lock.token, untilMs: now.lock.untilMs, attempt: now.attempt };
    }
    if (spawned.reports) put.spawned = spawned.reports();
    if (command.lock !== undefined) now.lastPut = { lock: command.lock, digest: digestOf(command), answer: put };
    return waited(txn, put);
  });
}

/**
 * The last accepted put-back once more: the same answer, whatever became of the state since. A wait begins anew. A
 * checkpoint that has nothing new to store still says that its holder is alive.
 */
function repeat(txn: Txn, draft: Draft, command: PutBack): Handled | undefined {
  const { lastPut } = draft.now;
  if (lastPut === undefined || lastPut.lock !== command.lock || lastPut.digest !== digestOf(command)) return undefined;
  if (checkLock(txn, draft, command.lock) === undefined) {
    renewLease(txn, draft);
    draft.quiet = true;
  }
  startWait(txn, draft, command);
  return { ok: true, answer: () => waited(txn, lastPut.answer), repeated: true };
}

/** The same body means something else to PUT and PATCH. */
function digestOf({ kind, digest }: PutBack): string {
  return `${kind} ${digest}`;
}

/** A state with a callback is handed to the callback only. */
function startWait(txn: Txn, draft: Draft, { wait }: PutBack): void {
  if (wait && !draft.now.callback) txn.ownWait = { draft, wait, handedOut: false };
}

function waited(txn: Txn, put: PutAnswer): Answer {
  if (!txn.ownWait) return put;
  if (!txn.ownWait.handedOut) return { kind: "parked", put };
  return { kind: "handOuts", handOuts: [handOutOf(txn, txn.ownWait.draft)], put };
}
