/**
 * One run of a log that meets every kind of write (small and large batches, votes, configurations, replaced tails, segment changes,
 * entries larger than a segment, cuts, recycled files), and the model that says what may be found afterwards.
 */
import { expect } from "vitest";
import type { Entry, HardState } from "../../raft/types.js";
import { SegmentLog } from "../../cluster/log.js";
import type { Files } from "../../cluster/files.js";
import { Random } from "./random.js";

export const identity = { dir: "/data/log", clusterId: "c1", nodeId: "n1" };
export const segmentBytes = 64 * 1024;

/** What a log holds, by value. */
export interface Model {
  readonly hardState: HardState;
  /** Entry 1 first. */
  readonly entries: readonly Entry[];
  /** Nothing above this index may have been dropped. */
  readonly cut: number;
}

interface Batch {
  readonly hardState?: HardState;
  readonly entries: readonly Entry[];
}

export const emptyModel: Model = { hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 }, entries: [], cut: 0 };

export function openLog(files: Files, more: { readonly recentBytesMax?: number } = {}): Promise<SegmentLog> {
  return SegmentLog.open({ ...identity, ...more, segmentBytes, files });
}

export function applied(model: Model, { hardState = model.hardState, entries }: Batch): Model {
  const [first] = entries;
  if (first === undefined) return { ...model, hardState };
  return { ...model, hardState, entries: [...model.entries.slice(0, first.index - 1), ...entries] };
}

/** Runs the script; `onIntent` before and `onAck` after each append is told what the log must hold then. */
export async function runScript(
  log: SegmentLog,
  on: { readonly intent?: (model: Model, batch: Batch) => void; readonly ack?: (model: Model) => void } = {},
): Promise<Model> {
  const random = new Random(7);
  let model = emptyModel;
  const append = async (batch: Batch) => {
    on.intent?.(model, batch);
    await log.append(batch);
    model = applied(model, batch);
    on.ack?.(model);
  };
  const cut = async (index: number) => {
    model = { ...model, cut: index };
    on.ack?.(model);
    await log.compact(index);
  };
  const fresh = (count: number, term: number, bytes: number, from = model.entries.length + 1) =>
    Array.from({ length: count }, (_, n) => {
      const entry = { index: from + n, term, data: random.bytes(bytes) };
      return entry.index % 7 === 0 ? { ...entry, kind: "configuration" as const } : entry;
    });
  const vote = (currentTerm: number, votedFor: string | null): HardState => ({
    currentTerm,
    votedFor,
    commitIndex: Math.max(0, model.entries.length - 3),
  });

  await append({ hardState: vote(1, "n1"), entries: [] });
  await append({ entries: fresh(1, 1, 0) });
  for (let n = 0; n < 4; n++) await append({ entries: fresh(1 + n, 1, 300 * n) });
  await append({ hardState: vote(2, "n2"), entries: fresh(3, 2, 700) });
  await append({ hardState: vote(3, null), entries: fresh(2, 3, 900, model.entries.length - 1) });
  await append({ entries: fresh(12, 3, 2000) });
  for (let n = 0; n < 5; n++) await append({ entries: fresh(4, 3, 3000) });
  await cut(model.entries.length - 6);
  await append({ entries: fresh(9, 4, 1500, model.entries.length - 2) });
  await append({ hardState: vote(5, "n3"), entries: fresh(30, 5, 4000) });
  await append({ entries: fresh(1, 5, 90_000) });
  await cut(model.entries.length - 2);
  for (let n = 0; n < 4; n++) await append({ entries: fresh(5, 6, 2500) });
  await cut(model.entries.length);
  await append({ hardState: vote(7, "n1"), entries: fresh(1, 7, 100) });
  return model;
}

/** The log holds exactly `model`, above the place it was cut at. */
export function matches(log: SegmentLog, model: Model): boolean {
  const first = log.firstIndex();
  if (log.lastIndex() !== model.entries.length || first > model.cut + 1) return false;
  if (log.term(first - 1) !== (first === 1 ? 0 : model.entries[first - 2]?.term)) return false;
  const { commitIndex, ...votes } = log.hardState;
  const { commitIndex: expectedCommit, ...expectedVotes } = model.hardState;
  if (commitIndex !== Math.min(expectedCommit, log.lastIndex())) return false;
  if (votes.currentTerm !== expectedVotes.currentTerm || votes.votedFor !== expectedVotes.votedFor) return false;
  const found: Entry[] = [];
  while (first + found.length <= log.lastIndex()) found.push(...log.entries(first + found.length, Infinity, 10_000));
  return found.every(({ index, term, kind, data }) => {
    const expected = model.entries[index - 1];
    if (expected?.kind !== kind) return false;
    return expected?.term === term && log.term(index) === term && Buffer.compare(expected.data, data) === 0;
  });
}

/** The log still takes writes, and keeps them. */
export async function expectWritable(log: SegmentLog, files: Files): Promise<void> {
  const entry = { index: log.lastIndex() + 1, term: 99, data: Buffer.from("written after recovery") };
  await log.append({ entries: [entry] });
  await log.close();
  const again = await openLog(files);
  expect(again.entries(entry.index, entry.index + 1, 1)).toEqual([entry]);
  await again.close();
}
