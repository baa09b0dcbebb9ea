/**
 * Conservation of messages (D1) and single delivery, checked on the records alone: every value is sent once in a run, so
 * it may be in one place only: with its waiting sender, in a buffer, or in the result of one receive.
 */
import type { Command } from "../../src/select/command.js";
import type { Applied } from "../../src/select/outcome.js";
import type { Raw, Result } from "../../src/select/types.js";
import type { Records } from "./invariants.js";
import { demand, textOf } from "./world.js";

export class Ledger {
  /** Where each value was received: place of the result in the order of all resolutions. */
  readonly #received = new Map<string, number>();
  #buffered = new Set<string>();
  /** Sent once more after they had left: a PUT names the selects of a state that was there when it was written. */
  readonly #again = new Set<string>();

  /** @throws ModelError when a value was doubled or lost in this entry */
  check(entry: { readonly index: number; readonly command: Command }, applied: Applied, after: Records): void {
    for (const value of this.#sentBy(entry.command)) {
      if (!this.#received.has(value) && !this.#buffered.delete(value)) continue;
      this.#again.add(value);
    }
    const waiting = new Set<string>();
    const left = new Set<string>();
    const failed = new Set<string>();
    for (const { selects } of after.states.values()) {
      for (const { cases, result } of selects) {
        if (result) this.#receive(result);
        for (const [at, one] of cases.entries()) {
          const value = this.#sent(one);
          if (value === undefined) continue;
          if (!result) waiting.add(value);
          else if (result.index === entry.index && result.case === at) (result.ok ? left : failed).add(value);
        }
      }
    }
    this.#receivePlain(entry.command, applied, { left, failed });
    this.#settle(after, { waiting, left, failed });
  }

  #receive(result: Result): void {
    const value = result.op === "recv" && result.ok ? this.#text(result.data) : undefined;
    if (value === undefined) return;
    const before = this.#received.get(value) ?? result.order;
    demand(before === result.order, `${value} was received twice`);
    this.#received.set(value, result.order);
  }

  #receivePlain(
    command: Command,
    { outcome, effects }: Applied,
    sent: { readonly left: Set<string>; readonly failed: Set<string> },
  ): void {
    for (const effect of effects) if (effect.kind === "answered") this.#receive(effect.result);
    if (!outcome.ok || outcome.repeated || outcome.answer.kind !== "result" || command.kind !== "select") return;
    const { result } = outcome.answer;
    this.#receive(result);
    const won = command.cases[result.case];
    const value = won && this.#sent(won);
    if (value !== undefined) (result.ok ? sent.left : sent.failed).add(value);
  }

  #settle(
    after: Records,
    sent: { readonly waiting: Set<string>; readonly left: Set<string>; readonly failed: Set<string> },
  ): void {
    const values = [...after.values.values()].map((one) => this.#text((one as { readonly data?: Raw }).data));
    const buffered = new Set(values.filter((value) => value !== undefined));
    for (const value of buffered) {
      demand(!this.#received.has(value), `${value} is received and still in a buffer`);
      demand(values.filter((one) => one === value).length === 1, `${value} is in a buffer twice`);
    }
    for (const value of [...sent.waiting, ...sent.failed]) {
      const elsewhere = this.#received.has(value) || buffered.has(value);
      demand(!elsewhere, `${value} arrived although its sender did not proceed`);
    }
    for (const value of [...sent.left, ...this.#buffered]) {
      demand(this.#received.has(value) || buffered.has(value), `${value} is lost`);
    }
    this.#buffered = buffered;
  }

  #sentBy(command: Command): readonly string[] {
    const cases =
      command.kind === "select"
        ? command.cases
        : "selects" in command
          ? (command.selects ?? []).flatMap((one) => one.cases)
          : [];
    return cases.flatMap((one) => this.#sent(one) ?? []);
  }

  #sent(one: { readonly op: string; readonly data?: Raw }): string | undefined {
    return one.op === "send" ? this.#text(one.data) : undefined;
  }

  /** Undefined for what is not counted. */
  #text(data: Raw | undefined): string | undefined {
    const text = textOf(data);
    return text === undefined || this.#again.has(text) ? undefined : text;
  }
}
