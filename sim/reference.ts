/**
 * The committed log, applied once: to an engine of its own, and to the naive model, which knows only the documents.
 *
 * Every node must write the same records for the same entry, and every answer that a client sees must be the one that was
 * found here. Source: reliability 3.4; TigerBeetle's and Jepsen's way to check a log that fixes the order.
 */
import { decodeEntry, type Origin } from "../src/codec.js";
import type { Command } from "../src/select/command.js";
import type { Applied } from "../src/select/outcome.js";
import { Machine } from "../src/select/machine.js";
import type { Entry, Index, Term } from "../raft/types.js";
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
  #nowMs = 0;
  #lastOrder = -1;

  /** @param options `sentOnce`: no client sends the same value twice, so that values can be counted (D1) */
  constructor({ sentOnce }: { readonly sentOnce: boolean }) {
    this.#ledger = sentOnce ? new Ledger() : undefined;
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
      data.length === 0 || kind !== undefined ? { index, term, writes: [] } : this.#run(index, term, data);
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
    const entry = { index, nowMs: this.#nowMs, command };
    const isConfigured = this.records.meta !== undefined || command.kind === "configure";
    const due = command.kind === "expire" ? this.#dueOf(command.keys) : [];
    const applied = this.#machine.apply(entry);
    const writes = this.records.takeWrites();
    const replayed = { index, term, command: { origin, command, applied }, writes };
    if (!isConfigured) {
      check(!applied.outcome.ok, "model", `accepted before the settings were there: ${index}`);
      return replayed;
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
    this.#checkOrder(index, applied, writes);
    if (index % wholeEvery === 0) this.#checkWhole();
    return replayed;
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

function equalWrites(a: Writes, b: Writes): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) {
    const one = a[at];
    const other = b[at];
    if (one?.[0] !== other?.[0] || !equal(one?.[1], other?.[1])) return false;
  }
  return true;
}
