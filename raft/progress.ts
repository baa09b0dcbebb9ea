/**
 * What a leader knows about one follower, and the flow control that follows from it. Owns mode, positions and window.
 *
 * Probe: the common prefix is unknown, one AppendEntries at a time. Replicate: it is known, a window of them is under
 * way and `nextIndex` runs ahead. Snapshot: what it needs is cut off here; it is sent no entries, only asked with every
 * heartbeat whether it has got up to the cut. Source: dissertation 3.5, 5, 10.2.
 */

import type { Entry, Index, NodeId } from "./types.js";

export interface Progress {
  readonly id: NodeId;
  mode: "probe" | "replicate" | "snapshot";
  /** Known to be durable there and equal here. `matchIndex < nextIndex`. */
  matchIndex: Index;
  nextIndex: Index;
  /** Probe mode: the one message is under way. */
  probeSent: boolean;
  /** Snapshot mode: the host was told. */
  snapshotAsked: boolean;
  /** Replicate mode: the messages under way, oldest first. */
  readonly inflight: Window;
  /** Commit index it was last told of. */
  commitSent: Index;
  /** A heartbeat came back although it lags: something was lost, ask with an empty message if there is nothing to send. */
  poked: boolean;
  /** Tick of its last message; that of the election, or when it became a member, until {@link Progress.answered}. */
  heardAt: number;
  /** It has answered in this term. */
  answered: boolean;
  /** Highest read round it confirmed. */
  confirmedRound: number;
  lost: boolean;
}

/** A ring of `max` messages: the last index of each, and its bytes. */
interface Window {
  readonly max: number;
  readonly bytesMax: number;
  readonly ends: Index[];
  readonly sizes: number[];
  head: number;
  count: number;
  bytes: number;
}

export function newProgress(
  id: NodeId,
  at: { nextIndex: Index; inflightMax: number; inflightBytesMax: number; tick: number },
): Progress {
  return {
    id,
    mode: "probe",
    matchIndex: 0,
    nextIndex: at.nextIndex,
    probeSent: false,
    snapshotAsked: false,
    inflight: newWindow(at.inflightMax, at.inflightBytesMax),
    commitSent: 0,
    poked: false,
    heardAt: at.tick,
    answered: false,
    confirmedRound: 0,
    lost: false,
  };
}

export function onHeard(progress: Progress, tick: number): void {
  progress.heardAt = tick;
  progress.answered = true;
}

/** Nothing more may be sent until an answer comes. */
export function isPaused({ mode, probeSent, poked, inflight }: Progress): boolean {
  if (mode === "snapshot") return !poked;
  return mode === "probe" ? probeSent : isFull(inflight);
}

/** What it needs next is cut off here; it is asked about the entry before `firstIndex`. */
export function becomeSnapshot(progress: Progress, firstIndex: Index): void {
  if (progress.mode !== "snapshot") progress.snapshotAsked = false;
  progress.mode = "snapshot";
  progress.nextIndex = Math.max(progress.nextIndex, firstIndex);
  clear(progress.inflight);
}

/** After its next sign of life it is asked whether its log goes up to the one before `nextIndex`, or what it acknowledged. */
export function becomeProbe(progress: Progress, nextIndex: Index): void {
  progress.mode = "probe";
  progress.probeSent = true;
  progress.nextIndex = Math.max(nextIndex, progress.matchIndex + 1);
  clear(progress.inflight);
}

/** An AppendEntries with `entries` from `nextIndex` on has left. */
export function onSent(progress: Progress, entries: readonly Entry[], commitIndex: Index): void {
  progress.commitSent = commitIndex;
  if (progress.mode === "probe") {
    progress.probeSent = true;
  } else if (progress.mode === "replicate" && entries.length > 0) {
    progress.nextIndex += entries.length;
    push(progress.inflight, progress.nextIndex - 1, bytesOf(entries));
  }
}

/**
 * @param cutIndex last index that is cut off here
 * @returns whether the match index may have changed what is committed
 */
export function onAccepted(progress: Progress, matchIndex: Index, cutIndex: Index): boolean {
  if (matchIndex < progress.matchIndex) return false;
  const changed = matchIndex > progress.matchIndex || progress.lost;
  progress.matchIndex = matchIndex;
  progress.lost = false;
  if (progress.mode === "snapshot" && matchIndex < cutIndex) return changed;
  if (progress.mode !== "replicate") {
    progress.mode = "replicate";
    progress.nextIndex = matchIndex + 1;
    clear(progress.inflight);
  } else {
    progress.nextIndex = Math.max(progress.nextIndex, matchIndex + 1);
    freeUpTo(progress.inflight, matchIndex);
  }
  return changed;
}

/**
 * The follower does not have the entry at `prevLogIndex`. Looks further below, but never under what it
 * acknowledged: denying that means that its disk forgot, and it is marked {@link Progress.lost}. Late
 * answers of before an acknowledgement cannot be told apart from that by themselves; they are repaired by the next
 * answer, which comes to a probe exactly there.
 *
 * @param hintIndex where the common prefix may end at best
 * @returns whether a new probe is due
 */
export function onRejected(
  progress: Progress,
  { prevLogIndex, hintIndex }: { prevLogIndex: Index; hintIndex: Index },
): boolean {
  if (progress.mode === "snapshot") return false;
  const floor = progress.matchIndex;
  if (progress.mode === "replicate" ? prevLogIndex <= floor : prevLogIndex !== progress.nextIndex - 1) {
    return false;
  }
  if (progress.mode === "probe" && prevLogIndex <= floor) {
    progress.lost = floor > 0;
    return false;
  }
  progress.mode = "probe";
  progress.probeSent = false;
  progress.nextIndex = Math.max(Math.min(prevLogIndex, hintIndex + 1), floor + 1);
  clear(progress.inflight);
  return true;
}

/** A heartbeat came back: whatever is under way may have been lost, so one more message may leave. */
export function onHeartbeatReturned(progress: Progress, lastIndex: Index): void {
  progress.probeSent = false;
  if (isFull(progress.inflight)) freeOldest(progress.inflight);
  if (progress.matchIndex < lastIndex || progress.mode !== "replicate") progress.poked = true;
}

function newWindow(max: number, bytesMax: number): Window {
  return { max: Math.max(1, max), bytesMax: Math.max(1, bytesMax), ends: [], sizes: [], head: 0, count: 0, bytes: 0 };
}

/** The last message may exceed the bytes: one is always allowed. */
function isFull({ max, bytesMax, count, bytes }: Window): boolean {
  return count >= max || bytes >= bytesMax;
}

function push(window: Window, end: Index, bytes: number): void {
  const at = (window.head + window.count) % window.max;
  window.ends[at] = end;
  window.sizes[at] = bytes;
  window.count += 1;
  window.bytes += bytes;
}

function freeUpTo(window: Window, index: Index): void {
  while (window.count > 0 && (window.ends[window.head] ?? 0) <= index) freeOldest(window);
}

function freeOldest(window: Window): void {
  window.bytes -= window.sizes[window.head] ?? 0;
  window.head = (window.head + 1) % window.max;
  window.count -= 1;
}

function clear(window: Window): void {
  window.head = 0;
  window.count = 0;
  window.bytes = 0;
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { data } of entries) bytes += data.length;
  return bytes;
}
