/**
 * What the naive model thinks of a command, and how answers are compared.
 */
import { keys } from "../../src/select/keys.js";
import type { ErrorCode } from "../../src/errors.js";
import type { Command } from "../../src/select/command.js";
import type { Answer } from "../../src/select/outcome.js";
import type { PutAnswer, Ref, Result } from "../../src/select/types.js";
import { demand, textOf, type ModelResult } from "./world.js";

/** Refused with one of these codes, or accepted with an answer that passes `expect`. */
export type Verdict = { readonly refuse: ReadonlySet<ErrorCode> } | { readonly expect: (answer: Answer) => void };

export const accept = (expect: (answer: Answer) => void = () => undefined): Verdict => ({ expect });
export const refuse = (...codes: readonly ErrorCode[]): Verdict => ({ refuse: new Set(codes) });

export const sameRef = (a: Ref, b: Ref): boolean => a.node === b.node && a.epoch === b.epoch && a.seq === b.seq;

export function sameHolders(a: readonly Ref[], b: readonly Ref[] | undefined): boolean {
  return a.length === b?.length && a.every((ref) => b.some((one) => sameRef(ref, one)));
}

/** Sorted keys, bytes as text: equal values have equal texts. */
export function canon(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => {
    if (one instanceof Uint8Array) return `raw:${Buffer.from(one).toString()}`;
    if (typeof one !== "object" || one === null || Array.isArray(one)) return one;
    return Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The part of an answer that a repeated request must get again. */
export function memoOf(answer: Answer): string {
  return answer.kind === "handOuts" ? canon(answer.handOuts) : canon(answer);
}

export function putOf(answer: Answer): PutAnswer {
  const put = answer.kind === "put" ? answer : "put" in answer ? answer.put : undefined;
  demand(put, `a PUT answered ${answer.kind}`);
  return put;
}

export function sameResult(mine: ModelResult, engine: Result): boolean {
  const data = mine.data === engine.data || (mine.data ?? "null") === (textOf(engine.data) ?? "null");
  return (
    data &&
    mine.case === engine.case &&
    mine.op === engine.op &&
    mine.ok === engine.ok &&
    (mine.closed ?? false) === (engine.closed ?? false) &&
    mine.error === engine.error &&
    mine.atMs === engine.atMs &&
    mine.index === engine.index
  );
}

/** Where the answer to `command` is remembered; undefined when it carries no Request-Id. */
export function memoryKey(command: Command): string | undefined {
  if (!("requestId" in command) || command.requestId === undefined) return undefined;
  const target = "id" in command ? command.id : "chan" in command ? command.chan : "";
  return keys.request(command.kind === "select" ? command.route : command.kind, target, command.requestId);
}
