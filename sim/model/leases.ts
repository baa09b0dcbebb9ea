/**
 * The verbs on one state that are no put-back, for the naive model: leases, pause, removal, and deadlines that are due.
 * Protocol section 3, semantics C.5.
 */
import type { Command } from "../../src/select/command.js";
import { lease } from "./grants.js";
import { objectToLock, type Objections } from "./rules.js";
import { demand, textOf, type ModelDeadline, type ModelState, type World } from "./world.js";

export type StateCommand = Extract<
  Command,
  { readonly kind: "delete" | "lock" | "unlock" | "pause" | "resume" | "callbackFailed" }
>;

/** Everything wrong with `command`; `state` is absent when it does not exist. */
export function objectToVerb(world: World, command: StateCommand, state: ModelState | undefined): Objections {
  if (!state) return new Set(["not_found"]);
  const found: Objections = new Set();
  if ("ifVersion" in command && command.ifVersion !== undefined && command.ifVersion !== state.version) {
    found.add("version_mismatch");
  }
  const add = (objections: Objections) => objections.forEach((code) => found.add(code));
  if (command.kind === "delete" && !command.force) add(objectToLock(state, command.lock, world.nowMs));
  if (command.kind === "unlock" || command.kind === "callbackFailed") {
    add(objectToLock(state, command.lock, world.nowMs));
  }
  if (command.kind === "lock") {
    if (command.lock !== undefined) add(objectToLock(state, command.lock, world.nowMs));
    else {
      if (state.lock) found.add("lock_error");
      if (state.paused !== undefined) found.add("busy");
    }
  }
  return found;
}

export function remove(world: World, state: ModelState): void {
  for (const select of state.selects) world.forget(select);
  for (const kind of ["lease", "delay", "retain"] as const) world.disarm(state, kind);
  world.states.delete(state.id);
}

/** The holder is gone; `counts`: this hand-out is an attempt that failed. */
function endLease(world: World, state: ModelState, counts: boolean): void {
  demand(state.lock, "a lease ends");
  if (state.lock.details !== undefined) state.lastDetails = state.lock.details;
  delete state.lock;
  world.disarm(state, "lease");
  if (!counts) state.attempt = Math.max(0, state.attempt - 1);
  world.touched.add(state);
}

function delay(world: World, state: ModelState, delayMs: number): void {
  if (delayMs <= 0) return;
  state.delayedUntilMs = world.nowMs + delayMs;
  world.deadlines.push({ kind: "delay", dueMs: state.delayedUntilMs, state });
}

/** Carries out an accepted verb. @param token of the lease the engine gave, for a lease by hand */
export function runVerb(world: World, command: StateCommand, state: ModelState, token: () => string): void {
  switch (command.kind) {
    case "delete":
      remove(world, state);
      return;
    case "lock":
      if (command.lock === undefined) {
        lease(world, state, { token: token(), leaseMs: command.forMs });
      } else extend(world, state, command.forMs);
      if (state.lock && command.details !== undefined) state.lock.details = textOf(command.details);
      return;
    case "unlock":
      endLease(world, state, false);
      delay(world, state, command.delayMs);
      return;
    case "pause":
      if (state.paused !== undefined) return;
      world.touched.add(state);
      state.paused = command.reason;
      return;
    case "resume":
      if (state.paused === undefined) return;
      world.touched.add(state);
      world.disarm(state, "delay");
      delete state.paused;
      delete state.delayedUntilMs;
      state.lastError = undefined;
      state.attempt = 0;
      return;
    case "callbackFailed":
      endLease(world, state, true);
      state.lastError = command.error;
      if (command.pause) state.paused = "callback";
      else if (state.attempt >= (world.settings?.attemptsMax ?? Infinity)) state.paused = "attempts";
      else delay(world, state, command.delayMs);
  }
}

function extend(world: World, state: ModelState, forMs: number): void {
  demand(state.lock, "a heartbeat under a lock");
  state.lock.untilMs = world.nowMs + forMs;
  world.disarm(state, "lease");
  world.deadlines.push({ kind: "lease", dueMs: state.lock.untilMs, state });
}

/** One due deadline of an `expire` entry. What it waited for may be gone by now. */
export function expire(world: World, due: ModelDeadline): void {
  if (!world.deadlines.includes(due) || due.dueMs > world.nowMs) return;
  const { state } = due;
  switch (due.kind) {
    case "time":
    case "notBefore":
      world.fire(due);
      return;
    case "lease":
      demand(state, "a lease is of a state");
      endLease(world, state, true);
      if (state.attempt >= (world.settings?.attemptsMax ?? Infinity)) state.paused ??= "attempts";
      return;
    case "delay":
      demand(state, "a delay is of a state");
      world.disarm(state, "delay");
      delete state.delayedUntilMs;
      world.touched.add(state);
      return;
    case "retain":
      demand(state, "retention is of a state");
      remove(world, state);
      return;
    case "request":
      world.deadlines = world.deadlines.filter((one) => one !== due);
      world.memory.delete(due.memory ?? "");
  }
}
