/**
 * Opens one member: storage, cores, peers, loop; and closes it in the opposite order.
 *
 * The log is replayed from the index that the applied store has on disk. Any error of storage or of an invariant goes to
 * `onFatal`, and nothing is acknowledged afterwards.
 */
import { join } from "node:path";
import { invariant } from "../src/invariant.js";
import { keys } from "../src/select/keys.js";
import { Machine } from "../src/select/machine.js";
import type { Meta } from "../src/select/types.js";
import { votersOf } from "../raft/configuration.js";
import type { Raft } from "../raft/raft.js";
import { readConfiguration } from "./configuration.js";
import { spaceOf } from "./disk-space.js";
import { Driver } from "./driver.js";
import { pause, systemTime, type Time } from "./environment.js";
import { findIdentity, openIdentity } from "./identity.js";
import { Instances } from "./instances.js";
import { loadIndexes } from "./load-indexes.js";
import { SegmentLog } from "./log.js";
import { removedText } from "./members.js";
import { Member } from "./node.js";
import { buildParts, type BuiltParts, type Late, type NodeHooks, type Opened } from "./parts.js";
import { openPeers, type PeersOptions } from "./peers.js";
import { LevelIncoming } from "./snapshot-incoming.js";
import { intendInstall } from "./snapshot-install.js";
import type { LevelStore } from "./store.js";
import { openStore, reportDamage } from "./store-repair.js";
import type { NodeConfig } from "./node-config.js";
import type { Peers } from "./types.js";

/** How often the log is cut below what the store has flushed. */
const compactMs = 2000;
const forgetRetryMs = 500;

/** Opens the links to the other members; nothing arrives before it has resolved. */
export type OpenLinks = (options: PeersOptions) => Promise<Peers & { queuedBytes(): number }>;

/**
 * @param openLinks another way to reach the members than over the network
 * @throws Error with a clear message when the data directory is damaged, in use, or belongs to another node
 */
export async function openNode(
  config: NodeConfig,
  hooks: NodeHooks,
  openLinks: OpenLinks = openPeers,
): Promise<Member> {
  const { id, clusterId, dataDir, overlayBytesMax } = config;
  const known = findIdentity(dataDir, clusterId, id);
  const log = await SegmentLog.open({
    ...{ dir: join(dataDir, "log"), clusterId, nodeId: id, segmentBytes: config.logSegmentBytes },
    mustExist: known !== undefined,
  });
  let store: LevelStore | undefined;
  try {
    // Without its epochs the node could take what an earlier run began for its own.
    invariant(known !== undefined || log.lastIndex() === 0, `${dataDir} has a log, but its identity.json is missing`);
    const identity = openIdentity(dataDir, clusterId, id, config.join ? [] : config.members);
    const instances = Instances.open(dataDir);
    const onError = (error: unknown) => {
      reportDamage(dataDir, error);
      hooks.onFatal(error);
    };
    const hasOthers = instances.entries().length > 0 || config.members.length > 1;
    const found = await openStore({ dataDir, log, overlayBytesMax, hasOthers, onError, logger: hooks.logger });
    ({ store } = found);
    invariant(
      store.appliedIndex <= log.lastIndex(),
      `the log ends at ${log.lastIndex()}, but ${store.appliedIndex} is applied: log files are missing`,
    );
    if (readConfiguration(store)?.removed.includes(id) === true) throw new Error(removedText(id));
    const machine = new Machine(store);
    await loadIndexes(store, machine);
    const records = store;
    const upkeep = { space: () => spaceOf(dataDir), verify: records.verify.bind(records) };
    return await startNode(
      config,
      { ...hooks, openLinks },
      {
        ...{ identity, instances, log, store, machine, upkeep, needsSnapshot: found.needsSnapshot },
        snapshots: { incoming: new LevelIncoming(dataDir), intend: (install) => intendInstall(dataDir, install) },
      },
    );
  } catch (error) {
    await Promise.allSettled([store?.close(), log.close()]);
    throw error;
  }
}

