/**
 * The committed log, applied once: to an engine of its own, and to the naive model, which knows only the documents.
 *
 * Every node must write the same records for the same entry, and every answer that a client sees must be the one that was
 * found here. Source: reliability 3.4; TigerBeetle's and Jepsen's way to check a log that fixes the order.
 */
import { applyConfiguration, firstConfiguration, forgetting } from "../cluster/configuration.js";
import type { Member } from "../cluster/types.js";
import { votersOf } from "../raft/configuration.js";
import { decodeEntry, type Origin } from "../src/codec.js";
import type { Command } from "../src/select/command.js";
import type { Applied } from "../src/select/outcome.js";
import { Machine } from "../src/select/machine.js";
import type { Configuration, Entry, Index, Term } from "../raft/types.js";
import { equal } from "./equal.js";
import { compareRecords, findDeadline, modelNames } from "./model/compare.js";
import { checkInvariants } from "./model/invariants.js";
import { Ledger } from "./model/ledger.js";
import { Model } from "./model/model.js";
import { canon } from "./model/verdict.js";
import { ModelError, type ModelSelect, type ModelState } from "./model/world.js";
import { SortedRecords } from "./records.js";
import type { Writes } from "./store.js";
import { check, Violation } from "./violation.js";

export interface Replayed {
  readonly index: Index;
  readonly term: Term;
  /** Undefined for what is no command. */
  readonly command?: { readonly origin: Origin; readonly command: Command; readonly applied: Applied };
  readonly writes: Writes;
}

/** All records are compared with the model, and looked at as a whole, after so many entries. */
const wholeEvery = 32;

export class Reference {
  readonly records = new SortedRecords();
  readonly model = new Model();
  readonly #machine = new Machine(this.records);
  readonly #ledger: Ledger | undefined;
  readonly #replayed: (Replayed | undefined)[] = [undefined];
  readonly #first: Configuration;
  /** Changes of the members. */
  changed = 0;
  #nowMs = 0;
  #lastOrder = -1;

  /** @param options `sentOnce`: no client sends the same value twice, so that values can be counted (D1);
   * `members`: those at the beginning */
  constructor({ sentOnce, members }: { readonly sentOnce: boolean; readonly members: readonly Member[] }) {
    this.#ledger = sentOnce ? new Ledger() : undefined;
    this.#first = firstConfiguration(members);
  }

  /** As of the last entry. */
  get configuration(): Configuration {
    return this.records.configuration ?? this.#first;
  }

  get index(): Index {
    return this.#replayed.length - 1;
  }

  /** Log time. */
  get nowMs(): number {
    return this.#nowMs;
  }

  at(index: Index): Replayed | undefined {
    return this.#replayed[index];
  }

  /** @throws Violation when the engine does what the documents do not allow */
  apply({ index, term, data, kind }: Entry): Replayed {
    const replayed =
      kind !== undefined
        ? this.#configure(index, term, data)
        : data.length === 0
          ? { index, term, writes: [] }
          : this.#run(index, term, data);
    this.#replayed.push(replayed);
    return replayed;
  }

  /** A node has applied the entry and written these records. */
  compare(node: string, index: Index, writes: Writes): void {
    const known = this.#replayed[index]?.writes;
    if (known !== undefined && equalWrites(known, writes)) return;
    throw new Violation("replicas agree", `${node} writes ${canon(writes)} at ${index}, others ${canon(known)}`);
  }

  /** Everything, as a whole. */
  finish(): void {
    this.#checkWhole();
  }

