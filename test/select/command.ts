/**
 * The verbs of the transcript language: one line of text → one {@link Command}. Cases and selects: language.ts.
 */
import type { Command, CloseSpec, MakeSpec, SpawnSpec } from "../../src/select/command.js";
import type { Callback, Settings } from "../../src/select/types.js";
import { digestOf, optional } from "../../sim/model/spelling.js";
import type { Names, Options } from "./language.js";
import { parseDuration, parseOptions, parseSelects, toRaw, Words } from "./language.js";

const list = (text: string): readonly string[] => text.split(",").filter((item) => item !== "");

function parseMakes(text: string): readonly MakeSpec[] {
  return list(text).map((item) => {
    const [chan = "", buffer = "0"] = item.split(":");
    return { chan, buffer: Number(buffer) };
  });
}

function parseCloses(text: string): readonly CloseSpec[] {
  return list(text).map((item) => {
    const [chan = "", value] = item.split(":");
    return { chan, ...optional("value", value === undefined ? undefined : toRaw(value)) };
  });
}

function parseBody(options: Options) {
  const uri = options.get("callback");
  const callback: Callback | undefined = uri === undefined ? undefined : { type: 1, uri };
  const raw = (key: string) => (options.has(key) ? toRaw(options.get(key) ?? "") : undefined);
  return { ...optional("data", raw("data")), ...optional("vars", raw("vars")), ...optional("callback", callback) };
}

function parseMutation(options: Options) {
  const version = options.get("if");
  return {
    ...optional("requestId", options.get("rid")),
    ...optional("ifVersion", version === undefined ? undefined : Number(version)),
  };
}

function parseLock(options: Options, names: Names) {
  const lock = options.get("lock");
  return optional("lock", lock === undefined ? undefined : names.token(lock));
}

function parseExtras(options: Options, spawn: readonly SpawnSpec[]) {
  const has = (key: string) => (options.has(key) ? true : undefined);
  const items = <T>(key: string, parse: (text: string) => readonly T[]) => {
    const text = options.get(key);
    return text === undefined ? undefined : parse(text);
  };
  return {
    ...optional("hold", has("hold")),
    ...optional("strict", has("strict")),
    ...optional("cancel", items("cancel", list)),
    ...optional("make", items("make", parseMakes)),
    ...optional("close", items("close", parseCloses)),
    ...optional("spawn", spawn.length === 0 ? undefined : spawn),
  };
}

function parseSpawn(line: string, names: Names): SpawnSpec {
  const words = new Words(line);
  if (!words.take("spawn")) throw new Error(`not a spawn: ${line}`);
  const id = words.next();
  const options = parseOptions(words);
  return { id, ...parseBody(options), selects: parseSelects(words, names, id) };
}

function parsePut(words: Words, names: Names, spawnLines: readonly string[]): Command {
  const id = words.next();
  const options = parseOptions(words);
  const selects = parseSelects(words, names, id);
  const command = {
    kind: "put" as const,
    id,
    ...parseMutation(options),
    ...parseLock(options, names),
    ...parseBody(options),
    ...parseExtras(
      options,
      spawnLines.map((line) => parseSpawn(line, names)),
    ),
    selects,
  };
  return { ...command, digest: digestOf(command), ...parseWait(options, names) };
}

function parsePatch(words: Words, names: Names, spawnLines: readonly string[]): Command {
  const id = words.next();
  const options = parseOptions(words);
  const remove = (key: string) => (options.get(key) === "null" ? { [key]: null } : {});
  const add = parseSelects(words, names, id);
  const command = {
    kind: "patch" as const,
    id,
    ...parseMutation(options),
    ...parseLock(options, names),
    ...parseBody(options),
    ...remove("data"),
    ...remove("vars"),
    ...remove("callback"),
    ...parseExtras(
      options,
      spawnLines.map((line) => parseSpawn(line, names)),
    ),
    ...optional("add", add.length === 0 ? undefined : add),
  };
  return { ...command, digest: digestOf(command), ...parseWait(options, names) };
}

function parseWait(options: Options, names: Names) {
  const leaseMs = parseDuration(options.get("lease") ?? "30s");
  return options.has("wait") ? { wait: { ref: names.ref(options.get("as")), leaseMs } } : {};
}

const defaults: Settings = {
  attemptsMax: 3,
  retentionMs: 3_600_000,
  requestMemoryMs: 86_400_000,
  selectsMax: 1024,
  callbackLeaseMs: 60_000,
};

