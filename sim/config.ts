/**
 * Everything that a run depends on, drawn from its seed: sizes, limits, and which faults happen how often.
 *
 * Swarm testing: each seed switches whole classes of faults on and off, as mistakes hide behind faults that are always
 * there. Plain JSON, so that a shrunk run can be kept. Source: reliability 3.2; TigerBeetle's vopr.zig for the rates.
 */
import type { Settings } from "../src/select/types.js";
import type { ClockConfig } from "./clock.js";
import { Random, streamSeed } from "./random.js";

export const faultClasses = [
  "loss",
  "replay",
  "reorder",
  "clog",
  "partition",
  "reset",
  "slowDisk",
  "diskError",
  "diskFull",
  "rot",
  "crash",
  "pause",
  "clock",
  "members",
  "transfer",
  "compaction",
  "buggify",
  "records",
  "wipe",
] as const;
export type FaultClass = (typeof faultClasses)[number];

/** Mean time between two, and how long one lasts; mean 0: never. */
export interface Rate {
  readonly everyMs: number;
  readonly forMs: number;
}

export interface NetworkConfig {
  readonly latencyMinMs: number;
  readonly latencyMeanMs: number;
  /** Share of Raft messages; everything else travels over connections, which lose only what was under way when they break. */
  readonly loss: number;
  readonly replay: number;
  /** Raft messages overtake each other. */
  readonly reorder: boolean;
  /** Raft messages under way on one link; more are dropped. */
  readonly capacity: number;
  readonly clog: Rate;
  readonly partition: Rate;
  readonly partitionMode: "size" | "members" | "one" | "bridge";
  readonly oneWay: boolean;
  /** What is sent into a cut arrives when it heals, as TCP repeats it; otherwise it is lost. */
  readonly holdsCut: boolean;
  readonly reset: Rate;
  /** A connection whose other end is silent for this long is given up. */
  readonly silentMs: number;
}

export interface DiskConfig {
  readonly latencyMinMs: number;
  readonly latencyMeanMs: number;
  readonly stall: Rate;
  readonly error: Rate;
  readonly full: Rate;
  readonly rot: Rate;
  readonly spoil: Rate;
  readonly wipe: Rate;
  readonly flushEntries: number;
}

export interface SimConfig {
  readonly seed: number;
  /** In the cluster at the beginning. */
  readonly nodes: number;
  /** Nodes with empty disks, which may join. */
  readonly spares: number;
  readonly clients: number;
  /** Requests of all clients together. */
  readonly requests: number;
  /** Mean time that a client waits between two requests. */
  readonly thinkMs: number;
  /** Of the requests. */
  readonly readShare: number;
  /** Clients ask again when they do not know. */
  readonly retries: boolean;
  /** How long faults and clients go on at most. */
  readonly safetyMs: number;
  readonly classes: readonly FaultClass[];
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly appendBytesMax: number;
  readonly inflightMax: number;
  readonly uncommittedBytesMax: number;
  /** Nodes, from the first, that go without PreVote. */
  readonly withoutPreVote: number;
  readonly proposalsMax: number;
  readonly waitsMax: number;
  readonly requestTimeoutMs: number;
  readonly leaderGraceMs: number;
  readonly settings: Settings;
  readonly network: NetworkConfig;
  readonly disk: DiskConfig;
  readonly crash: Rate;
  readonly pause: Rate;
  /** A spare node joins, or one is removed. */
  readonly change: Rate;
  readonly transfer: Rate;
  /** Bytes of entries that stay in the log below what is flushed. */
  readonly logTailBytes: number;
  readonly clockStep: Rate & { readonly byMs: number };
  /** One for each node, spare ones behind. */
  readonly clocks: readonly ClockConfig[];
  /** A site that is armed fires with this chance at each pass; 0: none is armed. */
  readonly buggify: number;
}

export function drawConfig(seed: number): SimConfig {
  const random = new Random(streamSeed(seed, "config"));
  const classes = drawClasses(random);
  const has = (one: FaultClass): boolean => classes.has(one);
  const nodes = random.of([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7]);
  const tickMs = random.of([50, 100, 100]);
  const spares = has("members") ? random.of([1, 2, 3]) : 0;
  return {
    ...{ seed, nodes, spares },
    clients: random.of([1, 2, 4, 8]),
    requests: random.of([100, 200, 400, 800]),
    thinkMs: random.of([20, 100, 300, 1000]),
    readShare: random.of([0, 0.1, 0.1, 0.5]),
    retries: random.chance(0.5),
    safetyMs: 120_000,
    classes: faultClasses.filter(has),
    tickMs,
    electionTicks: 10,
    heartbeatTicks: random.of([1, 2, 4]),
    ...drawLimits(random, has("buggify")),
    withoutPreVote: random.chance(0.1) ? random.below(Math.ceil(nodes / 2)) : 0,
    settings: drawSettings(random),
    network: drawNetwork(random, has, tickMs),
    disk: drawDisk(random, has),
    crash: drawRate(random, has("crash"), [700, 60_000], [200, 20_000]),
    pause: drawRate(random, has("pause"), [1_000, 60_000], [100, 8_000]),
    clockStep: {
      ...drawRate(random, has("clock"), [3_000, 60_000], [0, 0]),
      byMs: random.of([100, 5_000, 600_000]),
    },
    change: drawRate(random, has("members"), [2_000, 20_000], [0, 0]),
    transfer: drawRate(random, has("transfer"), [1_000, 20_000], [0, 0]),
    logTailBytes: has("compaction") ? random.of([0, 0, 1_000, 10_000]) : 1 << 26,
    clocks: Array.from({ length: nodes + spares }, () => drawClock(random, has("clock"))),
    buggify: has("buggify") ? random.of([0.01, 0.05, 0.25]) : 0,
  };
}

