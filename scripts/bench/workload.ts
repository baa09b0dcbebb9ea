/**
 * What is done to a subject, and what a subject is: a cluster under measurement, ours or that of a peer.
 */

/** One worker's loop body; returns how many operations it completed. Throws when an answer is wrong. */
export type Step<C> = (connection: C, worker: number, round: number) => Promise<number>;

export interface Workload<C> {
  readonly name: string;
  /** Concurrent workers, each with a connection of its own. */
  readonly workers: number;
  /** Whether each operation has to be on disk before it is answered. */
  readonly writes: boolean;
  /** Whether any worker can do any round: only then can it run at a fixed rate. */
  readonly independent: boolean;
  /** Prepares what the steps need. */
  readonly setup?: (connection: C) => Promise<void>;
  readonly step: Step<C>;
  /** Ends what the steps left running. */
  readonly finish?: () => Promise<void>;
  /** Extra figures, once the time is over. */
  readonly figures?: () => Readonly<Record<string, number>>;
}

export interface Closable {
  close(): void;
}

export interface Subject<C extends Closable> {
  readonly name: string;
  /** Of its nodes. */
  readonly pids: readonly number[];
  /** Workers are spread over all nodes. */
  open(worker: number): Promise<C>;
  /** Synced writes of all nodes since they started; NaN where the subject does not tell. */
  syncs(): Promise<number>;
  stop(): Promise<void>;
}

export class WrongAnswer extends Error {}

/** @throws WrongAnswer */
export function expectAnswer(condition: boolean, what: string, seen: unknown): asserts condition {
  if (!condition) throw new WrongAnswer(`wrong answer to ${what}: ${String(seen).slice(0, 300)}`);
}

const firstBytes = 16;

/** Whether `part` begins where its first bytes are found first: one comparison, where a search would cost the load more. */
export function holds(whole: Buffer, part: Buffer): boolean {
  const at = whole.indexOf(part.subarray(0, firstBytes));
  return at >= 0 && whole.length >= at + part.length && whole.compare(part, 0, part.length, at, at + part.length) === 0;
}

const run = Date.now().toString(36);
let names = 0;

/** No two of them are alike, in this run or in others. */
export function freshPrefix(name: string): string {
  return `${name}-${run}-${names++}`;
}

export function textOf(bytes: number): string {
  return "x".repeat(bytes);
}