/** `configure attempts=3 retention=1h memory=24h selects=1024 seed=7`; everything has a default. */
function parseConfigure(options: Options): Command {
  const duration = (key: string, otherwise: number) =>
    options.has(key) ? parseDuration(options.get(key) ?? "") : otherwise;
  const settings: Settings = {
    attemptsMax: Number(options.get("attempts") ?? defaults.attemptsMax),
    retentionMs: duration("retention", defaults.retentionMs),
    requestMemoryMs: duration("memory", defaults.requestMemoryMs),
    selectsMax: Number(options.get("selects") ?? defaults.selectsMax),
    callbackLeaseMs: duration("callbacklease", defaults.callbackLeaseMs),
  };
  return { kind: "configure", seed: new Uint8Array(16).fill(Number(options.get("seed") ?? 1)), settings };
}

function parseDemand(options: Options, names: Names, kind: "poll" | "callback"): Command {
  return {
    kind: "demand",
    for: kind,
    prefix: options.get("prefix") ?? "",
    max: Number(options.get("max") ?? 1),
    leaseMs: parseDuration(options.get("lease") ?? "30s"),
    park: options.has("wait"),
    ref: names.ref(options.get("as")),
  };
}

/** `select`, and the plain `send` and `recv` that are defined as one. */
function parseAnonymous(verb: string, words: Words, names: Names): Command {
  const target = verb === "select" ? "" : words.next();
  const options = parseOptions(words);
  const text = verb === "select" ? words.rest() : `${verb} ${target} ${words.rest()}`;
  const [select] = parseSelects(new Words(text), names, "");
  if (!select) throw new Error("a select needs a case");
  return {
    kind: "select",
    ...parseMutation(options),
    route: target === "" ? "select" : `${verb} ${target}`,
    cases: select.cases,
    choice: select.choice,
    ...(options.has("wait") ? { wait: { ref: names.ref(options.get("as")) } } : {}),
  };
}

function parseStateVerb(verb: string, words: Words, names: Names): Command | undefined {
  const id = words.next();
  const options = parseOptions(words);
  const head = { id, ...parseMutation(options), ...parseLock(options, names) };
  const details = options.get("details");
  switch (verb) {
    case "delete":
      return { kind: "delete", ...head, ...optional("force", options.has("force") ? true : undefined) };
    case "lock":
    case "heartbeat":
      return {
        kind: "lock",
        ...head,
        forMs: parseDuration(options.get("for") ?? "30s"),
        ...optional("details", details === undefined ? undefined : toRaw(details)),
      };
    case "unlock":
      return { kind: "unlock", ...head, delayMs: parseDuration(options.get("delay") ?? "0s") };
    case "pause":
      return { kind: "pause", id, ...parseMutation(options), reason: options.get("reason") ?? "request" };
    case "resume":
      return { kind: "resume", id, ...parseMutation(options) };
    case "fail":
      return {
        kind: "callbackFailed",
        id,
        lock: names.token(options.get("lock") ?? ""),
        error: options.get("error") ?? "failed",
        delayMs: parseDuration(options.get("delay") ?? "0s"),
        pause: options.has("pause"),
      };
    default:
      return undefined;
  }
}

function parseChanVerb(verb: string, words: Words): Command | undefined {
  const chan = words.next();
  const options = parseOptions(words);
  switch (verb) {
    case "make":
      return { kind: "make", chan, buffer: words.done ? 0 : Number(words.next()), ...parseMutation(options) };
    case "close":
      return {
        kind: "close",
        chan,
        ...optional("value", words.done ? undefined : toRaw(words.next())),
        ...parseMutation(options),
      };
    case "drop":
      return { kind: "drop", chan, ...parseMutation(options) };
    default:
      return undefined;
  }
}

/** @throws Error on a line that is not a command of the engine */
export function parseCommand(text: string, names: Names): Command {
  const [line = "", ...more] = text.split("\n");
  const words = new Words(line);
  const verb = words.next();
  const parsed = parseVerb(verb, words, names, more);
  if (!parsed) throw new Error(`no such command: ${line}`);
  if (!words.done) throw new Error(`not understood: ${words.rest()}`);
  return parsed;
}

function parseVerb(verb: string, words: Words, names: Names, more: readonly string[]): Command | undefined {
  switch (verb) {
    case "configure":
      return parseConfigure(parseOptions(words));
    case "put":
      return parsePut(words, names, more);
    case "patch":
      return parsePatch(words, names, more);
    case "poll":
    case "callback":
      return parseDemand(parseOptions(words), names, verb === "poll" ? "poll" : "callback");
    case "select":
    case "send":
    case "recv":
      return parseAnonymous(verb, words, names);
    case "withdraw":
      return {
        kind: "withdraw",
        ...(words.take("waited") ? { waited: true } : {}),
        refs: words
          .rest()
          .split(" ")
          .map((name) => names.ref(name)),
      };
    case "forget":
      return { kind: "forget", node: words.next(), epoch: Number(words.next()) };
    case "make":
    case "close":
    case "drop":
      return parseChanVerb(verb, words);
    default:
      return parseStateVerb(verb, words, names);
  }
}
