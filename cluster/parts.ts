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
import { CallbackDuty } from "./callback-duty.js";
import { openCallbacks, type Callbacks } from "./callbacks.js";
import type { Driver } from "./driver.js";
import { firstConfiguration, readConfiguration } from "./configuration.js";
import { Duties } from "./duties.js";
import { systemEnvironment, type Environment, type Time } from "./environment.js";
import { Feed } from "./feed.js";
import { Health, type Upkeep } from "./health.js";
import { readGauges } from "./gauges.js";
import type { Identity } from "./identity.js";
import type { Instances } from "./instances.js";
import { Intake } from "./intake.js";
import type { LeadershipWatch } from "./leadership.js";
import { buildMembers } from "./member-parts.js";
import type { Members } from "./members.js";
import type { Membership } from "./membership.js";
import { createMetrics, type Metrics } from "./metrics.js";
import type { Member } from "./node.js";
import { Proposals } from "./proposals.js";
import { raftLimits, type RaftLimits } from "./raft-limits.js";
import { Reads } from "./reads.js";
import { Snapshots, type SnapshotStorage } from "./snapshots.js";
import { StatusBoard } from "./status.js";
import { Timers } from "./timers.js";
import type { NodeConfig } from "./node-config.js";
import type { LogStore, Member as Address, Peers, Store } from "./types.js";
import { Waits } from "./waits.js";

