/**
 * Backups of one node: its applied records at one index, as an archive for whoever asks.
 *
 * As with transfers between members nothing waits for them: they are read from a view, as fast as they are taken. A view
 * keeps the disk from reclaiming what is overwritten meanwhile, so there are few at a time, and none for ever.
 */
import { SlctError } from "../src/errors.js";
import type { Index } from "../raft/types.js";
import type { ArchiveHeader } from "./archive-format.js";
import { writeArchive } from "./archive-writer.js";
import type { Time } from "./environment.js";
import type { ReadView, Store } from "./types.js";

/** An archive on its way out (archive-format.ts). */
export interface Backup {
  readonly clusterId: string;
  /** The records are those after exactly this entry. */
  readonly index: Index;
  readonly records: number;
  /** As in {@link Store.stateHash}. */
  readonly hash: string;
  /** To be read once. They break off with an error when the node ends. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** To be called in any case, however far it was read. */
  end(): Promise<void>;
}

export interface BackupsOptions {
  readonly store: Pick<Store, "readView">;
  readonly header: (view: ReadView) => Omit<ArchiveHeader, "index" | "term">;
  readonly time: Pick<Time, "nowMs">;
}

/** Under way at once. */
export const backupsMax = 2;
/** The longest that one may take. */
export const backupMsMax = 6 * 3_600_000;

export class Backups {
  readonly #options: BackupsOptions;
  readonly #views = new Set<ReadView>();
  #opening = 0;
  #closed = false;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#views.size + this.#opening;
  }

  /**
   * Holds a view until `end` is called.
   * @throws SlctError `overloaded`, `no_leader` when the node ends
   */
  async open(): Promise<Backup> {
    if (this.#closed) throw ending();
    if (this.count >= backupsMax)
      throw new SlctError("overloaded", `this node makes ${backupsMax} backups at once; ask another one, or later`);
    this.#opening++;
    const view = await this.#options.store.readView().finally(() => this.#opening--);
    this.#views.add(view);
    try {
      if (this.#closed) throw ending();
      const header = this.#options.header(view);
      const { index, records, hash } = view;
      const { clusterId } = header;
      return { clusterId, index, records, hash, pieces: this.#pieces(view, header), end: () => this.#end(view) };
    } catch (error) {
      await this.#end(view);
      throw error;
    }
  }

  /** Those under way break off: what was written of them has no trailer. */
  close(): void {
    this.#closed = true;
    for (const view of this.#views) void this.#end(view);
  }

  async *#pieces(view: ReadView, header: Omit<ArchiveHeader, "index" | "term">): AsyncGenerator<Buffer> {
    const { time } = this.#options;
    const startedMs = time.nowMs();
    for await (const piece of writeArchive(view, header)) {
      if (!this.#views.has(view)) throw ending();
      if (time.nowMs() - startedMs > backupMsMax) throw new SlctError("timeout", "the backup was taken too slowly");
      yield piece;
    }
  }

  async #end(view: ReadView): Promise<void> {
    if (!this.#views.delete(view)) return;
    // If the store failed, it has said so itself.
    await view.close().catch(() => undefined);
  }
}

function ending(): SlctError {
  return new SlctError("no_leader", "this node ends; ask another one");
}
