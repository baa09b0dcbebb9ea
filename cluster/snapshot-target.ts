/**
 * The receiving side of snapshots, at a member that is behind: takes up an offer, pulls, and says when all of it is here.
 *
 * What is being received lies apart from the applied records and survives a crash; a connection that breaks is opened
 * again behind the last key. Installing is not done here. Source: reliability 30, 31, H6–H9, S9.
 */
import { decodeConfiguration } from "../raft/configuration.js";
import type { Configuration, Index, InstallSnapshot, NodeId, Term } from "../raft/types.js";
import { ArchiveError, type ArchiveHeader, type ArchiveTrailer } from "./archive-format.js";
import { readArchive } from "./archive-reader.js";
import { pause, type Time } from "./environment.js";
import { PullError } from "./peer-pull.js";
import type { Incoming } from "./snapshot-incoming.js";
import { pathOf, type SendNotice, type SnapshotNotice } from "./snapshot-wire.js";

export interface SnapshotTargetOptions {
  readonly self: NodeId;
  readonly clusterId: string;
  readonly incoming: Incoming;
  readonly raft: { readonly term: Term; readonly leader: NodeId | null; readonly commitIndex: Index };
  /** First index that the log can go on from when the records are lost; undefined: they are not. */
  readonly wantedFrom: Index | undefined;
  readonly pull: (from: NodeId, path: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly send: SendNotice;
  /** A whole snapshot lies ready, durable and checked. @returns whether it is going to be installed */
  readonly onArrived: (snapshot: InstallSnapshot) => boolean;
  readonly time: Time;
  readonly logger: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

/** Attempts in a row in which nothing arrived. */
const attemptsMax = 5;
const retryMs = 200;
/** How often one is asked for, as long as none is offered. */
const wantMs = 1000;
/** What broke off and was not taken up again is removed. */
const keptMs = 600_000;
/** Progress is logged at most so often. */
const reportMs = 1000;

interface Arriving {
  readonly from: NodeId;
  readonly notice: SnapshotNotice;
  readonly abort: AbortController;
  readonly startedMs: number;
  records: number;
  bytes: number;
}

export class SnapshotTarget {
  readonly #options: SnapshotTargetOptions;
  #arriving: Arriving | undefined;
  /** Ends of what was begun: one after the other. */
  #running: Promise<void> = Promise.resolve();
  #arrived = false;
  #wantedMs = -Infinity;
  #idleSinceMs: number;
  #reportedMs = -Infinity;
  #closed = false;

  constructor(options: SnapshotTargetOptions) {
    this.#options = options;
    this.#idleSinceMs = options.time.nowMs();
  }

  get busy(): boolean {
    return this.#arriving !== undefined || this.#arrived;
  }

  /** Records received by the transfer under way. */
  get receivedRecords(): number {
    return this.#arriving?.records ?? 0;
  }

  onNotice(from: NodeId, notice: SnapshotNotice): void {
    const { raft, wantedFrom, send, time } = this.#options;
    if (notice.step !== "offer" || this.#closed || this.#arrived || notice.term < raft.term) return;
    const under = this.#arriving;
    if (under?.notice.id === notice.id || (under !== undefined && under.notice.term > notice.term)) return;
    const isNeeded = wantedFrom === undefined ? notice.index > raft.commitIndex : notice.index >= wantedFrom;
    if (!isNeeded) return send(from, { ...notice, step: "failed" });
    under?.abort.abort();
    const arriving: Arriving = {
      ...{ from, notice, abort: new AbortController(), startedMs: time.nowMs(), records: 0, bytes: 0 },
    };
    this.#arriving = arriving;
    this.#running = this.#running.then(() => this.#run(arriving));
  }

  tick(): void {
    const { wantedFrom, raft, send, time, incoming } = this.#options;
    const nowMs = time.nowMs();
    if (this.#arriving !== undefined || this.#arrived || this.#closed) return;
    if (wantedFrom !== undefined && raft.leader !== null && nowMs - this.#wantedMs >= wantMs) {
      this.#wantedMs = nowMs;
      send(raft.leader, { step: "wanted", id: "", term: raft.term, index: wantedFrom, lastTerm: 0 });
    }
    if (nowMs - this.#idleSinceMs < keptMs) return;
    this.#idleSinceMs = Infinity;
    this.#running = this.#running.then(() => incoming.discard()).catch((error: unknown) => this.#warn(error));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#arriving?.abort.abort();
    await this.#running;
    await this.#options.incoming.close();
  }

  async #run(arriving: Arriving): Promise<void> {
    const { send, logger, time } = this.#options;
    const { from, notice, abort } = arriving;
    const { id, index } = notice;
    logger.info({ event: "snapshot.receiving", from, index, id }, "a snapshot arrives");
    try {
      const snapshot = await this.#receive(arriving);
      if (abort.signal.aborted) return;
      const tookMs = Math.round(time.nowMs() - arriving.startedMs);
      const { records, bytes } = arriving;
      logger.info({ event: "snapshot.received", from, index, records, bytes, tookMs }, "a snapshot is here");
      send(from, { ...notice, step: "done" });
      this.#arrived = this.#options.onArrived(snapshot);
      if (!this.#arrived) await this.#options.incoming.discard();
    } catch (error) {
      if (abort.signal.aborted) return;
      this.#warn(error);
      await this.#options.incoming.discard().catch((failure: unknown) => this.#warn(failure));
      send(from, { ...notice, step: "failed" });
    } finally {
      if (this.#arriving === arriving) this.#arriving = undefined;
      this.#idleSinceMs = time.nowMs();
    }
  }

  /** Until it is whole, or does not move any more. */
  async #receive(arriving: Arriving): Promise<InstallSnapshot> {
    const { self, incoming, time } = this.#options;
    const { from, notice, abort } = arriving;
    let end: { readonly configuration: Configuration; readonly trailer: ArchiveTrailer } | undefined;
    for (let attempt = 1; end === undefined; attempt++) {
      const before = arriving.records;
      try {
        end = await this.#pullRest(arriving);
      } catch (error) {
        if (arriving.records > before) attempt = 0;
        if (abort.signal.aborted || (error instanceof PullError && error.gone) || attempt >= attemptsMax) throw error;
        this.#warn(error);
        await pause(time, retryMs);
      }
    }
    const { term, index, lastTerm } = notice;
    await incoming.complete({ index, term: lastTerm }, end.trailer, abort.signal);
    const { configuration } = end;
    return { type: "InstallSnapshot", from, to: self, term, lastIndex: index, lastTerm, configuration };
  }

  async #pullRest(arriving: Arriving): Promise<{ configuration: Configuration; trailer: ArchiveTrailer }> {
    const { incoming, pull } = this.#options;
    const { from, notice, abort } = arriving;
    const after = await incoming.open(notice.id);
    let configuration: Configuration | undefined;
    for await (const part of readArchive(pull(from, pathOf(notice.id, after), abort.signal), after)) {
      abort.signal.throwIfAborted();
      if (part.kind === "header") {
        configuration = this.#membersOf(part.header, notice);
      } else if (part.kind === "records") {
        await incoming.add(part.records);
        arriving.records += part.records.length;
        for (const [key, stored] of part.records) arriving.bytes += key.length + stored.length;
        this.#report(arriving);
      } else if (configuration !== undefined) {
        return { configuration, trailer: part.trailer };
      }
    }
    throw new ArchiveError("the archive was cut off");
  }

  /** @throws ArchiveError when it is not what was offered */
  #membersOf(header: ArchiveHeader, notice: SnapshotNotice): Configuration {
    const { clusterId } = this.#options;
    if (header.clusterId !== clusterId) throw new ArchiveError(`a snapshot of cluster ${header.clusterId}`);
    if (header.index !== notice.index || header.term !== notice.lastTerm)
      throw new ArchiveError("another snapshot than the one that was offered");
    const configuration = decodeConfiguration(header.configuration);
    if (configuration === undefined) throw new ArchiveError("a snapshot without members");
    return configuration;
  }

  #report({ from, notice, records, bytes }: Arriving): void {
    const nowMs = this.#options.time.nowMs();
    if (nowMs - this.#reportedMs < reportMs) return;
    this.#reportedMs = nowMs;
    const details = { event: "snapshot.progress", from, index: notice.index, records, bytes };
    this.#options.logger.info(details, "a snapshot arrives, so far");
  }

  #warn(error: unknown): void {
    if (!this.#closed) this.#options.logger.warn({ event: "snapshot.broken", err: error }, "a snapshot broke off");
  }
}
