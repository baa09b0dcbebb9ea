/**
 * The sending side of snapshots, at the leader: which members get one, from which view, and for how long.
 *
 * A transfer begins with a read view of the store and an offer; the member pulls. The view is held while bytes flow and
 * for a lease after the last ones, then the member gets a new offer. Nothing here blocks appends, applies or other members.
 * Source: reliability 30, 34; H10, H11, H13, H19.
 */
import { randomUUID } from "node:crypto";
import type { Index, NodeId, RaftStatus, Term } from "../raft/types.js";
import type { ArchiveHeader } from "./archive-format.js";
import { writeArchive } from "./archive-writer.js";
import type { Time } from "./environment.js";
import { parsePath, type SendNotice, type SnapshotNotice } from "./snapshot-wire.js";
import type { ReadView, Store } from "./types.js";

export interface SnapshotSourceOptions {
  readonly store: Pick<Store, "readView">;
  readonly header: (view: ReadView) => Omit<ArchiveHeader, "index" | "term">;
  readonly raft: {
    readonly term: Term;
    status(): Pick<RaftStatus, "role" | "progress">;
    snapshotFailed(id: NodeId): void;
  };
  readonly send: SendNotice;
  readonly time: Time;
  readonly logger: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

/** Transfers at once; another member waits for its turn. */
const transfersMax = 4;
/** Without a byte pulled for so long the view is given up. A member that crashed has this long to go on where it was. */
const leaseMs = 60_000;
/** An offer that is not taken up is said again. */
const offerMs = 1000;
/** Pause after a transfer that failed, doubled with each one in a row. */
const retryMs = { first: 1000, max: 60_000 };

interface Transfer {
  readonly id: string;
  readonly to: NodeId;
  /** Its records are lost, its log is not: Raft knows nothing of it. */
  readonly wanted: boolean;
  /** Undefined: not yet, or no longer. */
  view: ReadView | undefined;
  notice: SnapshotNotice | undefined;
  /** The stream that is being pulled: a new one ends the one before. */
  stream: symbol | undefined;
  activeMs: number;
  offeredMs: number;
  bytes: number;
  /** The member has all of it; it is yet to say so to Raft. */
  done: boolean;
}

export class SnapshotSource {
  readonly #options: SnapshotSourceOptions;
  readonly #transfers = new Map<NodeId, Transfer>();
  /** Members whose last transfers failed: when Raft is told, and how many there were in a row. */
  readonly #failed = new Map<NodeId, { atMs: number; count: number; told: boolean }>();
  #closed = false;

  constructor(options: SnapshotSourceOptions) {
    this.#options = options;
  }

