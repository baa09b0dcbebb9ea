/**
 * Wire JSON → selects, cases, extras: the parts that PUT, PATCH, spawned states and plain requests share.
 *
 * Boundary: bodies have passed their schema (schema.ts), so shapes are right; here are the rules that cross members.
 * After this nothing about a command can be malformed.
 * Source: protocol §1, §2.
 */
import { SlctError } from "../src/errors.js";
import type { CloseSpec, Extras, MakeSpec, SpawnSpec } from "../src/select/command.js";
import type { Callback, Case, CaseSpec, Raw, SelectSpec } from "../src/select/types.js";
import type {
  CallbackBody,
  CaseBody,
  CloseItem,
  ExtrasBody,
  MakeBody,
  OpName,
  OpNumber,
  SelectBody,
  SpawnBody,
} from "./contract.js";
import { present } from "./present.js";
import type { Rules } from "./rules.js";
import { afterMs, bodyChan, instantMs, isWhole, plainText, refuse, stateId, unixSecondsMs } from "./wire-values.js";

export const bufferMax = 1_000_000;
/** Items of each of `Cancel`, `Make`, `Close`, `Spawn`: one entry must stay a short step for every node. */
export const extrasMax = 1024;
const selectIdLengthMax = 256;

const opNames = { 1: "recv", 2: "send", 3: "time", 4: "default" } as const satisfies Record<OpNumber, OpName>;

// -------------------------------------------------------------------------------------------------------- selects

export function parseSelects(
  bodies: readonly SelectBody<Raw>[] | null | undefined,
  where: string,
  { limits }: Rules,
): SelectSpec[] {
  if (bodies == null) return [];
  if (bodies.length > limits.selectsMax)
    throw new SlctError("too_many", `${where} has more than ${limits.selectsMax} selects.`);
  const seen = new Set<string>();
  return bodies.map((body, i) => {
    const select = parseSelect(body, `${where}[${i}]`, limits.casesMax);
    if (seen.has(select.id)) refuse(`${where} lists the select ${JSON.stringify(select.id)} twice.`);
    seen.add(select.id);
    return select;
  });
}

function parseSelect(body: SelectBody<Raw>, where: string, casesMax: number): SelectSpec {
  return {
    id: plainText(body.ID, `${where}.ID`, selectIdLengthMax),
    cases: parseCases(body.Cases ?? [], `${where}.Cases`, casesMax),
    choice: body.Choice ?? "random",
    ...(body.Result != null && { carriesResult: true }),
  };
}

export function parseCases(bodies: readonly CaseBody<Raw>[], where: string, casesMax: number): CaseSpec[] {
  if (bodies.length > casesMax) throw new SlctError("too_many", `${where} has more than ${casesMax} cases.`);
  const cases = bodies.map((body, i) => parseCase(body, `${where}[${i}]`));
  if (cases.filter(({ op }) => op === "default").length > 1) refuse(`${where} has more than one default.`);
  return cases;
}

function parseCase(body: CaseBody<Raw>, where: string): CaseSpec {
  const op = typeof body.Op === "number" ? opNames[body.Op] : body.Op;
  switch (op) {
    case "recv":
      forbid(body, where, ["At", "After"]);
      if (body.Data !== undefined) refuse(`${where} receives but has Data: Op 1 is recv, Op 2 is send.`);
      return { op, chan: caseChan(body, where), ...notBefore(body, where) };
    case "send":
      forbid(body, where, ["At", "After"]);
      return { op, chan: caseChan(body, where), ...valueData(body.Data), ...notBefore(body, where) };
    case "time":
      forbid(body, where, ["Data", "NotBefore"]);
      return parseTime(body, where);
    case "default":
      forbid(body, where, ["Chan", "Data", "At", "After", "NotBefore"]);
      return { op };
  }
}

function parseTime(body: CaseBody<Raw>, where: string): CaseSpec {
  const { Chan, At, After } = body;
  if (Number(Chan != null) + Number(At != null) + Number(After != null) !== 1) {
    refuse(`${where} needs exactly one of Chan, At, After.`);
  }
  if (Chan != null) {
    return { op: "time", form: { kind: "chan", chan: Chan }, deadlineMs: unixSecondsMs(Chan, `${where}.Chan`) };
  }
  if (At != null) return { op: "time", form: { kind: "at" }, deadlineMs: instantMs(At, `${where}.At`) };
  return { op: "time", form: { kind: "after", afterMs: afterMs(After, `${where}.After`) } };
}

function caseChan(body: CaseBody<Raw>, where: string): string | null {
  return body.Chan == null ? null : bodyChan(body.Chan, `${where}.Chan`);
}

function notBefore(body: CaseBody<Raw>, where: string): Pick<Extract<Case, { op: "recv" }>, "notBeforeMs"> {
  return body.NotBefore == null ? {} : { notBeforeMs: instantMs(body.NotBefore, `${where}.NotBefore`) };
}

