/**
 * The parts of one node, built around each other. Nothing runs yet: start.ts sets them going.
 */
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { invariant } from "../src/invariant.js";
import type { Machine } from "../src/select/machine.js";
import { keys } from "../src/select/keys.js";
import type { Command } from "../src/select/command.js";
import type { HandOut } from "../src/select/outcome.js";
import type { Meta } from "../src/select/types.js";
import { noConfiguration } from "../raft/configuration.js";
import { Raft } from "../raft/raft.js";
import type { Configuration } from "../raft/types.js";
import type { CallbackDuty } from "./callback-duty.js";
import type { Callbacks } from "./callbacks.js";
import type { Driver } from "./driver.js";
import { firstConfiguration, readConfiguration } from "./configuration.js";
import { Duties } from "./duties.js";
import { systemEnvironment, type Environment, type Time } from "./environment.js";
import { Health, type Upkeep } from "./health.js";
import type { Feed } from "./feed.js";
import { readGauges } from "./gauges.js";
import type { Identity } from "./identity.js";
import type { Instances } from "./instances.js";
import type { Intake } from "./intake.js";
import type { LeadershipWatch } from "./leadership.js";
import { buildMembers } from "./member-parts.js";
import type { Members } from "./members.js";
import type { Membership } from "./membership.js";
import { createMetrics, type Metrics } from "./metrics.js";
import type { Member } from "./node.js";
import type { Proposals } from "./proposals.js";
import { raftLimits, type RaftLimits } from "./raft-limits.js";
import type { Reads } from "./reads.js";
import { buildCallbacks, buildRequests } from "./request-parts.js";
import { Snapshots, type SnapshotStorage } from "./snapshots.js";
import { StatusBoard } from "./status.js";
import type { Timers } from "./timers.js";
import type { NodeConfig } from "./node-config.js";
import type { Committed, LogStore, Member as Address, Peers, Store } from "./types.js";
import type { Waits } from "./waits.js";

export interface NodeHooks {
  readonly version: string;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Prometheus text of the node, other processes of it included; default: of `registry`. */
  readonly scrape?: () => Promise<string>;
  /** Wire JSON of a hand-out, for callbacks. */
  readonly render: (handOut: HandOut) => Buffer;
  /** A state returned by a callback, as a put-back. @throws SlctError */
  readonly parseReturned: (id: string, lock: string, body: Buffer) => Command;
  /** The node must end: nothing that was in flight is acknowledged. */
  readonly onFatal: (error: unknown) => void;
  /** The node has to be closed and opened again: opening installs a snapshot. Default: it ends. */
  readonly onRestart?: () => void;
  /** The node was removed from the cluster: it should end, in order. Absent: {@link onFatal}. */
  readonly onRemoved?: () => void;
  /** Clocks and chance, if not those of the system. */
  readonly environment?: Environment;
  /** Other limits of the consensus core than the usual. */
  readonly raftLimits?: Partial<RaftLimits>;
}

/** Storage and engine, open. */
export interface Opened {
  readonly identity: Identity;
  readonly instances: Instances;
  readonly log: LogStore;
  readonly store: Store & { readonly congested: boolean };
  readonly machine: Machine;
  /** Of what is on disk; absent: nothing is. */
  readonly upkeep?: Upkeep;
  readonly snapshots: SnapshotStorage;
  /** The records are lost, the log is not: see `RaftOptions.needsSnapshot`. */
  readonly needsSnapshot: boolean;
}

/** What the parts call but is built after them; set before anything runs. */
export interface Late {
  member: Member;
  driver: Driver;
  peers: Peers & { queuedBytes(): number };
  stop: () => Promise<void>;
}

export type BuiltParts = Omit<Parts, "peers">;

/** Everything a node is made of. */
export interface Parts {
  readonly config: NodeConfig;
  readonly identity: Identity;
  readonly epoch: number;
  /** This node: where others reach it. */
  readonly self: Address;
  readonly instances: Instances;
  readonly members: Members;
  readonly membership: Membership;
  readonly leadership: LeadershipWatch;
  readonly version: string;
  readonly log: LogStore;
  readonly store: Store;
  readonly machine: Machine;
  readonly raft: Raft;
  readonly intake: Intake;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly waits: Waits;
  readonly timers: Timers;
  readonly duties: Duties;
  readonly callbacks: CallbackDuty;
  readonly feed: Feed;
  readonly board: StatusBoard;
  readonly health: Health;
  readonly snapshots: Snapshots;
  readonly needsSnapshot: boolean;
  readonly metrics: Metrics;
  readonly peers: Peers & { queuedBytes(): number };
  readonly scrape: () => Promise<string>;
  /** Runs a turn of the driver soon. */
  readonly wake: () => void;
  readonly logger: Logger;
  readonly onFatal: (error: unknown) => void;
  readonly onRemoved: () => void;
  readonly time: Time;
  /** Ends what runs, in the opposite order of the start. */
  readonly stop: () => Promise<void>;
}

/** Election timeouts of silence after which what a node left parked is dropped. */
const forgetAfterTimeouts = 4;

