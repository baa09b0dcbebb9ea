/**
 * The configuration of a node, parsed once at the edge from flags and `SLCT_*` variables; flags win.
 *
 * Everything that is wrong is reported in one message. The options themselves: src/options.ts.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ApiLimits } from "../api/rules.js";
import type { NodeConfig } from "../cluster/node-config.js";
import type { Option } from "./option-kinds.js";
import { flagOf, options, variableOf, type OptionName, type Values } from "./options.js";

export interface Config {
  readonly node: NodeConfig;
  readonly api: ApiConfig;
  readonly logLevel: Values["logLevel"];
}

export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  readonly limits: ApiLimits;
  /** Processes that serve it; 0: that of the node. */
  readonly workers: number;
}

/** `message` lists every problem, one a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(["the configuration is wrong:", ...problems.map((problem) => `  ${problem}`)].join("\n"));
    this.problems = problems;
  }
}

const names = Object.keys(options) as OptionName[];

/** @throws ConfigError with all problems at once */
export function parseConfig(source: {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}): Config {
  const problems: string[] = [];
  const given = new Map([...readVariables(source.env, problems), ...readFlags(source.argv, problems)]);
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const option: Option<unknown> = options[name];
    const { written, spelling } = given.get(name) ?? { written: option.default, spelling: `--${flagOf(name)}` };
    if (written === undefined) {
      if (!given.has(name)) problems.push(`--${flagOf(name)} (or ${variableOf(name)}) is missing: ${option.about}`);
      continue;
    }
    try {
      values[name] = option.read(written);
    } catch (error) {
      problems.push(
        `${spelling} must be ${(error as Error).message}${written === "" ? "" : `; it is ${JSON.stringify(written)}`}`,
      );
    }
  }
  problems.push(...contradictions(values));
  if (problems.length > 0) throw new ConfigError(problems);
  return assemble(values as Values);
}

interface Written {
  /** Absent for a flag without a value, which is already reported. */
  readonly written: string | undefined;
  /** What the user wrote it as, for messages. */
  readonly spelling: string;
}

function readVariables(env: Readonly<Record<string, string | undefined>>, problems: string[]): [OptionName, Written][] {
  const byVariable = new Map(names.map((name) => [variableOf(name), name]));
  return Object.entries(env).flatMap(([variable, written]): [OptionName, Written][] => {
    if (!variable.startsWith("SLCT_") || written === undefined) return [];
    const name = byVariable.get(variable);
    if (name !== undefined) return [[name, { written, spelling: variable }]];
    problems.push(`${variable} is not a known variable`);
    return [];
  });
}

