/**
 * How this node and its fellows are, and what follows from it: alarms, the clock to stamp with, what the leader still
 * takes.
 *
 * An alarm of any member counts for the cluster while that member is heard: what the leader takes fills the disks of all,
 * and what differs on one may have been answered by it. Meaning and remedies: docs/operations.md.
 */
import type { Logger } from "pino";
import type { NodeId } from "../raft/types.js";
import { Alarms, type Alarm, type AlarmKind } from "./alarms.js";
import { ClusterClock, skewMsMax } from "./cluster-clock.js";
import { Consistency, type StateMark } from "./consistency.js";
import { DiskSpace, type Space } from "./disk-space.js";
import type { Time } from "./environment.js";
import type { Limit } from "./intake.js";
import { Scrub, type ScrubOptions } from "./scrub.js";
import { StallWatch } from "./stall.js";
import type { Store } from "./types.js";

/** What a node tells the others of how it is. */
export interface HealthStatus {
  readonly alarms: readonly Alarm[];
  /** Absent: not watched, or not known yet. */
  readonly diskFreeBytes?: number;
  readonly stateHash?: StateMark;
}

/** What the node can ask of the disk. */
export interface Upkeep {
  /** Of the disk of the data directory. */
  readonly space: () => Promise<Space>;
  /** Reads all records, in no more than `share` of the time. */
  readonly verify: ScrubOptions["verify"];
}

export interface HealthOptions extends Partial<Upkeep> {
  readonly self: NodeId;
  readonly others: () => readonly NodeId[];
  readonly store: Pick<Store, "stateHash" | "appliedIndex">;
  /** Log time of the last applied entry, ms. */
  readonly logTimeMs: number;
  readonly time: Time;
  readonly logger: Pick<Logger, "info" | "warn">;
  readonly diskFreeMin: number;
  /** Of an election; a gap of half of it in the work of this process is a stall. */
  readonly timeoutMs: number;
  readonly observeStall: (seconds: number) => void;
  readonly onError: (error: unknown) => void;
}

const intervalMs = 1000;
/** What a member said counts for so long. */
const heardMsMax = 3500;
/** A step of the wall clock against the monotonic one that is worth a line. */
const jumpMsMin = skewMsMax;
/** The alarm is over when clocks are that close again. */
const skewMsClear = skewMsMax / 2;

export class Health {
  readonly alarms: Alarms;
  readonly clock: ClusterClock;
  readonly consistency: Consistency;
  readonly #options: HealthOptions;
  readonly #disk: DiskSpace | undefined;
  readonly #scrub: Scrub | undefined;
  readonly #stall: StallWatch;
  readonly #heard = new Map<NodeId, { readonly kinds: ReadonlySet<AlarmKind>; readonly heardMs: number }>();
  #wallDistanceMs: number;
  readonly #cancel: () => void;

  constructor(options: HealthOptions) {
    const { time, logger, others, space, verify, diskFreeMin, timeoutMs, onError } = options;
    this.#options = options;
    this.alarms = new Alarms({ logger, wallMs: () => time.wallMs() });
    this.clock = new ClusterClock({ time, others });
    this.clock.advance(options.logTimeMs);
    this.consistency = new Consistency({ ...options, alarms: this.alarms });
    if (space !== undefined && diskFreeMin > 0) {
      const complain = (message: string, error: unknown) => logger.warn({ err: error }, message);
      this.#disk = new DiskSpace({ space, freeMin: diskFreeMin, alarms: this.alarms, time, onError: complain });
      this.#disk.look().catch(onError);
    }
    if (verify !== undefined) this.#scrub = new Scrub({ verify, time });
    this.#stall = new StallWatch({ gapMsMax: timeoutMs / 2, time, onStall: (gapMs) => this.#onStall(gapMs) });
    this.#wallDistanceMs = time.wallMs() - time.nowMs();
    this.#cancel = time.every(intervalMs, () => this.#look());
  }

  status(): HealthStatus {
    const { latest } = this.consistency;
    const diskFreeBytes = this.#disk?.freeBytes;
    return {
      alarms: this.alarms.list,
      ...(diskFreeBytes !== undefined && { diskFreeBytes }),
      ...(latest !== undefined && { stateHash: latest }),
    };
  }

  /** @param atMs wall clock of `from` when it said this */
  onStatus(from: NodeId, { alarms, stateHash }: HealthStatus, atMs: number): void {
    this.clock.heard(from, atMs);
    this.#heard.set(from, { kinds: new Set(alarms.map(({ kind }) => kind)), heardMs: this.#options.time.nowMs() });
    if (stateHash !== undefined) this.consistency.onMark(from, stateHash);
  }

  onApplied(logTimeMs: number): void {
    this.clock.advance(logTimeMs);
    this.consistency.onApplied(logTimeMs);
  }

  /** Called with every tick of Raft, before anything else. */
  tick(): void {
    this.#stall.tick();
    const { time, logger } = this.#options;
    const distanceMs = time.wallMs() - time.nowMs();
    const jumpMs = Math.round(distanceMs - this.#wallDistanceMs);
    this.#wallDistanceMs = distanceMs;
    if (Math.abs(jumpMs) >= jumpMsMin) logger.warn({ event: "clock jump", jumpMs }, "the wall clock was set");
  }

  /** What the leader must not take just now. */
  limit(): Limit | undefined {
    if (this.#stands("state_mismatch")) return { restriction: "all", reason: "state_mismatch" };
    if (this.#stands("disk_critical")) return { restriction: "most", reason: "disk_low" };
    if (this.#stands("disk_low")) return { restriction: "growth", reason: "disk_low" };
    return undefined;
  }

  close(): void {
    this.#cancel();
    this.#disk?.close();
    this.#scrub?.close();
    this.consistency.close();
  }

  #stands(kind: AlarmKind): boolean {
    if (this.alarms.has(kind)) return true;
    const sinceMs = this.#options.time.nowMs() - heardMsMax;
    return this.#options.others().some((id) => {
      const heard = this.#heard.get(id);
      return heard !== undefined && heard.heardMs >= sinceMs && heard.kinds.has(kind);
    });
  }

  #look(): void {
    this.consistency.tick();
    const skewMs = this.clock.skewMs();
    const aheadMs = this.clock.aheadMs();
    const most = Math.max(Math.abs(skewMs), aheadMs);
    if (most > skewMsMax) this.alarms.raise("clock_skew", skewText(skewMs, aheadMs));
    else if (most < skewMsClear) this.alarms.clear("clock_skew");
  }

  #onStall(gapMs: number): void {
    this.#options.observeStall(gapMs / 1000);
    const gap = { event: "stall", gapMs: Math.round(gapMs) };
    this.#options.logger.warn(gap, "this process did not run for a while; it may have been replaced as a leader");
  }
}

function skewText(skewMs: number, aheadMs: number): string {
  if (Math.abs(skewMs) > skewMsMax) {
    const side = skewMs < 0 ? "behind" : "ahead of";
    return `the wall clock of this node is ${seconds(skewMs)} s ${side} that of the members`;
  }
  return `log time is ${seconds(aheadMs)} s ahead of the members' clocks: timers and leases wait until these have caught up`;
}

function seconds(ms: number): string {
  return (Math.abs(ms) / 1000).toFixed(1);
}