const noStates = { waiting: 0, pending: 0, running: 0, done: 0, paused: 0 };
const noValues = { sent: 0, received: 0, buffered: 0 };

/** What the builders of the parts share. */
export interface Ground {
  readonly config: NodeConfig;
  readonly hooks: NodeHooks;
  readonly opened: Opened;
  readonly late: Late;
  readonly raft: Raft;
  /** As of the store when it was opened; what the cluster began with if no change was applied. */
  readonly applied: Configuration;
  readonly environment: Environment;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly wake: () => void;
  /** Stamps, unix ms. */
  readonly clock: () => number;
  readonly submit: (command: Command) => Promise<Committed>;
  /** Something failed that will be tried again. */
  readonly onError: (message: string, error: unknown) => void;
}

export function buildParts(
  config: NodeConfig,
  hooks: NodeHooks,
  opened: Opened,
  late: Late,
): { parts: BuiltParts; raft: Raft; dispatcher: Callbacks } {
  const { identity, instances, log, store, machine, needsSnapshot } = opened;
  const { version, logger, onFatal } = hooks;
  const ground = layGround(config, hooks, opened, late);
  const { raft, applied, environment, metrics, health, wake } = ground;
  const { time } = environment;
  // Over when the node starts anew with the records of another one.
  if (needsSnapshot)
    health.alarms.raise("store_damaged", "the records of this node are lost; they come from the leader");
  // What the others know counts; a node that joins is the only one to know its addresses.
  const self = [...applied.members, ...config.members].find(({ id }) => id === config.id);
  invariant(self !== undefined, `the addresses of node ${config.id} are not known: --members must name it`);
  const requests = buildRequests(ground);
  const group = buildMembers(ground);
  const { callbacks, dispatcher } = buildCallbacks(ground, requests.waits);
  const board = new StatusBoard({
    ...{ self, store, health, clock: () => time.wallMs(), time, onError: onFatal },
    members: () => group.members.all,
    own: () => late.member.ownStatus(),
    send: (to, frame) => late.peers.send(to, frame),
    isUp: (id) => late.peers.isUp(id),
  });
  const electionMs = config.electionTicks * config.tickMs;
  const duties = new Duties({
    ...{ raft, store, environment, logger, settings: config.settings },
    ...{ timers: requests.timers, submit: ground.submit, onError: ground.onError },
    ...{ forgetAfterMs: forgetAfterTimeouts * electionMs, promoteAfterMs: electionMs },
    isPrepared: (id) => board.knowsInstances(id, instances.entries()),
  });
  const snapshots = new Snapshots({
    ...{ self: config.id, clusterId: config.clusterId, raft, log, store, needsSnapshot, wake, time, logger },
    ...{ storage: opened.snapshots, first: firstConfiguration(identity.members), peers: () => late.peers },
  });
  const parts: BuiltParts = {
    ...{ config, identity, epoch: identity.epoch, self, instances, version, logger, onFatal, time, wake },
    ...{ log, store, machine, raft, needsSnapshot, metrics, health, board, duties, callbacks, snapshots },
    ...requests,
    ...group,
    scrape: hooks.scrape ?? (() => hooks.registry.metrics()),
    stop: () => late.stop(),
  };
  return { parts, raft, dispatcher };
}

function layGround(config: NodeConfig, hooks: NodeHooks, opened: Opened, late: Late): Ground {
  const { log, store, needsSnapshot } = opened;
  const { logger, onFatal } = hooks;
  const environment = hooks.environment ?? systemEnvironment;
  const { time, random } = environment;
  const applied = readConfiguration(store) ?? firstConfiguration(opened.identity.members);
  const raft = new Raft({
    ...{ id: config.id, electionTicks: config.electionTicks, heartbeatTicks: config.heartbeatTicks },
    ...{ log, hardState: log.hardState, appliedIndex: store.appliedIndex },
    // Without records it is not known which one was in force where the log begins.
    configuration: needsSnapshot ? noConfiguration : applied,
    ...{ random, needsSnapshot, ...raftLimits, ...hooks.raftLimits },
  });
  const meta = () => store.get(keys.meta) as Meta | undefined;
  const metrics = createMetrics(hooks.registry, {
    read: () => readGauges(late.member.parts),
    states: () => meta()?.counts ?? noStates,
    values: () => meta()?.values ?? noValues,
    alarms: () => health.alarms.list.map(({ kind }) => kind),
  });
  const health: Health = new Health({
    ...{ self: config.id, store, time, logger, ...opened.upkeep, onError: onFatal },
    ...{ diskFreeMin: config.diskFreeMin, timeoutMs: config.electionTicks * config.tickMs },
    logTimeMs: meta()?.nowMs ?? 0,
    others: () => raft.configuration.members.map(({ id }) => id).filter((id) => id !== config.id),
    observeStall: (seconds) => metrics.stallSeconds.observe(seconds),
  });
  return {
    ...{ config, hooks, opened, late, raft, applied, environment, metrics, health },
    wake: () => late.driver.wake(),
    clock: () => health.clock.nowMs(),
    submit: (command) => late.member.submit(command),
    onError: (message, error) => logger.warn({ err: error }, message),
  };
}