function readFlags(argv: readonly string[], problems: string[]): [OptionName, Written][] {
  const byFlag = new Map(names.map((name) => [flagOf(name), name]));
  const declared = Object.fromEntries(
    names.map((name) => [flagOf(name), { type: isBare(name) ? ("boolean" as const) : ("string" as const) }]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: declared,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags = new Map<OptionName, Written>();
  for (const token of tokens) {
    if (token.kind === "positional") problems.push(`${JSON.stringify(token.value)} belongs to no flag`);
    if (token.kind !== "option") continue;
    const name = byFlag.get(token.name);
    if (name === undefined) problems.push(`${token.rawName} is not a known flag`);
    else if (flags.has(name)) problems.push(`${token.rawName} is given twice`);
    else if (token.value === undefined && !isBare(name)) problems.push(`${token.rawName} has no value`);
    if (name !== undefined)
      flags.set(name, { written: token.value ?? (isBare(name) ? "yes" : undefined), spelling: token.rawName });
  }
  return [...flags];
}

function isBare(name: OptionName): boolean {
  const option: Option<unknown> = options[name];
  return option.bare === true;
}

/** What single values cannot show. A value that is itself wrong is absent here and already reported. */
function contradictions(values: Partial<Values>): string[] {
  const ids = values.members?.map(({ id }) => id) ?? [];
  const peers = values.members?.map(({ peer }) => peer) ?? [];
  const above = (low: OptionName, high: OptionName, factor = 1) => {
    const [a, b] = [values[low], values[high]];
    if (typeof a !== "number" || typeof b !== "number" || a * factor <= b) return [];
    return [
      `--${flagOf(high)} (${b}) must be at least ${factor === 1 ? "" : `${factor} times `}--${flagOf(low)} (${a})`,
    ];
  };
  const unless = (fine: boolean, problem: string) => (fine ? [] : [problem]);
  const { callbackTimeoutMs = 0, callbackLeaseMs = Infinity, callbackSlots, callbackSecrets, id } = values;
  return [
    ...above("tickMs", "heartbeatMs"),
    ...above("heartbeatMs", "electionTimeoutMs", 4),
    ...above("bodyBytesSoft", "bodyBytesMax"),
    ...above("callbackBackoffMs", "callbackBackoffMaxMs"),
    ...unless(
      callbackTimeoutMs < callbackLeaseMs,
      `--callback-timeout-ms (${callbackTimeoutMs}) must be below --callback-lease-ms (${callbackLeaseMs})`,
    ),
    ...unless(
      callbackSlots === undefined || callbackSlots === 0 || callbackSecrets?.length !== 0,
      "--callback-secrets (or SLCT_CALLBACK_SECRETS) is missing: callbacks are signed; --callback-slots 0 turns them off",
    ),
    ...unless(values.join !== true || ids.length > 0, "--members must name this node when it joins: its addresses"),
    ...unless(new Set(ids).size === ids.length, "--members names an ID twice"),
    ...unless(new Set(peers).size === peers.length, "--members names a peer address twice"),
    ...unless(
      ids.length === 0 || id === undefined || ids.includes(id),
      `--members does not name this node, ${JSON.stringify(id)}`,
    ),
  ];
}

function assemble(values: Values): Config {
  const { id, host, port } = values;
  const alone = { id, peer: "127.0.0.1:0", api: `http://${host}:${port}` };
  const ticks = (ms: number) => Math.ceil(ms / values.tickMs);
  return {
    node: {
      ...pick(values, [
        "id",
        "clusterId",
        "dataDir",
        "tickMs",
        "requestTimeoutMs",
        "leaderGraceMs",
        "proposalsMax",
        "proposalBytesMax",
        "join",
      ]),
      ...pick(values, ["waitsMax", "logSegmentBytes", "logTailBytes", "overlayBytesMax", "diskFreeMin", "eventsMax"]),
      members: values.members.length === 0 ? [alone] : values.members,
      ...(values.peerListen === undefined ? {} : { peerListen: values.peerListen }),
      electionTicks: ticks(values.electionTimeoutMs),
      heartbeatTicks: ticks(values.heartbeatMs),
      settings: pick(values, ["attemptsMax", "retentionMs", "requestMemoryMs", "selectsMax", "callbackLeaseMs"]),
      callback: {
        slots: values.callbackSlots,
        timeoutMs: values.callbackTimeoutMs,
        responseBytesMax: values.callbackResponseBytesMax,
        allow: values.callbackAllow,
        secrets: values.callbackSecrets,
        backoffMs: {
          first: values.callbackBackoffMs,
          max: values.callbackBackoffMaxMs,
          factor: values.callbackBackoffFactor,
          jitter: values.callbackJitter,
        },
      },
    },
    api: {
      host,
      port,
      workers: values.ingressWorkers,
      limits: {
        ...pick(values, [
          "bodyBytesMax",
          "bodyBytesSoft",
          "idBytesMax",
          "jsonDepthMax",
          "jsonValuesMax",
          "selectsMax",
          "casesMax",
        ]),
        ...pick(values, ["headersMax", "headerBytesMax", "receiveTimeoutMs"]),
      },
    },
    logLevel: values.logLevel,
  };
}

function pick<K extends OptionName>(values: Values, chosen: readonly K[]): Pick<Values, K> {
  return Object.fromEntries(chosen.map((name) => [name, values[name]])) as Pick<Values, K>;
}

// ------------------------------------------------------------------------------------------------------------ pages

/** The table of all options, for a terminal. */
export function helpText(): string {
  const rows = names.map((name) => {
    const option: Option<unknown> = options[name];
    return [
      `--${flagOf(name)}`,
      option.default === undefined ? "(required)" : option.default || "(none)",
      option.unit,
      option.about,
    ];
  });
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return [
    "slct: one node. Each flag may also be given as an environment variable (--tick-ms: SLCT_TICK_MS); flags win.",
    "",
    ...lines,
    "",
  ].join("\n");
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const rows = names.map((name) => {
    const option: Option<unknown> = options[name];
    const value = option.default === undefined ? "required" : option.default === "" ? "none" : `\`${option.default}\``;
    return `| \`--${flagOf(name)}\` | \`${variableOf(name)}\` | ${value} | ${option.unit} | ${option.about} |`;
  });
  return [
    "# Configuration",
    "",
    "A node takes its configuration from flags and environment variables; flags win. It is read once, at the start, and",
    "everything that is wrong with it is reported in one message (exit code 78). `node dist/src/main.js --help` prints the",
    "same table. Lists are separated by commas or white space. This page is made from [src/options.ts](../src/options.ts).",
    "",
    "With the defaults a leader that stalls for 500 ms stays leader. One whose process ends is replaced within about 0.3 s,",
    "as connections to it are refused; one that falls silent otherwise within 1.5 s: a follower campaigns after 600–1200 ms",
    "without a heartbeat.",
    "",
    "| flag | variable | default | unit | meaning |",
    "|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

/** The file that {@link configurationPage} is written to, below the root of the repository. */
export const configurationFile = join("docs", "configuration.md");