export interface NodeHooks {
  readonly version: string;
  readonly logger: Logger;
  readonly registry: Registry;
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

export function buildParts(
  config: NodeConfig,
  hooks: NodeHooks,
  opened: Opened,
  late: Late,
): { parts: BuiltParts; raft: Raft; dispatcher: Callbacks } {
  const { identity, instances, log, store, machine, needsSnapshot } = opened;
  const { epoch } = identity;
  const { logger, registry, onFatal } = hooks;
  const submit = (command: Command) => late.member.submit(command);
  const onError = (message: string, error: unknown) => logger.warn({ err: error }, message);
  const wake = () => late.driver.wake();
  const environment = hooks.environment ?? systemEnvironment;
  const { time } = environment;
  const clock = () => health.clock.nowMs();
  const applied = readConfiguration(store) ?? firstConfiguration(identity.members);
  // What the others know counts; a node that joins is the only one to know its addresses.
  const self = [...applied.members, ...config.members].find(({ id }) => id === config.id);
  invariant(self !== undefined, `the addresses of node ${config.id} are not known: --members must name it`);
  const raft = new Raft({
    ...{ id: config.id, electionTicks: config.electionTicks, heartbeatTicks: config.heartbeatTicks },
    ...{ log, hardState: log.hardState, appliedIndex: store.appliedIndex },
    // Without records it is not known which one was in force where the log begins.
    configuration: needsSnapshot ? noConfiguration : applied,
    ...{ random: environment.random, needsSnapshot, ...raftLimits, ...hooks.raftLimits },
  });
  const metrics = createMetrics(registry, {
    read: () => readGauges(late.member.parts),
    states: () => (store.get(keys.meta) as Meta | undefined)?.counts ?? noStates,
    alarms: () => health.alarms.list.map(({ kind }) => kind),
  });
  const health: Health = new Health({
    ...{ self: config.id, store, time, logger, ...opened.upkeep, onError: onFatal },
    ...{ diskFreeMin: config.diskFreeMin, timeoutMs: config.electionTicks * config.tickMs },
    logTimeMs: (store.get(keys.meta) as Meta | undefined)?.nowMs ?? 0,
    others: () => raft.configuration.members.map(({ id }) => id).filter((id) => id !== config.id),
    observeStall: (seconds) => metrics.stallSeconds.observe(seconds),
  });
  const proposals = new Proposals({
    ...{ node: config.id, epoch, proposalsMax: config.proposalsMax, proposalBytesMax: config.proposalBytesMax },
    ...{ timeoutMs: config.requestTimeoutMs, wake, time },
    send: (leader, term, batch) => late.member.sendProposals(leader, term, batch),
    observe: (seconds) => metrics.commitSeconds.observe(seconds),
  });
  const reads = new Reads({
    ...{ readsMax: config.waitsMax, timeoutMs: config.requestTimeoutMs, wake, time },
    applied: () => store.appliedIndex,
    ask: (context) => raft.readIndex(context),
  });
  const replayedTo = log.lastIndex();
  const waits = new Waits({
    ...{ node: config.id, epoch, waitsMax: config.waitsMax, replayedTo, submit, onError, clock, time },
  });
  const timers = new Timers({
    ...{ store, clock, time, onError: onFatal },
    submit: (command) => proposals.submit(command, late.member.leadership(), raft.term),
    observeLateness: (seconds) => metrics.timerLagSeconds.observe(seconds),
  });
  const group = buildMembers(config, {
    hooks,
    opened,
    late,
    raft,
    applied,
    time,
    wake,
    onLeader: () => metrics.leaderChanges.inc(),
  });
  const forgetAfterMs = forgetAfterTimeouts * config.electionTicks * config.tickMs;
  const duties = new Duties({
    ...{ raft, store, timers, settings: config.settings, forgetAfterMs, submit, onError, environment },
    promoteAfterMs: config.electionTicks * config.tickMs,
    isPrepared: (id) => board.knowsInstances(id, instances.entries()),
    logger,
  });
  const { callbacks, dispatcher } = buildCallbacks(config, hooks, { submit, waits, metrics, clock, environment });
  const board = new StatusBoard({
    ...{ store, health, clock: () => time.wallMs(), time, onError: onFatal },
    self,
    members: () => group.members.all,
    own: () => late.member.ownStatus(),
    send: (to, frame) => late.peers.send(to, frame),
  });
  const snapshots = new Snapshots({
    ...{ self: config.id, clusterId: config.clusterId, raft, log, store, needsSnapshot, wake, time, logger },
    ...{ storage: opened.snapshots, first: firstConfiguration(identity.members), peers: () => late.peers },
  });
  const parts: BuiltParts = {
    ...{ snapshots, needsSnapshot, log },
    ...{ config, identity, epoch, self, instances, ...group },
    ...{ store, machine, raft, proposals, reads, waits, timers, duties, callbacks, board, health, metrics },
    ...{
      version: hooks.version,
      logger,
      onFatal,
      time,
      wake,
      scrape: () => registry.metrics(),
      stop: () => late.stop(),
    },
    intake: new Intake({
      ...{ raft, clock, congested: () => store.congested, limit: () => health.limit() },
      applied: () => store.appliedIndex,
      refuse: (origin, refused) =>
        origin === config.id ? proposals.refused(refused) : late.peers.send(origin, { kind: "refused", ...refused }),
    }),
    feed: new Feed(config.eventsMax, store.appliedIndex, config.waitsMax, time),
  };
  return { parts, raft, dispatcher };
}

function buildCallbacks(
  config: NodeConfig,
  hooks: NodeHooks,
  {
    submit,
    waits,
    metrics,
    clock,
    environment,
  }: { submit: Member["submit"]; waits: Waits; metrics: Metrics; clock: () => number; environment: Environment },
): { callbacks: CallbackDuty; dispatcher: Callbacks } {
  const callbacks: CallbackDuty = new CallbackDuty({
    ...{ slots: config.callback.slots, leaseMs: config.settings.callbackLeaseMs, submit, time: environment.time },
    newRef: () => waits.newRef(),
    take: (handOuts) => dispatcher.take(handOuts),
  });
  const dispatcher: Callbacks = openCallbacks({
    ...{ config: config.callback, nodeId: config.id, propose: submit },
    ...{
      render: hooks.render,
      parse: hooks.parseReturned,
      random: environment.random,
      now: clock,
    },
    onFree: (slots) => callbacks.freed(slots),
    onEnd: (end) => metrics.callbacks.inc({ end }),
  });
  return { callbacks, dispatcher };
}
