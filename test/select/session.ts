/**
 * One engine under test behind the transcript language: a virtual clock, names for locks and waiters, and the
 * invariants checked after every entry.
 */
import { InvariantError } from "../../src/invariant.js";
import { waitersIn } from "../../src/select/chan.js";
import { dataOf } from "../../src/select/data.js";
import { dueOf, keys } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Command } from "../../src/select/command.js";
import type { Applied } from "../../src/select/outcome.js";
import type { Raw, Ref, Select, State } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { parseCommand } from "./command.js";
import { checkInvariants, readRecords, type Records } from "../../sim/model/invariants.js";
import { parseDuration, type Names } from "./language.js";
import {
  fromRaw,
  printChannel,
  printEffects,
  printOutcome,
  printState,
  printTime,
  printWhole,
  type Namer,
} from "./print.js";

const baseMs = 1_700_000_000_000;

/** `n2/3:w1` is the waiter w1 of epoch 3 of node n2; plain names belong to epoch 1 of n1. */
function splitRef(name: string): { readonly node: string; readonly epoch: number } {
  const match = /^(\w+)\/(\d+):/.exec(name);
  return match ? { node: match[1] ?? "", epoch: Number(match[2]) } : { node: "n1", epoch: 1 };
}

export class Session implements Names, Namer {
  readonly baseMs = baseMs;
  readonly view = new MapView();
  #machine = new Machine(this.view);
  #nowMs = baseMs;
  #index = 0;
  #armed = new Map<string, number>();
  readonly #locks: string[] = [];
  readonly #refs = new Map<string, Ref>();
  readonly #checked: boolean;

  /** @param checked whether the invariants are checked after every entry; it costs time in proportion to the records */
  constructor({ checked }: { readonly checked: boolean } = { checked: true }) {
    this.#checked = checked;
  }

  /** Begins the cluster with a seed of 16 bytes and the settings of the transcripts. */
  configure(seed: Uint8Array): void {
    const command = parseCommand("configure", this);
    if (command.kind === "configure") this.apply({ ...command, seed });
  }

  token(name: string): string {
    const match = /^lock(\d+)$/.exec(name);
    return (match && this.#locks[Number(match[1]) - 1]) ?? name;
  }

  lockName(token: string): string {
    if (!this.#locks.includes(token)) this.#locks.push(token);
    return `lock${this.#locks.indexOf(token) + 1}`;
  }

  ref(name: string | undefined): Ref {
    const wanted = name ?? `w${this.#refs.size + 1}`;
    const known = this.#refs.get(wanted);
    if (known) return known;
    const ref: Ref = { ...splitRef(wanted), seq: this.#refs.size + 1 };
    this.#refs.set(wanted, ref);
    return ref;
  }

  refName(ref: Ref): string {
    const found = [...this.#refs].find(
      ([, one]) => one.node === ref.node && one.epoch === ref.epoch && one.seq === ref.seq,
    );
    return found?.[0] ?? JSON.stringify(ref);
  }

  select(state: string, id: string): Select {
    const found = this.state(state)?.selects.find((select) => select.id === id);
    if (!found) throw new Error(`${state} has no select ${id}`);
    return found;
  }

  state(id: string): State | undefined {
    return this.view.get(keys.state(id)) as State | undefined;
  }

  records(): Records {
    return readRecords(this.view);
  }

  /** Applies one entry at the present log time. @throws Error when an invariant does not hold afterwards */
  apply(command: Command): Applied {
    this.#index += 1;
    const applied = this.#machine.apply({ index: this.#index, nowMs: this.#nowMs, command });
    for (const effect of applied.effects) if (effect.kind === "armed") this.#armed.set(effect.key, dueOf(effect.key));
    const problems = this.#checked ? checkInvariants(this.records()) : [];
    if (problems.length > 0) throw new InvariantError(problems.join("\n"));
    return applied;
  }

  #print(applied: Applied): readonly string[] {
    const look = (id: string) => this.state(id);
    const { outcome, effects } = applied;
    const lines = [...printOutcome(outcome, look, this), ...printEffects(effects, look, this)];
    if (outcome.ok && outcome.answer.kind === "chan" && lines.length === 0) {
      lines.push(`${outcome.answer.chan.id} unchanged`);
    }
    return lines;
  }

  #dueBy(timeMs: number): readonly (readonly [string, number])[] {
    return [...this.#armed].filter(([, dueMs]) => dueMs <= timeMs).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** One `expire` entry for everything due now. */
  #tick(): readonly string[] {
    const due = this.#dueBy(this.#nowMs).map(([key]) => key);
    for (const key of due) this.#armed.delete(key);
    return due.length === 0 ? [] : this.#print(this.apply({ kind: "expire", keys: due }));
  }

  /** Moves the clock, stopping at each due deadline. */
  #advance(byMs: number): readonly string[] {
    const target = this.#nowMs + byMs;
    const lines: string[] = [];
    for (;;) {
      const next = this.#dueBy(target)[0];
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next[1]);
      const output = this.#tick();
      if (output.length > 0) lines.push(`at +${(this.#nowMs - baseMs) / 1000}s`, ...output);
    }
    this.#nowMs = target;
    return lines;
  }

