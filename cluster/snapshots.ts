/**
 * The snapshots of one node, sent and received, and what they have to do with its log.
 */
import { keys } from "../src/select/keys.js";
import type { Meta } from "../src/select/types.js";
import { encodeConfiguration } from "../raft/configuration.js";
import type { Raft } from "../raft/raft.js";
import type { Configuration, Index, NodeId } from "../raft/types.js";
import { Backups } from "./backups.js";
import { readConfiguration } from "./configuration.js";
import type { Time } from "./environment.js";
import type { Incoming } from "./snapshot-incoming.js";
import type { Install } from "./snapshot-install.js";
import { SnapshotSource } from "./snapshot-source.js";
import { SnapshotTarget } from "./snapshot-target.js";
import type { SnapshotNotice } from "./snapshot-wire.js";
import type { LogStore, Peers, ReadView, Store } from "./types.js";

/** Where arriving snapshots are kept, and how one is made the node's own. */
export interface SnapshotStorage {
  readonly incoming: Incoming;
  /** Durable when it returns: the next opening installs what has arrived. */
  intend(install: Install): void;
}

export interface SnapshotsOptions {
  readonly self: NodeId;
  readonly clusterId: string;
  readonly raft: Raft;
  readonly log: LogStore;
  readonly store: Store;
  readonly storage: SnapshotStorage;
  /** The records are lost: nothing is applied before a snapshot is installed. */
  readonly needsSnapshot: boolean;
  /** What the cluster began with. */
  readonly first: Configuration;
  readonly peers: () => Peers;
  readonly wake: () => void;
  readonly time: Time;
  readonly logger: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

/** For members under way to one the log is kept up to this size, tail aside; beyond it they will need another one. */
const heldLogBytesMax = 1024 * 1024 * 1024;

export class Snapshots {
  readonly backups: Backups;
  readonly #options: SnapshotsOptions;
  readonly #source: SnapshotSource;
  readonly #target: SnapshotTarget;

  constructor(options: SnapshotsOptions) {
    const { self, clusterId, raft, log, store, storage, needsSnapshot, peers, time, logger } = options;
    this.#options = options;
    const send = (to: NodeId, notice: SnapshotNotice) => peers().send(to, { kind: "snapshot", ...notice });
    const header = (view: ReadView) => snapshotHeader(view, options);
    this.backups = new Backups({ store, header, time });
    this.#source = new SnapshotSource({ store, raft, send, time, logger, header });
    this.#target = new SnapshotTarget({
      ...{ self, clusterId, raft, send, time, logger, incoming: storage.incoming },
      wantedFrom: needsSnapshot ? Math.max(1, log.firstIndex() - 1) : undefined,
      pull: (from, path, signal) => peers().pull(from, path, signal),
      onArrived: (snapshot) => {
        raft.step(snapshot);
        options.wake();
        return raft.installing;
      },
    });
  }

  /** One comes in here, or is about to be installed. */
  get arriving(): boolean {
    return this.#target.busy;
  }

  /** Transfers to other members under way. */
  get sending(): number {
    return this.#source.count;
  }

  /** Raft says that these members need one. */
  begin(ids: readonly NodeId[]): void {
    for (const id of ids) this.#source.begin(id);
  }

  onNotice(from: NodeId, notice: SnapshotNotice): void {
    if (notice.step === "offer") this.#target.onNotice(from, notice);
    else this.#source.onNotice(from, notice);
  }

  onLink(to: NodeId): void {
    this.#source.onLink(to);
  }

  pull(by: NodeId, path: string): AsyncIterable<Uint8Array> | undefined {
    return this.#source.pull(by, path);
  }

  /** Raft will install what has arrived: the node starts over. */
  onInstall(install: Install): void {
    this.#options.storage.intend(install);
    this.#options.logger.info({ event: "snapshot.intended", ...install }, "a snapshot is to be installed");
  }

  tick(): void {
    this.#source.tick();
    this.#target.tick();
  }

  /** The log may be cut up to here. */
  cutTo(): Index {
    const { store, log } = this.#options;
    const { heldIndex } = this.#source;
    const isHeld = heldIndex < store.flushedIndex && log.bytesFrom(heldIndex + 1) <= heldLogBytesMax;
    return isHeld ? heldIndex : store.flushedIndex;
  }

  async close(): Promise<void> {
    this.backups.close();
    this.#source.close();
    await this.#target.close();
  }
}

/** What an archive of `view` says of itself. */
export function snapshotHeader(
  view: ReadView,
  { clusterId, first }: { readonly clusterId: string; readonly first: Configuration },
): { readonly clusterId: string; readonly nowMs: number; readonly configuration: Uint8Array } {
  const nowMs = (view.get(keys.meta) as Meta | undefined)?.nowMs ?? 0;
  return { clusterId, nowMs, configuration: encodeConfiguration(readConfiguration(view) ?? first) };
}