/** Sets a node going over storage that is open. */
export async function startNode(
  config: NodeConfig,
  hooks: NodeHooks & { openLinks: OpenLinks },
  opened: Opened,
): Promise<Member> {
  const time = hooks.environment?.time ?? systemTime;
  const late = {} as Late;
  const { parts, raft, dispatcher } = buildParts(config, hooks, opened, late);
  const links = hooks.openLinks({
    self: parts.self,
    ...(config.peerListen !== undefined && { listen: config.peerListen }),
    clusterId: config.clusterId,
    ...{ instance: opened.identity.instance, epoch: opened.identity.epoch, instances: opened.instances },
    handler: {
      onFrame: (from, frame) => late.member.onFrame(from, frame),
      onLink: (to) => {
        late.member.onLink(to);
        parts.board.tell(to);
      },
      onStopped: (member) => late.member.onStopped(member),
      onBanned: (by, ban) => late.member.onBanned(by, ban),
      onPull: (by, path) => parts.snapshots.pull(by, path),
    },
    logger: hooks.logger,
  });
  late.peers = await links.catch((error: unknown) => {
    parts.board.close();
    parts.health.close();
    throw error;
  });
  const node = new Member({ ...parts, peers: late.peers });
  late.member = node;
  late.driver = createDriver(node, late, { ...opened, raft, parts, hooks });
  const stopTicking = time.every(config.tickMs, () => {
    parts.health.tick();
    node.tick();
    late.driver.sendMeanwhile();
  });
  let compacting: Promise<void> | undefined;
  const stopCompacting = time.every(compactMs, () => {
    compacting ??= opened.log
      .compact(parts.snapshots.cutTo(), config.logTailBytes)
      .catch(hooks.onFatal)
      .finally(() => (compacting = undefined));
  });
  late.stop = async () => {
    await dispatcher.close();
    stopTicking();
    stopCompacting();
    node.closeParts();
    parts.health.close();
    await late.driver.close();
    await parts.snapshots.close();
    await late.peers.close();
    await compacting;
    await opened.log.close();
    await opened.store.close();
  };
  parts.members.follow();
  // Alone there is nobody to wait for.
  if (votersOf(raft.configuration).join() === config.id) raft.campaign();
  node.begin();
  if (!opened.needsSnapshot) void forgetEarlier(node, opened.identity.epoch, time);
  return node;
}

/** What an earlier run of this node left parked has nobody to answer any more. */
async function forgetEarlier(node: Member, epoch: number, time: Time): Promise<void> {
  while (!node.closing) {
    const done = await node.submit({ kind: "forget", node: node.id, epoch }).then(
      ({ outcome }) => outcome.ok,
      () => false,
    );
    if (done) return;
    await pause(time, forgetRetryMs);
  }
}

function createDriver(
  node: Member,
  late: Late,
  {
    raft,
    log,
    store,
    machine,
    parts,
    hooks,
  }: Omit<Opened, "snapshots"> & { raft: Raft; parts: BuiltParts; hooks: NodeHooks },
): Driver {
  return new Driver({
    ...{ raft, log, store, machine },
    time: parts.time,
    nowMs: (store.get(keys.meta) as Meta | undefined)?.nowMs ?? 0,
    host: {
      beforeTurn: () => node.beforeTurn(),
      send: (message) => late.peers.send(message.to, { kind: "raft", message }),
      onApplied: (entry) => {
        node.onApplied(entry);
        parts.health.onApplied(entry.nowMs);
      },
      onConfiguration: (configuration, at) => node.onConfiguration(configuration, at),
      onTerm: (term) => node.onTerm(term),
      onReads: (states) => parts.reads.onReads(states),
      onProgress: (index) => node.onProgress(index),
      observeSync: (seconds, entries) => {
        parts.metrics.syncSeconds.observe(seconds);
        parts.metrics.batchEntries.observe(entries);
      },
      observeApply: (seconds, cpuSeconds) => {
        parts.metrics.applySeconds.observe(seconds);
        parts.metrics.applyCpuSeconds.observe(cpuSeconds);
      },
      onSnapshotsTo: (ids) => parts.snapshots.begin(ids),
      onInstall: (install) => {
        parts.snapshots.onInstall(install);
        if (hooks.onRestart !== undefined) hooks.onRestart();
        else hooks.onFatal(new Error("the node has to start again: a snapshot is to be installed"));
      },
      onFatal: hooks.onFatal,
    },
  });
}