  /** A node that starts again: a new machine over the same records. */
  restart(): void {
    const { pending, demands } = this.records();
    this.#machine = new Machine(this.view);
    this.#machine.load(
      [...pending].map(([key, record]) => [Number(key.slice(2)), record] as const),
      demands.values(),
    );
  }

  #showChan(id: string): readonly string[] {
    const { chans, values, waiters } = this.records();
    const chan = chans.get(id);
    if (!chan) return [`${id} is not there`];
    const held = Array.from({ length: chan.count }, (_, at) => {
      const value = values.get(keys.value(id, chan.first + at)) as { readonly data?: Raw };
      return fromRaw(value.data);
    });
    const lines: string[] = [];
    for (const side of ["send", "recv"] as const) {
      for (const waiter of waitersIn(chan, side, (key) => waiters.get(key))) {
        const who = this.state(waiter.state)?.anonymous ? "somebody" : waiter.state;
        lines.push(`${side} ${who}${waiter.select === "1" ? "" : `:${waiter.select}`} case ${waiter.case}`);
      }
    }
    return [printChannel(chan, held, lines)];
  }

  #show(words: readonly string[]): readonly string[] {
    const [what, id = ""] = words;
    if (what === "state") {
      const state = this.state(id);
      const data = state && dataOf(this.view, state);
      return [state ? printWhole(state, data, this) : `${id} is not there`];
    }
    if (what === "chan") return this.#showChan(id);
    if (what === "states") {
      const visible = [...this.records().states.values()].filter((state) => !state.anonymous);
      return visible.map((state) => printState(state, this));
    }
    throw new Error(`cannot show ${words.join(" ")}`);
  }

  #residue(): readonly string[] {
    const left = [...this.view].map(([key]) => key).filter((key) => key !== keys.meta);
    const printed = left.sort().map((key) => {
      return key.startsWith("t\0") ? `t/${printTime(dueOf(key), this)}` : key.replaceAll("\0", "/");
    });
    return printed.length === 0 ? ["nothing"] : printed;
  }

  /** One command of a transcript → its output. */
  run(text: string): string {
    const [verb = "", ...words] = text.split(/\s+/);
    if (this.#index === 0 && verb !== "configure") this.apply(parseCommand("configure", this));
    switch (verb) {
      case "advance":
        return this.#advance(parseDuration(words[0] ?? "")).join("\n");
      case "jump":
        this.#nowMs += parseDuration(words[0] ?? "");
        return "";
      case "tick":
        return this.#tick().join("\n");
      case "fire": {
        const armed = [...this.#armed.keys()].sort();
        return this.#print(this.apply({ kind: "expire", keys: [...armed, ...armed, "t\0nonsense"] })).join("\n");
      }
      case "restart":
        this.restart();
        return "";
      case "show":
        return this.#show(words).join("\n");
      case "residue":
        return this.#residue().join("\n");
      default:
        return this.#print(this.apply(parseCommand(text, this))).join("\n");
    }
  }
}
