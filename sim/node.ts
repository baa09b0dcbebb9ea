/**
 * One node: a whole member of `cluster/` over simulated disk, network and clocks, in a process that starts, stops, freezes
 * and dies.
 */
import type { Logger } from "pino";
import { Registry } from "prom-client";
import type { Member } from "../cluster/node.js";
import type { SnapshotStorage } from "../cluster/snapshots.js";
import type { Instances } from "../cluster/instances.js";
import { startNode } from "../cluster/start.js";
import { StorageError } from "../cluster/storage-error.js";
import type { NodeConfig } from "../cluster/node-config.js";
import type { PeersHandler } from "../cluster/types.js";
import type { Raft } from "../raft/raft.js";
import type { NodeId } from "../raft/types.js";
import { NodeClock } from "./clock.js";
import type { SimConfig } from "./config.js";
import { Disk, SimLog } from "./disk.js";
import { settle } from "./loop.js";
import { openMachine } from "./machine.js";
import { peersOf } from "./peers.js";
import { drawAt, exponential, mix, Random, streamSeed } from "./random.js";
import { install, storageOf } from "./snapshots.js";
import { SimStore } from "./store.js";
import type { Surroundings } from "./surroundings.js";
import { timeOf } from "./time.js";

const silence = () => undefined;
const logger = { info: silence, warn: silence, error: silence, debug: silence } as unknown as Logger;

/** One run of the process. */
interface Process {
  readonly life: number;
  readonly log: SimLog;
  readonly store: SimStore;
  member: Member | undefined;
  raft: Raft | undefined;
  handler: PeersHandler | undefined;
  /** It ended by itself. */
  fatal: unknown;
}

export class SimNode {
  readonly id: NodeId;
  readonly number: number;
  readonly disk = new Disk();
  readonly clock: NodeClock;
  readonly #around: Surroundings;
  readonly #nodeConfig: NodeConfig;
  #process: Process | undefined;
  #isPaused = false;
  /** What happened to a frozen process, in order. */
  #frozen: (() => void)[] = [];
  /** Called when the process ended by itself because of its disk. */
  onExit: () => void = () => undefined;

  constructor(id: NodeId, number: number, nodeConfig: NodeConfig, around: Surroundings) {
    this.id = id;
    this.number = number;
    this.#around = around;
    this.#nodeConfig = nodeConfig;
    this.clock = new NodeClock(around.config.clocks[number] as SimConfig["clocks"][number]);
  }

  get life(): number | undefined {
    return this.#process?.life;
  }

  /** Which directory this is: another one after it was emptied. */
  get instance(): string {
    return `instance-${this.id}-${this.disk.wipes}`;
  }

  get instances(): Instances {
    return this.disk.instances;
  }

  get member(): Member | undefined {
    return this.#process?.member;
  }

  /** As cluster/seat.ts: it refuses requests as long as it has no records. */
  get serving(): Member | undefined {
    return this.member?.needsSnapshot === true ? undefined : this.member;
  }

  get raft(): Raft | undefined {
    return this.#process?.raft;
  }

  get store(): SimStore | undefined {
    return this.#process?.store;
  }

