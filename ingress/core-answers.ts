/**
 * Answers the calls of one worker with the node. Whatever a worker that ends leaves behind ends as if its clients had gone:
 * what is parked is withdrawn, hand-outs are given back, backups are let go.
 */
import type { Node, Waitable } from "../cluster/types.js";
import { SlctError } from "../src/errors.js";
import type { Ref } from "../src/select/types.js";
import type { CoreCalls, OpenBackup, Told } from "./calls.js";
import type { Answers } from "./line.js";

type Backup = Awaited<ReturnType<Node["backup"]>>;

export interface CoreAnswers {
  readonly answers: Answers<CoreCalls>;
  /** The worker is gone; its calls were aborted by the line. */
  end(): void;
}

export function coreAnswers(node: Node): CoreAnswers {
  const told = async <T>(value: T | Promise<T>): Promise<Told<T>> => {
    const settled = await value;
    return { value: settled, appliedIndex: node.appliedIndex };
  };
  const backups = new WorkerBackups();
  const answers: Answers<CoreCalls> = {
    submit: (_, command) => told(node.submit(command)),
    submitAndWait: ({ signal }, command, waitMs) =>
      told(node.submitAndWait((ref) => withRef(command, ref), { waitMs, signal })),
    fresh: (_, freshness) => told(node.fresh(freshness)),
    state: (_, id, freshness) => told(node.state(id, freshness)),
    chan: (_, id, freshness) => told(node.chan(id, freshness)),
    states: (_, query) => told(node.states(query)),
    chans: (_, query) => told(node.chans(query)),
    watch: ({ signal }, id, until, options) => told(node.watch(id, until, { ...options, signal })),
    events: ({ signal }, query) => told(node.events({ ...query, signal })),
    cluster: () => told(node.cluster()),
    change: (_, request) => told(node.change(request)),
    ready: () => told(node.ready()),
    metrics: () => told(node.metrics()),
    backup: () => told(backups.add(node.backup())),
    piece: (_, number) => told(backups.next(number)),
    endBackup: (_, number) => told(backups.end(number)),
  };
  return { answers, end: () => backups.endAll() };
}

function withRef(command: Waitable, ref: Ref): Waitable {
  if (command.kind === "demand") return { ...command, ref };
  return { ...command, ...(command.wait && { wait: { ...command.wait, ref } }) } as Waitable;
}

/** Those of one worker that are under way. */
class WorkerBackups {
  readonly #open = new Map<number, { readonly backup: Backup; readonly pieces: AsyncIterator<Uint8Array> }>();
  #number = 0;
  #ended = false;

  async add(opening: Promise<Backup>): Promise<OpenBackup> {
    const backup = await opening;
    if (this.#ended) {
      await backup.end();
      throw over();
    }
    const number = ++this.#number;
    this.#open.set(number, { backup, pieces: backup.pieces[Symbol.asyncIterator]() });
    const { clusterId, index, records, hash } = backup;
    return { number, clusterId, index, records, hash };
  }

  async next(number: number): Promise<Uint8Array | undefined> {
    const open = this.#open.get(number);
    if (open === undefined) throw over();
    const piece = await open.pieces.next();
    return piece.done === true ? undefined : piece.value;
  }

  async end(number: number): Promise<void> {
    const open = this.#open.get(number);
    this.#open.delete(number);
    await open?.backup.end();
  }

  endAll(): void {
    this.#ended = true;
    for (const number of [...this.#open.keys()]) void this.end(number);
  }
}

function over(): SlctError {
  return new SlctError("no_leader", "the backup is over");
}
