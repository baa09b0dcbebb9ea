/**
 * The words of the transcript language that make up selects; whole commands are in command.ts.
 *
 *   put a lock=lock1 hold  x: recv jobs | after 5s ; y: order send out "v" from +3s ; keep z
 *     spawn b data={"n":1}  recv c
 *
 * Durations are `250ms 5s 2m 1h 1d`; points in time are durations since the first entry, `+5s`. Select IDs default to
 * the position in the command, counted from 1. `keep` sends a parked select again as it was written, `echo` as it is
 * answered (times absolute), `carry` with its `Result` still on it.
 */
import { respell } from "../../sim/model/spelling.js";
import type { CaseSpec, ChanId, Choice, Raw, Ref, Select, SelectSpec } from "../../src/select/types.js";

/** What a line refers to by name. */
export interface Names {
  /** Log time of the first entry; `+5s` counts from here. */
  readonly baseMs: number;
  token(name: string): string;
  ref(name: string | undefined): Ref;
  select(state: string, id: string): Select;
}

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const toRaw = (text: string): Raw => new Uint8Array(Buffer.from(text));

export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new Error(`not a duration: ${text}`);
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

function parseTime(text: string, names: Names): number {
  return text.startsWith("-")
    ? names.baseMs - parseDuration(text.slice(1))
    : names.baseMs + parseDuration(text.slice(1));
}

/** The words of one command, read once from left to right. */
export class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(line: string) {
    this.#words = line.match(/(?:"(?:[^"\\]|\\.)*"|[^\s"|;])+|[|;]/g) ?? [];
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  peek(): string {
    return this.#words[this.#at] ?? "";
  }

  next(): string {
    const word = this.#words[this.#at];
    if (word === undefined) throw new Error(`too short: ${this.#words.join(" ")}`);
    this.#at += 1;
    return word;
  }

  take(word: string): boolean {
    if (this.peek() !== word) return false;
    this.#at += 1;
    return true;
  }

  rest(): string {
    const rest = this.#words.slice(this.#at).join(" ");
    this.#at = this.#words.length;
    return rest;
  }
}

const flags: ReadonlySet<string> = new Set(["hold", "strict", "force", "wait", "pause"]);

export type Options = ReadonlyMap<string, string>;

export function parseOptions(words: Words): Options {
  const options = new Map<string, string>();
  while (!words.done) {
    const match = /^([a-z]+)=(.*)$/s.exec(words.peek());
    if (match) options.set(match[1] ?? "", match[2] ?? "");
    else if (flags.has(words.peek())) options.set(words.peek(), "");
    else break;
    words.next();
  }
  return options;
}

export function parseChan(word: string): ChanId | null {
  return word === "nil" ? null : word;
}

function parseFrom(words: Words, names: Names): { readonly notBeforeMs?: number } {
  return words.take("from") ? { notBeforeMs: parseTime(words.next(), names) } : {};
}

export function parseCase(words: Words, names: Names): CaseSpec {
  const op = words.next();
  switch (op) {
    case "recv":
      return { op, chan: parseChan(words.next()), ...parseFrom(words, names) };
    case "send": {
      const chan = parseChan(words.next());
      const bare = words.done || ["|", ";", "from"].includes(words.peek());
      return { op, chan, ...(bare ? {} : { data: toRaw(words.next()) }), ...parseFrom(words, names) };
    }
    case "after":
      return { op: "time", form: { kind: "after", afterMs: parseDuration(words.next()) } };
    case "at":
      return { op: "time", form: { kind: "at" }, deadlineMs: parseTime(words.next(), names) };
    case "unix": {
      const deadlineMs = parseTime(words.next(), names);
      return { op: "time", form: { kind: "chan", chan: String(deadlineMs / 1000) }, deadlineMs };
    }
    case "default":
      return { op };
    default:
      throw new Error(`no such case: ${op}`);
  }
}

function parseSelect(
  words: Words,
  names: Names,
  context: { readonly state: string; readonly position: number },
): SelectSpec {
  for (const verb of ["keep", "echo", "carry"] as const) {
    if (!words.take(verb)) continue;
    const again = respell(names.select(context.state, words.next()), verb === "echo");
    return verb === "carry" ? { ...again, carriesResult: true } : again;
  }
  const id = words.peek().endsWith(":") ? words.next().slice(0, -1) : String(context.position);
  const choice: Choice = words.take("order") ? "order" : "random";
  const cases: CaseSpec[] = [];
  if (!words.take("nothing")) {
    do cases.push(parseCase(words, names));
    while (words.take("|"));
  }
  return { id, choice, cases };
}

export function parseSelects(words: Words, names: Names, state: string): readonly SelectSpec[] {
  const selects: SelectSpec[] = [];
  if (words.done) return selects;
  do selects.push(parseSelect(words, names, { state, position: selects.length + 1 }));
  while (words.take(";"));
  if (!words.done) throw new Error(`not understood: ${words.rest()}`);
  return selects;
}