type CaseMember = "Chan" | "Data" | "At" | "After" | "NotBefore";

/** Members that belong to another op are most likely a mistake: said aloud instead of ignored. */
function forbid(body: CaseBody<Raw>, where: string, members: readonly CaseMember[]): void {
  for (const member of members) {
    if (body[member] != null) refuse(`${where} has ${member}, which its Op does not take.`);
  }
}

/** A sent value. `null` and nothing are the same value, so that an echo of the answer compares as unchanged. */
export function valueData(data: Raw | undefined): { data?: Raw } {
  return data === undefined || isNull(data) ? {} : { data };
}

export function isNull(raw: Raw): boolean {
  return raw.length === 4 && raw[0] === 0x6e;
}

// --------------------------------------------------------------------------------------------- parts of states

export function parseCallback(body: CallbackBody, rules: Rules): Callback {
  rules.checkCallback(body.URI);
  return { type: 1, uri: body.URI };
}

/** @throws SlctError `bad_request` unless it is an object */
export function parseVars(vars: Raw): Raw {
  if (vars[0] !== 0x7b) refuse("Vars must be an object.");
  return vars;
}

/** The order of members here is the order of checks, not of effects: that is the engine's. */
export function parseExtras(body: ExtrasBody<Raw>, selects: readonly SelectSpec[], rules: Rules): Extras {
  const { Hold, Cancel, Make, Close, Spawn, Strict } = body;
  checkCount("Cancel", Cancel);
  checkCount("Make", Make);
  checkCount("Close", Close);
  checkCount("Spawn", Spawn);
  return present({
    hold: Hold ?? undefined,
    cancel: Cancel == null ? undefined : parseCancel(Cancel, selects),
    make: Make?.map((make, i) => parseMake(make, `Make[${i}]`)),
    close: Close?.map((close, i) => parseClose(close, `Close[${i}]`)),
    spawn: Spawn == null ? undefined : parseSpawns(Spawn, rules),
    strict: Strict ?? undefined,
  });
}

function checkCount(name: string, list: readonly unknown[] | null | undefined): void {
  if (list != null && list.length > extrasMax)
    throw new SlctError("too_many", `${name} has more than ${extrasMax} items.`);
}

function parseCancel(ids: readonly string[], selects: readonly SelectSpec[]): string[] {
  const cancelled = new Set<string>();
  for (const [i, id] of ids.entries()) {
    plainText(id, `Cancel[${i}]`, selectIdLengthMax);
    if (cancelled.has(id)) refuse(`Cancel lists ${JSON.stringify(id)} twice.`);
    cancelled.add(id);
  }
  const listed = selects.find(({ id }) => cancelled.has(id));
  if (listed) refuse(`The select ${JSON.stringify(listed.id)} is both cancelled and listed.`);
  return [...ids];
}

function parseMake(body: MakeBody, where: string): MakeSpec {
  return { chan: bodyChan(body.Chan, `${where}.Chan`), buffer: parseBuffer(body.Buffer, `${where}.Buffer`) };
}

/** Places of a channel; none said means unbuffered, as in Go. */
export function parseBuffer(value: number | null | undefined, where: string): number {
  if (value == null) return 0;
  if (!isWhole(value) || value < 0 || value > bufferMax) {
    return refuse(`${where} must be a whole number from 0 to ${bufferMax}.`);
  }
  return value;
}

function parseClose(item: string | CloseItem<Raw>, where: string): CloseSpec {
  if (typeof item === "string") return { chan: bodyChan(item, where) };
  return { chan: bodyChan(item.Chan, `${where}.Chan`), ...closeValue(item.Value) };
}

/** `null` is what receivers of a closed channel get anyway. */
export function closeValue(value: Raw | undefined): { value?: Raw } {
  return value === undefined || isNull(value) ? {} : { value };
}

function parseSpawns(bodies: readonly SpawnBody<Raw>[], rules: Rules): SpawnSpec[] {
  return bodies.map((body, i) => {
    const where = `Spawn[${i}]`;
    if (body.Lock != null) refuse(`${where} has a Lock: only a new state can be spawned.`);
    const selects = parseSelects(body.Selects, `${where}.Selects`, rules);
    return { id: stateId(body.ID, rules.limits.idBytesMax), ...parseContent(body, rules), selects };
  });
}

/** `Data`, `Vars`, `Callback` of a state that is written whole. */
export function parseContent(
  body: Pick<SpawnBody<Raw>, "Data" | "Vars" | "Callback">,
  rules: Rules,
): Pick<SpawnSpec, "data" | "vars" | "callback"> {
  const { Data, Vars, Callback } = body;
  return present({
    data: Data,
    vars: Vars === undefined || isNull(Vars) ? undefined : parseVars(Vars),
    callback: Callback == null ? undefined : parseCallback(Callback, rules),
  });
}
