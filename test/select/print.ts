/**
 * The output side of the transcript language: records, outcomes and effects → lines with stable names.
 */
import type { Answer, Effect, HandOut, Outcome, Refusal } from "../../src/select/outcome.js";
import type { Case, Chan, PutAnswer, Raw, Ref, Result, State } from "../../src/select/types.js";

/** How the transcript calls what has no readable name of its own. */
export interface Namer {
  readonly baseMs: number;
  lockName(token: string): string;
  refName(ref: Ref): string;
}

export const fromRaw = (raw: Raw | undefined): string => (raw === undefined ? "null" : Buffer.from(raw).toString());

/** `+1.5s` after the first entry. */
export function printTime(timeMs: number, namer: Namer): string {
  const since = timeMs - namer.baseMs;
  return `${since < 0 ? "-" : "+"}${Math.abs(since) / 1000}s`;
}

const printChan = (chan: string | null | undefined): string => chan ?? "nil";

/** `0 recv jobs "x"`; the select's ID comes first unless it is "1". */
export function printResult(result: Result): string {
  const head = `${result.select === "1" ? "" : `${result.select}:`}${result.case} ${result.op}`;
  const chan = result.op === "recv" || result.op === "send" ? ` ${printChan(result.chan)}` : "";
  const data = result.op === "recv" && (result.ok || result.data !== undefined) ? ` ${fromRaw(result.data)}` : "";
  const flags = [result.closed ? " closed" : "", result.error ? ` error ${result.error}` : ""].join("");
  const strange = result.ok === (result.closed === true || result.error !== undefined) ? ` ok=${result.ok}` : "";
  return `${head}${chan}${data}${flags}${strange}`;
}

/** Of a plain request, whose select has no name. */
const printPlain = (result: Result): string => printResult({ ...result, select: "1" });

/** In order of resolution. */
export function printResults(state: State): string {
  const results = state.selects.flatMap((select) => (select.result ? [select.result] : []));
  if (results.length === 0) return "";
  return `  ${results
    .sort((a, b) => a.order - b.order)
    .map(printResult)
    .join(", ")}`;
}

export function printState(state: State, namer: Namer): string {
  const lock = state.lock ? ` ${namer.lockName(state.lock.token)}` : "";
  const paused = state.paused ? ` (${state.paused.reason})` : "";
  const delayed = state.delayed ? ` not before ${printTime(state.delayed.untilMs, namer)}` : "";
  return `${state.id} ${state.status}${paused}${lock}${delayed}${printResults(state)}`;
}

function printCase(one: Case, namer: Namer): string {
  switch (one.op) {
    case "recv":
    case "send": {
      const data = one.op === "send" ? ` ${fromRaw(one.data)}` : "";
      const from = one.notBeforeMs === undefined ? "" : ` from ${printTime(one.notBeforeMs, namer)}`;
      return `${one.op} ${printChan(one.chan)}${data}${from}`;
    }
    case "time":
      return `at ${printTime(one.deadlineMs, namer)}`;
    case "default":
      return one.op;
  }
}

/** Everything the API shows of a state, a line per part. */
export function printWhole(state: State, data: Raw | undefined, namer: Namer): string {
  const lines = [`${printState(state, namer)}`, `version ${state.version} attempt ${state.attempt}`];
  if (data) lines.push(`data ${fromRaw(data)}`);
  if (state.vars) lines.push(`vars ${fromRaw(state.vars)}`);
  if (state.callback) lines.push(`callback ${state.callback.uri}`);
  if (state.lock) lines.push(`lock until ${printTime(state.lock.untilMs, namer)}`);
  if (state.lock?.details) lines.push(`details ${fromRaw(state.lock.details)}`);
  if (state.lastDetails) lines.push(`last details ${fromRaw(state.lastDetails)}`);
  if (state.lastError !== undefined) lines.push(`last error ${state.lastError}`);
  for (const select of state.selects) {
    const cases = select.cases.map((one) => printCase(one, namer)).join(" | ");
    const order = select.choice === "order" ? "order " : "";
    lines.push(`select ${select.id}  ${order}${cases === "" ? "nothing" : cases}${select.result ? "  resolved" : ""}`);
  }
  return lines.join("\n");
}

export function printChannel(chan: Chan, values: readonly string[], waiters: readonly string[]): string {
  const closed = chan.closed ? ` closed${chan.closed.value ? ` with ${fromRaw(chan.closed.value)}` : ""}` : "";
  const held = values.length > 0 ? ` values ${values.join(" ")}` : "";
  return [`${chan.id} buffer ${chan.buffer}${held}${closed}`, ...waiters].join("\n");
}