/** A fifth without faults, a fifth with one class only. */
function drawClasses(random: Random): ReadonlySet<FaultClass> {
  const dice = random.next();
  if (dice < 0.2) return new Set();
  if (dice < 0.4) return new Set([random.of(faultClasses)]);
  return new Set(faultClasses.filter(() => random.chance(0.4)));
}

function drawRate(
  random: Random,
  isOn: boolean,
  every: readonly [number, number],
  lasting: readonly [number, number],
): Rate {
  // Drawn in any case, so that leaving out one class does not change the others.
  const everyMs = logBetween(random, every);
  const forMs = logBetween(random, lasting);
  return { everyMs: isOn ? everyMs : 0, forMs };
}

function logBetween(random: Random, [least, most]: readonly [number, number]): number {
  const draw = random.next();
  return least === 0 ? 0 : Math.round(least * (most / least) ** draw);
}

function drawLimits(random: Random, strange: boolean) {
  const tiny = random.chance(0.25);
  const narrow = random.chance(0.5);
  const tight = random.chance(0.3);
  return {
    appendBytesMax: tiny ? random.of([1, 300, 2_000]) : 1 << 20,
    inflightMax: strange && narrow ? random.of([1, 2, 4]) : 64,
    uncommittedBytesMax: strange && tight ? 1_000 : 1 << 26,
    proposalsMax: strange && tight ? 4 : 1_000,
    waitsMax: strange && tight ? 3 : 1_000,
    requestTimeoutMs: random.of([2_000, 5_000, 10_000]),
    leaderGraceMs: random.of([500, 2_500]),
  };
}

function drawSettings(random: Random): Settings {
  return {
    attemptsMax: random.of([2, 3, 10]),
    retentionMs: random.of([1_000, 10_000, 60_000]),
    requestMemoryMs: random.of([5_000, 60_000, 120_000]),
    selectsMax: 1024,
    callbackLeaseMs: 10_000,
  };
}

function drawNetwork(random: Random, has: (one: FaultClass) => boolean, tickMs: number): NetworkConfig {
  const loss = random.of([0.01, 0.1, 0.3]);
  const replay = random.of([0.01, 0.1, 0.5]);
  const capacity = random.of([2, 5, 20]);
  const small = random.chance(0.2);
  return {
    latencyMinMs: random.of([0.1, 1, 5]),
    latencyMeanMs: random.of([0.5, 5, tickMs / 2]),
    loss: has("loss") ? loss : 0,
    replay: has("replay") ? replay : 0,
    reorder: has("reorder"),
    capacity: has("loss") && small ? capacity : 10_000,
    clog: drawRate(random, has("clog"), [500, 20_000], [200, 5_000]),
    partition: drawRate(random, has("partition"), [400, 30_000], [400, 15_000]),
    partitionMode: random.of(["size", "members", "one", "bridge"]),
    oneWay: random.chance(0.3),
    holdsCut: random.chance(0.5),
    reset: drawRate(random, has("reset"), [500, 20_000], [0, 0]),
    silentMs: random.of([1_000, 3_000]),
  };
}

function drawDisk(random: Random, has: (one: FaultClass) => boolean): DiskConfig {
  const slowMs = random.of([10, 50, 200]);
  const fastMs = random.of([0.1, 1, 5]);
  return {
    latencyMinMs: 0.1,
    latencyMeanMs: has("slowDisk") ? slowMs : fastMs,
    stall: drawRate(random, has("slowDisk"), [5_000, 60_000], [200, 4_000]),
    error: drawRate(random, has("diskError"), [5_000, 60_000], [500, 10_000]),
    full: drawRate(random, has("diskFull"), [5_000, 60_000], [1_000, 20_000]),
    rot: drawRate(random, has("rot"), [10_000, 60_000], [0, 0]),
    spoil: drawRate(random, has("records"), [5_000, 60_000], [200, 10_000]),
    wipe: drawRate(random, has("wipe"), [5_000, 60_000], [200, 10_000]),
    flushEntries: random.of([1, 10, 50, 1_000]),
  };
}

function drawClock(random: Random, isOff: boolean) {
  const rate = random.between(0.9, 1.1);
  const offsetMs = Math.round(random.between(-2_000, 2_000));
  const drift = random.between(-0.02, 0.02);
  const swingMs = random.of([0, 0, 50, 2_000]);
  const swingPeriodMs = random.of([5_000, 60_000]);
  if (isOff) return { rate, offsetMs, drift, swingMs, swingPeriodMs };
  return { rate: 1 + (rate - 1) / 1000, offsetMs: Math.round(offsetMs / 100), drift: 0, swingMs: 0, swingPeriodMs };
}