  /** What members under way need of the log: nothing above this index may be cut off. `Infinity`: they need nothing. */
  get heldIndex(): Index {
    return Math.min(Infinity, ...[...this.#transfers.values()].map(({ notice }) => notice?.index ?? Infinity));
  }

  get count(): number {
    return this.#transfers.size;
  }

  /** Raft says that `to` needs one. */
  begin(to: NodeId, wanted = false): void {
    if (this.#closed || this.#transfers.has(to)) return;
    if (this.#transfers.size >= transfersMax) return this.#fail(to, "there are too many transfers");
    const nowMs = this.#options.time.nowMs();
    const transfer: Transfer = {
      ...{ id: randomUUID(), to, wanted, view: undefined, notice: undefined, stream: undefined },
      ...{ activeMs: nowMs, offeredMs: nowMs, bytes: 0, done: false },
    };
    this.#transfers.set(to, transfer);
    void this.#open(transfer);
  }

  onNotice(from: NodeId, notice: SnapshotNotice): void {
    const transfer = this.#transfers.get(from);
    if (notice.step === "wanted") {
      // Raft looks after members that need entries which are cut off; this one needs none.
      if (this.#options.raft.status().role === "leader" && !this.#isPaused(from)) this.begin(from, true);
      return;
    }
    if (transfer?.id !== notice.id) return;
    if (notice.step === "done") this.#finish(transfer);
    if (notice.step === "failed") this.#end(transfer, "the member gave it up");
  }

  /** Our link to `to` is up anew: the offer may be lost. */
  onLink(to: NodeId): void {
    const transfer = this.#transfers.get(to);
    if (transfer !== undefined) this.#offer(transfer);
  }

  /** The bytes that `by` asks for; undefined: there are none (any more). */
  pull(by: NodeId, path: string): AsyncIterable<Uint8Array> | undefined {
    const asked = parsePath(path);
    const transfer = this.#transfers.get(by);
    if (asked === undefined || transfer?.id !== asked.id || transfer.view === undefined) return undefined;
    const stream = Symbol("stream");
    transfer.stream = stream;
    return this.#stream(transfer, { view: transfer.view, stream, after: asked.after });
  }

  tick(): void {
    if (this.#transfers.size === 0 && this.#failed.size === 0) return;
    const { raft, time } = this.#options;
    const { role, progress } = raft.status();
    const nowMs = time.nowMs();
    for (const transfer of [...this.#transfers.values()]) {
      const needed =
        role === "leader" && (transfer.wanted ? !transfer.done : progress[transfer.to]?.mode === "snapshot");
      if (!needed) this.#drop(transfer);
      else if (nowMs - transfer.activeMs > leaseMs) this.#end(transfer, "nothing was pulled for too long");
      else if (nowMs - Math.max(transfer.activeMs, transfer.offeredMs) >= offerMs) this.#offer(transfer);
    }
    for (const [to, failure] of this.#failed) {
      if (role !== "leader") this.#failed.delete(to);
      if (failure.told || nowMs < failure.atMs) continue;
      failure.told = true;
      raft.snapshotFailed(to);
    }
  }

  close(): void {
    this.#closed = true;
    for (const transfer of [...this.#transfers.values()]) this.#drop(transfer);
  }

  async #open(transfer: Transfer): Promise<void> {
    const { store, raft } = this.#options;
    try {
      const view = await store.readView();
      if (this.#transfers.get(transfer.to) !== transfer) return void (await view.close());
      transfer.view = view;
      const { index, term: lastTerm } = view;
      transfer.notice = { step: "offer", id: transfer.id, term: raft.term, index, lastTerm };
      this.#offer(transfer);
    } catch (error) {
      // If the store failed, it has said so itself.
      this.#end(transfer, `no view of the records: ${(error as Error).message}`);
    }
  }

  #offer(transfer: Transfer): void {
    if (transfer.notice === undefined || transfer.view === undefined) return;
    transfer.offeredMs = this.#options.time.nowMs();
    this.#options.send(transfer.to, transfer.notice);
  }

  async *#stream(
    transfer: Transfer,
    { view, stream, after }: { view: ReadView; stream: symbol; after: string },
  ): AsyncGenerator<Uint8Array> {
    const { header, time, logger } = this.#options;
    logger.info(
      { event: "snapshot.sending", node: transfer.to, index: view.index, resumed: after !== "" },
      "a snapshot is pulled",
    );
    try {
      for await (const piece of writeArchive(view, header(view), after)) {
        if (transfer.stream !== stream) throw new Error("this transfer goes on elsewhere");
        transfer.activeMs = time.nowMs();
        transfer.bytes += piece.length;
        yield piece;
      }
    } finally {
      transfer.activeMs = time.nowMs();
    }
  }

  /** The view is not needed any more; the log above it is, until the member says where it stands. */
  #finish(transfer: Transfer): void {
    const { logger } = this.#options;
    const { to, bytes, notice } = transfer;
    logger.info({ event: "snapshot.sent", node: to, index: notice?.index, bytes }, "a snapshot has arrived");
    transfer.done = true;
    transfer.activeMs = this.#options.time.nowMs();
    this.#failed.delete(to);
    this.#closeView(transfer);
  }

  #end(transfer: Transfer, reason: string): void {
    this.#drop(transfer);
    this.#fail(transfer.to, reason);
  }

  #fail(to: NodeId, reason: string): void {
    const { logger, time } = this.#options;
    const count = (this.#failed.get(to)?.count ?? 0) + 1;
    const pauseMs = Math.min(retryMs.max, retryMs.first * 2 ** (count - 1));
    this.#failed.set(to, { atMs: time.nowMs() + pauseMs, count, told: false });
    logger.warn({ event: "snapshot.failed", node: to, reason, pauseMs }, "a snapshot did not arrive");
  }

  #isPaused(to: NodeId): boolean {
    const failure = this.#failed.get(to);
    return failure !== undefined && this.#options.time.nowMs() < failure.atMs;
  }

  #drop(transfer: Transfer): void {
    this.#transfers.delete(transfer.to);
    transfer.stream = undefined;
    this.#closeView(transfer);
  }

  #closeView(transfer: Transfer): void {
    transfer.stream = undefined;
    // Errors of the store are its own business; a view that is not open any more needs no closing.
    transfer.view?.close().catch(() => undefined);
    transfer.view = undefined;
  }
}