  get handler(): PeersHandler | undefined {
    return this.#process?.handler;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Starts the process; nothing if it runs, if its log is damaged or if it was removed: then it refuses to. */
  start(): void {
    if (this.#process !== undefined || this.disk.isRotten || this.disk.isRemoved) return;
    const { loop, config, trace, verdict, checks } = this.#around;
    if (loop.nowMs < this.disk.fullUntilMs) return;
    this.disk.epoch += 1;
    const life = this.disk.epoch;
    if (trace.isKept) trace.line(loop.nowMs, `${this.id} starts, epoch ${life}, log ${this.disk.lastIndex}`);
    trace.note(1, this.number, life);
    if (install(this.disk)) this.#around.onInstalled(this);
    const log = new SimLog(this.disk, {
      ...{ loop, config: config.disk, seed: mix(config.seed, this.number) },
      onAppend: (batch) => verdict.guard(() => checks().appending(this, batch)),
      complete: (run) => this.enter(life, run),
    });
    const store = this.#openStore(life);
    const process: Process = {
      ...{ life, log, store, member: undefined, raft: undefined, handler: undefined, fatal: undefined },
    };
    this.#process = process;
    this.enter(life, () => {
      this.#open(process).catch((error: unknown) => this.#fail(life, error));
    });
    this.#around.network().started(this);
  }

  /** The process is gone from one moment to the next. */
  crash(how: { readonly write: "kept" | "lost"; readonly polite: boolean }): void {
    const process = this.#process;
    if (process === undefined) return;
    const { trace, loop } = this.#around;
    if (trace.isKept) trace.line(loop.nowMs, `${this.id} crashes, its write is ${how.write}`);
    trace.note(2, this.number, process.life);
    process.log.crash(how.write === "kept");
    process.store.crash();
    this.#process = undefined;
    this.#frozen = [];
    this.#isPaused = false;
    this.#around.network().stopped(this, how.polite);
  }

  pause(): void {
    if (this.#process === undefined) return;
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const run of this.#frozen.splice(0)) run();
  }

  /** Runs in the process: now, when it thaws, or never. */
  enter(life: number, run: () => void): void {
    const process = this.#process;
    if (process?.life !== life || process.fatal !== undefined) return;
    if (this.#isPaused) {
      this.#frozen.push(() => this.enter(life, run));
      return;
    }
    try {
      run();
    } catch (error) {
      this.#fail(life, error);
    }
    settle();
    if (process.fatal !== undefined) this.#exit(process);
    else this.#around.checks().stepped(this);
  }

  #openStore(life: number): SimStore {
    const { loop, config, reference, buggify, verdict, checks } = this.#around;
    const seed = streamSeed(mix(config.seed, this.number), `store ${life}`);
    let flushes = 0;
    return new SimStore(this.disk, {
      ...{ loop, flushEntries: config.disk.flushEntries },
      flushMs: () => exponential(5 * config.disk.latencyMeanMs, drawAt(seed, ++flushes)),
      complete: (run) => this.enter(life, run),
      onAdvanced: (index, term, writes) => {
        verdict.guard(() => {
          checks().applying(this, index, term);
          reference.compare(this.id, index, writes);
        });
      },
      isCongested: () => buggify.fires("congested", this.number),
    });
  }

  async #open(process: Process): Promise<void> {
    const { life, log, store } = process;
    const { config, loop, network, checks, verdict } = this.#around;
    const machine = openMachine(store, () =>
      verdict.guard(() => {
        if (process.raft !== undefined) checks().commitTo(this, process.raft.commitIndex);
      }),
    );
    const random = new Random(streamSeed(mix(config.seed, this.number), `raft ${life}`));
    const identity = {
      ...{ clusterId: "sim", nodeId: this.id, instance: this.instance, epoch: life },
      members: this.#nodeConfig.join ? [] : this.#nodeConfig.members,
    };
    const secret = new Random(streamSeed(config.seed, `secret ${this.number} ${life}`));
    process.member = await startNode(
      this.#nodeConfig,
      {
        ...{ version: "0", logger, registry: new Registry() },
        environment: {
          time: timeOf({ loop, clock: this.clock, enter: (run) => this.enter(life, run) }),
          random: () => random.next(),
          secret: () => Uint8Array.from({ length: 16 }, () => secret.below(256)),
        },
        raftLimits: {
          appendBytesMax: config.appendBytesMax,
          inflightMax: config.inflightMax,
          uncommittedBytesMax: config.uncommittedBytesMax,
          preVote: this.number >= config.withoutPreVote,
        },
        render: () => Buffer.alloc(0),
        parseReturned: () => {
          throw new Error("no callback is called here");
        },
        onFatal: (error) => this.#fail(life, error),
        onRestart: () => this.#restart(process),
        onRemoved: () => this.#leave(life),
        openLinks: ({ handler }) => {
          process.handler = handler;
          const isGone = (): boolean => this.#process !== process || process.fatal !== undefined;
          return Promise.resolve(peersOf(this, { network: network(), verdict, isGone }));
        },
      },
      {
        ...{ identity, instances: this.disk.instances, log, store, machine },
        needsSnapshot: this.disk.lacksRecords,
        snapshots: this.#openSnapshots(life),
      },
    );
    process.raft = process.member.parts.raft;
    checks().started(this);
  }

  #openSnapshots(life: number): SnapshotStorage {
    const { loop, config } = this.#around;
    const seed = streamSeed(mix(config.seed, this.number), `incoming ${life}`);
    let writes = 0;
    const write = (): Promise<void> =>
      new Promise((resolve) => {
        const ms = exponential(config.disk.latencyMeanMs, drawAt(seed, ++writes));
        loop.after(ms, () => this.enter(life, resolve));
      });
    return storageOf(this.disk, write);
  }

  /** As cluster/seat.ts: the member is closed and opened again, which installs the snapshot. */
  #restart(process: Process): void {
    const reopen = (): void => {
      if (this.#process !== process) return;
      this.crash({ write: "kept", polite: true });
      this.start();
    };
    process.member?.close().then(reopen, (error: unknown) => this.#fail(process.life, error));
  }

  /** It was removed, and ends for good. */
  #leave(life: number): void {
    this.disk.isRemoved = true;
    this.#around.loop.soon(() => {
      if (this.life === life) this.crash({ write: "lost", polite: true });
    });
  }

  /** The node gives up. A disk that failed is a reason to; nothing else is. */
  #fail(life: number, error: unknown): void {
    const process = this.#process;
    if (process?.life !== life) return;
    process.fatal ??= error;
    // Those who knew it before turn it away.
    if (this.disk.isWiped && String(error).includes("another data directory")) this.disk.isRemoved = true;
    else if (!(error instanceof StorageError) && !process.log.isClosed) this.#around.verdict.report(error);
  }

  #exit(process: Process): void {
    if (this.#process !== process) return;
    this.crash({ write: "lost", polite: true });
    this.onExit();
  }
}
