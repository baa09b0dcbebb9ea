/**
 * Every option of a node: name, unit, range, default and meaning, declared once.
 *
 * The parser, `--help` and docs/configuration.md are made from this table. `electionTimeoutMs` is the flag
 * `--election-timeout-ms` and the variable `SLCT_ELECTION_TIMEOUT_MS`.
 */
import { defaultLimits } from "../api/rules.js";
import {
  address,
  bytes,
  choice,
  decimal,
  flag,
  integer,
  list,
  member,
  name,
  secret,
  text,
  type Option,
} from "./option-kinds.js";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const hourMs = 3_600_000;
const countMax = 10_000_000;

export const options = {
  id: name("ID of this node"),
  clusterId: name("ID of the cluster: members of another cluster are refused"),
  dataDir: text({ unit: "path", about: "directory of this node's log and records; created if missing" }),
  members: list({
    item: member,
    default: "",
    unit: "id=host:port=url, …",
    about:
      "at the first start: all members the cluster begins with, this one included (ID, address of the peer listener, base URL of the API); empty: a cluster of one. Later the cluster knows its members itself",
  }),
  join: flag("at the first start: the cluster is there already, and this node was or will be added to it"),
  peerListen: address({
    about:
      "address the peer listener binds to, if it is not the one of this node in `--members`, which the others dial",
  }),
  host: text({ default: "127.0.0.1", unit: "host", about: "address the API listens on" }),
  port: integer("port", { default: 8081, min: 0, max: 65_535, about: "port of the API; 0: any free one" }),
  ingressWorkers: integer("count", {
    default: 0,
    min: 0,
    max: 16,
    about:
      "processes beside the node that take in HTTP, all on its port; for machines with more than two cores per node ([operations.md](operations.md)); 0: the node's own process does",
  }),
  logLevel: choice(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
    default: "info",
    about: "least level of the JSON lines on stderr",
  }),

  tickMs: integer("ms", { default: 25, min: 5, max: 1000, about: "resolution of the election and heartbeat clocks" }),
  heartbeatMs: integer("ms", { default: 100, min: 5, max: 10_000, about: "interval of the leader's heartbeats" }),
  electionTimeoutMs: integer("ms", {
    default: 600,
    min: 50,
    max: 60_000,
    about: "a leader silent for this long, up to twice as long, is replaced; shorter stalls depose nobody",
  }),
  requestTimeoutMs: integer("ms", {
    default: 10_000,
    min: 100,
    max: 600_000,
    about: "from arrival to answer, waits not counted; then 504",
  }),
  leaderGraceMs: integer("ms", {
    default: 2000,
    min: 0,
    max: 600_000,
    about: "without a leader for longer than this, requests are refused at once with `no_leader`",
  }),
  proposalsMax: integer("count", {
    default: 4096,
    min: 1,
    max: countMax,
    about: "open proposals of this node; beyond: 503",
  }),
  proposalBytesMax: bytes({
    default: 64 * mebibyte,
    min: mebibyte,
    max: 4096 * mebibyte,
    about: "their bytes; beyond: 503",
  }),
  waitsMax: integer("count", {
    default: 10_000,
    min: 1,
    max: countMax,
    about: "waiting requests of this node; beyond: 503",
  }),

  attemptsMax: integer("count", {
    default: 10,
    min: 1,
    max: 1_000_000,
    about: "hand-outs without a put-back before a state is paused",
  }),
  retentionMs: integer("ms", {
    default: 168 * hourMs,
    min: 0,
    max: 100_000 * hourMs,
    about: "how long a `done` state is kept",
  }),
  requestMemoryMs: integer("ms", {
    default: 24 * hourMs,
    min: 1000,
    max: 100_000 * hourMs,
    about: "how long the answer to a Request-Id is remembered",
  }),
  selectsMax: integer("count", {
    default: defaultLimits.selectsMax,
    min: 1,
    max: 65_536,
    about: "selects of one state",
  }),
  casesMax: integer("count", { default: defaultLimits.casesMax, min: 1, max: 65_536, about: "cases of one select" }),

  callbackSlots: integer("count", {
    default: 64,
    min: 0,
    max: 10_000,
    about: "callbacks of this node in flight; 0: this node makes none",
  }),
  callbackLeaseMs: integer("ms", {
    default: 30_000,
    min: 1000,
    max: hourMs,
    about: "lease of a state handed out by callback",
  }),
  callbackTimeoutMs: integer("ms", {
    default: 10_000,
    min: 100,
    max: hourMs,
    about: "deadline of one callback; shorter than the lease",
  }),
  callbackResponseBytesMax: bytes({
    default: 4 * mebibyte,
    min: kibibyte,
    max: 64 * mebibyte,
    about: "longest answer of a callback",
  }),
  callbackAllow: list({
    item: (item) => item,
    default: "",
    unit: "host, IP or CIDR, …",
    about: "private destinations that may be called (`127.0.0.0/8`, `::1`, `hooks.internal`)",
  }),
  callbackSecrets: list({
    item: secret,
    default: "",
    unit: "whsec_<base64>, …",
    about:
      "keys that sign callbacks; the first is the current one. Give them by environment: flags show in process lists",
  }),
  callbackBackoffMs: integer("ms", {
    default: 1000,
    min: 10,
    max: hourMs,
    about: "pause after the first failed callback",
  }),
  callbackBackoffMaxMs: integer("ms", {
    default: 600_000,
    min: 10,
    max: 24 * hourMs,
    about: "longest pause between two callbacks",
  }),
  callbackBackoffFactor: decimal({
    default: 2,
    min: 1,
    max: 10,
    about: "each pause is this many times the one before",
  }),
  callbackJitter: decimal({ default: 0.2, min: 0, max: 1, about: "part of a pause that is random" }),

  logSegmentBytes: bytes({
    default: 16 * mebibyte,
    min: mebibyte,
    max: 1024 * mebibyte,
    about: "size of one file of the log; 64 MiB suits big values",
  }),
  logTailBytes: bytes({
    default: 64 * mebibyte,
    min: 0,
    max: 1024 * 1024 * mebibyte,
    about: "log kept below what is flushed: a member that was away for no longer needs no snapshot",
  }),
  diskFreeMin: bytes({
    default: 512 * mebibyte,
    min: 0,
    max: 1024 * 1024 * 1024 * mebibyte,
    about:
      "free space of the disk below which new work is refused (operations.md), at most a tenth of the disk; 0: not watched",
  }),
  overlayBytesMax: bytes({
    default: 32 * mebibyte,
    min: mebibyte,
    max: 4096 * mebibyte,
    about: "changed records kept in memory before they are flushed",
  }),
  eventsMax: integer("count", { default: 65_536, min: 1, max: countMax, about: "events kept in memory for the feed" }),

  bodyBytesMax: bytes({
    default: defaultLimits.bodyBytesMax,
    min: kibibyte,
    max: 64 * mebibyte,
    about: "longest request body; beyond: 413",
  }),
  bodyBytesSoft: bytes({
    default: defaultLimits.bodyBytesSoft,
    min: kibibyte,
    max: 64 * mebibyte,
    about: "bodies beyond this get a warning header",
  }),
  idBytesMax: bytes({ default: defaultLimits.idBytesMax, min: 16, max: 4096, about: "longest ID of a state" }),
  jsonDepthMax: integer("levels", {
    default: defaultLimits.jsonDepthMax,
    min: 8,
    max: 1000,
    about: "nesting of a body",
  }),
  jsonValuesMax: integer("count", {
    default: defaultLimits.jsonValuesMax,
    min: 100,
    max: countMax,
    about: "values in a body",
  }),
  headersMax: integer("count", {
    default: defaultLimits.headersMax,
    min: 20,
    max: 1000,
    about: "headers of a request; beyond: 431",
  }),
  headerBytesMax: bytes({
    default: defaultLimits.headerBytesMax,
    min: 4 * kibibyte,
    max: mebibyte,
    about: "bytes of all headers; beyond: 431",
  }),
  receiveTimeoutMs: integer("ms", {
    default: defaultLimits.receiveTimeoutMs,
    min: 100,
    max: 600_000,
    about: "a request not received whole by then is cut off: 408",
  }),
} satisfies Record<string, Option<unknown>>;

export type OptionName = keyof typeof options;
export type Values = { readonly [K in OptionName]: ReturnType<(typeof options)[K]["read"]> };

/** `electionTimeoutMs` → `election-timeout-ms` */
export function flagOf(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `electionTimeoutMs` → `SLCT_ELECTION_TIMEOUT_MS` */
export function variableOf(option: string): string {
  return `SLCT_${flagOf(option).replaceAll("-", "_").toUpperCase()}`;
}