export function printHandOut(handOut: HandOut, namer: Namer): string {
  const { state } = handOut;
  const until = state.lock ? ` until ${printTime(state.lock.untilMs, namer)}` : " WITHOUT LOCK";
  const lock = state.lock ? namer.lockName(state.lock.token) : "";
  return `${state.id} ${lock}${until} attempt ${state.attempt}`;
}

function printDetails(refusal: Refusal, namer: Namer): string {
  const words = Object.entries(refusal.details ?? {}).map(([key, value]) => {
    if (key === "reason") return String(value);
    if (key === "Version") return `version ${String(value)}`;
    if (key === "LockUntil") return `until ${printTime(Number(value), namer)}`;
    if (key === "Selects") return (value as readonly string[]).join(" ");
    return "";
  });
  if (refusal.result) words.push(`(${printResult(refusal.result)})`);
  return words.map((word) => (word === "" ? "" : ` ${word}`)).join("");
}

function printPut(put: PutAnswer, now: State | undefined, namer: Namer): readonly string[] {
  const lines: string[] = [];
  const same = now?.status === put.status && now.version === put.version;
  if (!same) lines.push(`answer ${put.id} ${put.status} version ${put.version}`);
  if (put.lease) {
    const { token, untilMs, attempt } = put.lease;
    lines.push(`held ${namer.lockName(token)} until ${printTime(untilMs, namer)} attempt ${attempt}`);
  }
  for (const item of put.spawned ?? []) {
    lines.push("code" in item ? `spawned ${item.id} ${item.code}` : `spawned ${item.id} version ${item.version}`);
  }
  return lines;
}

/** @param look reads a state as it is after the entry */
function printAnswer(answer: Answer, look: (id: string) => State | undefined, namer: Namer): readonly string[] {
  switch (answer.kind) {
    case "put":
      return printPut(answer, look(answer.id), namer);
    case "handOuts": {
      const put = answer.put ? printPut(answer.put, look(answer.put.id), namer) : [];
      const handed = answer.handOuts.map((handOut) => `handed ${printHandOut(handOut, namer)}`);
      return [...put, ...(handed.length === 0 ? ["handed nothing"] : handed)];
    }
    case "parked":
      return [...(answer.put ? printPut(answer.put, look(answer.put.id), namer) : []), "parked"];
    case "result":
      return [`result ${printPlain(answer.result)}`];
    case "lease":
      return [`lease ${namer.lockName(answer.token)} until ${printTime(answer.untilMs, namer)}`];
    case "state": {
      const now = look(answer.id);
      const same = now?.status === answer.status && now.version === answer.version;
      return same ? [] : [`answer ${answer.id} ${answer.status} version ${answer.version}`];
    }
    case "chan":
      return [];
    case "done":
      return [];
  }
}

export function printOutcome(
  outcome: Outcome,
  look: (id: string) => State | undefined,
  namer: Namer,
): readonly string[] {
  if (!outcome.ok) return [`refused ${outcome.code}${printDetails(outcome, namer)}`];
  const lines = printAnswer(outcome.answer, look, namer);
  return outcome.repeated ? ["repeated", ...lines] : lines;
}

/** Hand-outs and answers first, then every state and channel that changed, once, as it is now. */
export function printEffects(
  effects: readonly Effect[],
  look: (id: string) => State | undefined,
  namer: Namer,
): readonly string[] {
  const lines: string[] = [];
  const changed = new Set<string>();
  for (const effect of effects) {
    if (effect.kind === "granted") {
      const who = effect.demand.holders.map((ref) => namer.refName(ref)).join(" ");
      if (effect.handOuts.length === 0) lines.push(`granted ${who}  nothing`);
      for (const handOut of effect.handOuts) lines.push(`granted ${who}  ${printHandOut(handOut, namer)}`);
    } else if (effect.kind === "answered") {
      const who = effect.holders.map((ref) => namer.refName(ref)).join(" ");
      lines.push(`answered ${who}  ${printPlain(effect.result)}`);
    } else if (effect.kind === "withdrawn") {
      lines.push(`withdrawn ${effect.holders.map((ref) => namer.refName(ref)).join(" ")}`);
    } else if (effect.kind === "state") changed.add(effect.id);
  }
  for (const id of changed) {
    const state = look(id);
    lines.push(state ? printState(state, namer) : `${id} gone`);
  }
  for (const effect of effects) {
    if (effect.kind === "chan") lines.push(`${effect.id} ${effect.type.slice("chan.".length)}`);
  }
  return lines;
}
