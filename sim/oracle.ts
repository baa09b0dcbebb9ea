/**
 * What clients were promised: every request with its end, checked against the log as it is committed.
 *
 * An answer names its entry and says what the replay says. What was refused with "nothing was done" is in no entry;
 * nothing is in two. An end that is unknown is never taken for either. Source: openraft's oracle.rs, reliability N1–N4.
 */
import type { SlctError } from "../src/errors.js";
import type { Origin } from "../src/codec.js";
import type { Command } from "../src/select/command.js";
import type { Effect, HandOut, Outcome } from "../src/select/outcome.js";
import type { Committed, Waited } from "../cluster/types.js";
import type { Index, NodeId } from "../raft/types.js";
import { equal } from "./equal.js";
import { canon } from "./model/verdict.js";
import type { Reference, Replayed } from "./reference.js";
import { check, Violation } from "./violation.js";

/** One command on its way through one node. */
export interface Attempt {
  readonly origin: Origin;
  readonly command: Command;
  /** What was committed when it began: it can only come later. */
  readonly after: Index;
  /** Undefined: not committed so far. */
  index: Index | undefined;
  end: "open" | "answered" | "untouched" | "unknown";
}

export class Oracle {
  readonly #reference: Reference;
  readonly #attempts = new Map<string, Attempt>();
  /** Own commands of nodes are committed too; none of them twice. */
  readonly #committed = new Map<string, Index>();
  /** Plain requests that got a result, by their refs, and where; those that were told that there was none. */
  readonly #served = new Map<string, Index>();
  readonly #empty = new Set<string>();
  answered = 0;
  unknown = 0;
  untouched = 0;

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  begin(origin: Origin, command: Command): Attempt {
    const attempt: Attempt = { origin, command, after: this.#reference.index, index: undefined, end: "open" };
    this.#attempts.set(nameOf(origin), attempt);
    return attempt;
  }

  /** An entry is committed. */
  onCommitted({ index, command: entry }: Replayed): void {
    if (entry === undefined) return;
    for (const effect of entry.applied.effects) if (effect.kind === "answered") this.#onServed(effect.holders, index);
    const name = nameOf(entry.origin);
    const before = this.#committed.get(name);
    check(before === undefined, "a command is committed once", `${name} at ${before} and ${index}`);
    this.#committed.set(name, index);
    const attempt = this.#attempts.get(name);
    if (attempt === undefined) return;
    attempt.index = index;
    if (!equal(entry.command, attempt.command))
      throw new Violation("a command is what was sent", `${canon(entry.command)} for ${canon(attempt.command)}`);
    check(attempt.end !== "untouched", "refused means nothing was done", `${name} is committed at ${index}`);
    check(index > attempt.after, "linearizable", `${name} at ${index} began after ${attempt.after} was committed`);
  }

  onAnswer(attempt: Attempt, { index, outcome }: Committed): void {
    this.answered += 1;
    attempt.end = "answered";
    check(attempt.index === index, "an answer names its entry", `${index}, committed at ${attempt.index}`);
    const known = this.#reference.at(index)?.command?.applied.outcome;
    if (!equal(known, outcome))
      throw new Violation("an answer is that of its entry", `${index}: ${canon(outcome)}, replayed ${canon(known)}`);
  }

  /** @param leaseMs the clock that leases end by, at the node that answers, now */
  onWaited(attempt: Attempt, waited: Waited, leaseMs: number): void {
    this.answered += 1;
    attempt.end = "answered";
    const { index } = waited;
    check(attempt.index !== undefined, "an answer names its entry", `${index} to what is not committed`);
    const replayed = this.#reference.at(index)?.command?.applied;
    check(replayed !== undefined, "an answer names its entry", `${index} is no command`);
    const problem = problemOf(waited, attempt, {
      ...{ own: this.#reference.at(attempt.index)?.command?.applied, replayed, leaseMs },
    });
    if (problem !== undefined)
      throw new Violation("an answer is that of its entry", `${problem}: ${canon(waited)} for ${canon(attempt)}`);
    if (waited.kind === "withdrawn" && attempt.command.kind === "select") this.#onEmpty(refOf(attempt.command));
  }

  #onServed(holders: readonly Origin[], index: Index): void {
    for (const ref of holders) {
      this.#served.set(nameOf(ref), index);
      check(!this.#empty.has(nameOf(ref)), "told empty, nothing comes", `${nameOf(ref)} is served at ${index}`);
    }
  }

  /** What would come to it later would be lost in silence. */
  #onEmpty(ref: Origin | undefined): void {
    if (ref === undefined) return;
    const index = this.#served.get(nameOf(ref));
    check(index === undefined, "told empty, nothing comes", `${nameOf(ref)} was served at ${index}`);
    this.#empty.add(nameOf(ref));
  }

  onError(attempt: Attempt, error: SlctError): void {
    const isUntouched = error.code === "no_leader" || error.code === "overloaded";
    if (!isUntouched) {
      this.unknown += 1;
      attempt.end = "unknown";
      return;
    }
    this.untouched += 1;
    attempt.end = "untouched";
    check(
      attempt.index === undefined,
      "refused means nothing was done",
      `${error.code}, committed at ${attempt.index}`,
    );
  }

  /** A linearizable read of a node that has applied `applied`, asked when `committed` was committed. */
  onRead(node: NodeId, applied: Index, committed: Index): void {
    this.answered += 1;
    check(applied >= committed, "linearizable", `${node} reads at ${applied}, begun when ${committed} was committed`);
  }
}

type Applied = NonNullable<Replayed["command"]>["applied"];

function problemOf(
  waited: Waited,
  attempt: Attempt,
  {
    own,
    replayed,
    leaseMs,
  }: { readonly own: Applied | undefined; readonly replayed: Applied; readonly leaseMs: number },
): string | undefined {
  const isMine = (holders: readonly Origin[]): boolean => holders.some((ref) => equal(ref, refOf(attempt.command)));
  switch (waited.kind) {
    case "refused":
      return equal(replayed.outcome, waited.outcome) ? undefined : "another outcome";
    case "answer":
      return equal(current(replayed.outcome, leaseMs), waited.outcome) ? undefined : "another outcome";
    case "withdrawn":
      if (replayed.effects.some((effect) => takes(effect, isMine, leaseMs))) return "something came";
      return equal(own?.outcome, waited.outcome) ? undefined : "another outcome";
    case "granted": {
      const found = replayed.effects.some(
        (effect) =>
          effect.kind === "granted" &&
          isMine(effect.demand.holders) &&
          equal(
            effect.handOuts.filter((one) => isCurrent(one, leaseMs)),
            waited.handOuts,
          ),
      );
      return found ? undefined : "not granted there";
    }
    case "result": {
      const found = replayed.effects.some(
        (effect) => effect.kind === "answered" && isMine(effect.holders) && equal(effect.result, waited.result),
      );
      return found ? undefined : "not answered there";
    }
  }
}

/** Somebody may have the state by now whose lease was over when the answer was made: it is handed to nobody. */
function isCurrent({ state: { lock } }: HandOut, leaseMs: number): boolean {
  return lock === undefined || lock.untilMs > leaseMs;
}

/** What is repeated may be in somebody's hands already. */
function current(outcome: Outcome, leaseMs: number): Outcome {
  if (!outcome.ok || outcome.answer.kind !== "handOuts" || outcome.repeated === true) return outcome;
  const { answer } = outcome;
  return { ...outcome, answer: { ...answer, handOuts: answer.handOuts.filter((one) => isCurrent(one, leaseMs)) } };
}

/** The effect has something for the holder that it can still use. */
function takes(effect: Effect, isMine: (holders: readonly Origin[]) => boolean, leaseMs: number): boolean {
  if (effect.kind === "answered") return isMine(effect.holders);
  return (
    effect.kind === "granted" && isMine(effect.demand.holders) && effect.handOuts.some((one) => isCurrent(one, leaseMs))
  );
}

function refOf(command: Command): Origin | undefined {
  if (command.kind === "demand") return command.ref;
  return "wait" in command ? command.wait?.ref : undefined;
}

function nameOf({ node, epoch, seq }: Origin): string {
  return `${node}.${epoch}.${seq}`;
}
