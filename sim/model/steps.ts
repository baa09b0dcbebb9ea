/**
 * One random step of a run: which command comes next, and how far the clock moves before it.
 */
import type { Command } from "../../src/select/command.js";
import type { Settings } from "../../src/select/types.js";
import {
  anonymousOf,
  createOf,
  demandOf,
  lockOf,
  mutationOf,
  patchOf,
  putBackOf,
  stateOf,
  type Context,
} from "./generator.js";
import { holdersOf } from "./plain.js";

const chans = ["x", "y", "z"] as const;

export const settings: Settings = {
  attemptsMax: 3,
  retentionMs: 60_000,
  requestMemoryMs: 120_000,
  selectsMax: 1024,
  callbackLeaseMs: 20_000,
};

/** Milliseconds from the entry before; often none. */
export function pauseOf({ random }: Pick<Context, "random">): number {
  return random.chance(0.6) ? 0 : random.of([1, 1, 9, 500, 1_000, 5_000, 31_000, 90_000]);
}

/** Deadlines for an `expire`: those due, at times also early, forgotten or made-up ones. */
function expireOf(context: Context): Command {
  const { random, deadlines, nowMs } = context;
  const due = deadlines.filter((key) => Number(key.slice(2, 18)) <= nowMs);
  const keys = random.chance(0.2) ? [...deadlines, "t\0nonsense", ""] : random.chance(0.1) ? due.slice(0, 1) : due;
  return { kind: "expire", keys };
}

function verbOf(context: Context): Command {
  const { random } = context;
  const state = stateOf(context, (one) => one.lock !== undefined);
  const id = state?.id ?? "a";
  const head = { id, ...mutationOf(context, state) };
  const lock = lockOf(context, state);
  const details = random.chance(0.5) ? { details: new Uint8Array(Buffer.from(`${random.below(9)}`)) } : {};
  switch (random.below(8)) {
    case 0:
      return { kind: "lock", ...head, ...lock, forMs: random.of([1_000, 20_000]), ...details };
    case 1: {
      const other = stateOf(context, (one) => one.lock === undefined);
      return { kind: "lock", id: other?.id ?? id, forMs: 5_000, ...details };
    }
    case 2:
    case 3:
      return { kind: "unlock", ...head, ...lock, delayMs: random.of([0, 0, 1_000, 10_000]) };
    case 4:
      return { kind: "pause", ...head, reason: random.of(["request", "other"]) };
    case 5:
      return { kind: "resume", ...head };
    case 6:
      return { kind: "delete", ...head, ...lock, ...(random.chance(0.3) ? { force: true } : {}) };
    default: {
      const delayMs = random.of([0, 1_000]);
      return { kind: "callbackFailed", id, lock: lock.lock ?? "", error: "500", delayMs, pause: random.chance(0.2) };
    }
  }
}

function chanVerbOf(context: Context): Command {
  const { random } = context;
  const head = { chan: random.of(chans), ...mutationOf(context) };
  const dice = random.next();
  if (dice < 0.5) return { kind: "make", ...head, buffer: random.below(3) };
  if (dice < 0.7) return { kind: "close", ...head, ...(random.chance(0.5) ? { value: new Uint8Array([0x31]) } : {}) };
  return { kind: "drop", ...head };
}

function goneOf(context: Context): Command {
  const { random } = context;
  if (random.chance(0.2)) return { kind: "forget", node: random.of(["n1", "n2"]), epoch: random.of([1, 2, 3]) };
  const refs = holdersOf(context.world).filter(() => random.chance(0.4));
  const waited = random.chance(0.3) ? { waited: true } : {};
  return { kind: "withdraw", refs: [...refs, { node: "n1", epoch: 1, seq: 999_999 }], ...waited };
}

export function commandOf(context: Context): Command {
  const { random } = context;
  const dice = random.next();
  const full = [...context.world.states.values()].filter((state) => !state.anonymous).length >= 5;
  if (dice < 0.2 && full && random.chance(0.8)) {
    const state = stateOf(context, (one) => one.lock === undefined);
    return random.chance(0.6) ? { kind: "delete", id: state?.id ?? "a", force: true } : anonymousOf(context);
  }
  if (dice < 0.2) return createOf(context);
  const held = [...context.world.states.values()].some((state) => state.lock);
  if (dice < 0.42 && !held && random.chance(0.9)) return demandOf(context);
  if (dice < 0.36) return putBackOf(context);
  if (dice < 0.42) return patchOf(context);
  if (dice < 0.56) return demandOf(context);
  if (dice < 0.7) return anonymousOf(context);
  if (dice < 0.8) return verbOf(context);
  if (dice < 0.85) return chanVerbOf(context);
  if (dice < 0.9) return goneOf(context);
  if (dice < 0.905) {
    return {
      kind: "configure",
      seed: new Uint8Array(16).fill(9),
      settings: { ...settings, attemptsMax: random.of([2, 3]) },
    };
  }
  return expireOf(context);
}