  #run(index: Index, term: Term, data: Uint8Array): Replayed {
    const { nowMs, origin, command } = decodeEntry(data);
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const applied = this.#perform(index, command);
    if (this.configuration.removed.includes(origin.node)) this.#perform(index, forgetting(origin.node));
    const writes = this.records.takeWrites();
    this.#checkOrder(index, applied, writes);
    if (index % wholeEvery === 0) this.#checkWhole();
    return { index, term, command: { origin, command, applied }, writes };
  }

  /** As the loop of a node does it: what those had parked that are removed goes with the same entry. */
  #configure(index: Index, term: Term, data: Uint8Array): Replayed {
    const { before, after } = applyConfiguration(this.records, data);
    checkChange(index, before ?? this.#first, after);
    this.changed += 1;
    for (const node of after.removed) {
      if (before?.removed.includes(node) === true) continue;
      this.#perform(index, forgetting(node));
    }
    return { index, term, writes: this.records.takeWrites() };
  }

  #perform(index: Index, command: Command): Applied {
    const entry = { index, nowMs: this.#nowMs, command };
    const isConfigured = this.records.meta !== undefined || command.kind === "configure";
    const due = command.kind === "expire" ? this.#dueOf(command.keys) : [];
    const applied = this.#machine.apply(entry);
    if (!isConfigured) {
      check(!applied.outcome.ok, "model", `accepted before the settings were there: ${index}`);
      return applied;
    }
    try {
      this.model.apply(entry, {
        applied,
        due,
        winner: (state, select) => this.#winnerOf(applied, state, select),
        token: (id) => this.records.states.get(id)?.lock?.token,
      });
      this.#ledger?.check(entry, applied, this.records);
    } catch (error) {
      throw error instanceof ModelError
        ? new Violation("model", `${index} ${canon(command)}: ${error.message}`)
        : error;
    }
    return applied;
  }

  #dueOf(wanted: readonly string[]) {
    const names = modelNames(this.model.world, this.records);
    return [...new Set(wanted)].sort().flatMap((key) => findDeadline(this.model.world, this.records, names, key) ?? []);
  }

  #winnerOf(applied: Applied, state: ModelState, select: ModelSelect): number | undefined {
    if (!state.anonymous)
      return this.records.states.get(state.id)?.selects.find((one) => one.id === select.id)?.result?.case;
    const holders = canon(state.anonymous.holders);
    for (const effect of applied.effects) {
      if (effect.kind === "answered" && canon(effect.holders) === holders) return effect.result.case;
    }
    const { outcome } = applied;
    return outcome.ok && outcome.answer.kind === "result" ? outcome.answer.result.case : undefined;
  }

  /** Results have places in one order, and nobody resolves twice (D2). */
  #checkOrder(index: Index, applied: Applied, writes: Writes): void {
    const orders: number[] = [];
    for (const effect of applied.effects) if (effect.kind === "answered") orders.push(effect.result.order);
    for (const [key] of writes) {
      if (!key.startsWith("s\0")) continue;
      for (const { result } of this.records.states.get(key.slice(2))?.selects ?? [])
        if (result?.index === index) orders.push(result.order);
    }
    if (new Set(orders).size !== orders.length || orders.some((order) => order <= this.#lastOrder))
      throw new Violation("D2 a select resolves once", `places ${orders.join()} at ${index}`);
    this.#lastOrder = Math.max(this.#lastOrder, ...orders);
  }

  #checkWhole(): void {
    if (this.records.meta === undefined) return;
    const problems = checkInvariants(this.records);
    if (problems.length > 0) throw new Violation("records", `${this.index}: ${problems.join("; ")}`);
    const differences = compareRecords(this.model.world, this.records);
    if (differences.length > 0) throw new Violation("model", `${this.index}: ${differences.join("; ")}`);
  }
}

/** Any majority before and any majority after have a member in common, and nobody who was removed comes back. */
function checkChange(index: Index, before: Configuration, after: Configuration): void {
  const old = votersOf(before);
  const now = votersOf(after);
  const moved = old.filter((id) => !now.includes(id)).length + now.filter((id) => !old.includes(id)).length;
  check(moved <= 1 && now.length > 0, "one voter at a time", `${old.join()} to ${now.join()} at ${index}`);
  const back = after.members.filter(({ id }) => before.removed.includes(id) || after.removed.includes(id));
  const gone = before.members.filter(({ id }) => after.members.every((one) => one.id !== id));
  const unknown = gone.filter(({ id }) => !after.removed.includes(id));
  check(unknown.length === 0, "removed for good", `${unknown.map(({ id }) => id).join()} may come back after ${index}`);
  check(back.length === 0, "removed for good", `${back.map(({ id }) => id).join()} at ${index}`);
}

function equalWrites(a: Writes, b: Writes): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) {
    const one = a[at];
    const other = b[at];
    if (one?.[0] !== other?.[0] || !equal(one?.[1], other?.[1])) return false;
  }
  return true;
}
