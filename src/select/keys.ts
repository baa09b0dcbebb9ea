/**
 * Key layout of the records, one line per kind. Client-chosen IDs contain no control characters, so `\0` separates.
 * Numbers are padded so that the order of keys is the order of numbers. `n` is the cluster's own (cluster/configuration.ts).
 */

/** Sixteen decimal digits: enough for 2^53 − 1, ordered as the number. */
export function pad(n: number): string {
  return n.toString().padStart(16, "0");
}

export const keys = {
  /** {@link Meta} */
  meta: "m",
  /** {@link State} */
  state: (id: string) => `s\0${id}`,
  /** The `Data` of a state that is too large for its record (data.ts): Uint8Array of JSON text. */
  data: (id: string) => `d\0${id}`,
  /** {@link Chan} */
  chan: (id: string) => `c\0${id}`,
  /** One buffered value: `{ data?: Raw }` at a position of the buffer. */
  value: (chan: string, position: number) => `v\0${chan}\0${pad(position)}`,
  /** {@link Waiter}: one parked case of one select. */
  waiter: (selectSeq: number, caseIndex: number) => `w\0${pad(selectSeq)}\0${caseIndex}`,
  /** {@link Deadline}, ordered by time, then by registration. */
  deadline: (dueMs: number, seq: number) => `t\0${pad(dueMs)}\0${pad(seq)}`,
  /** {@link PendingRecord}: a state that waits to be handed out, in the order in which it is. */
  pending: (seq: number) => `p\0${pad(seq)}`,
  /** {@link Demand} */
  demand: (seq: number) => `q\0${pad(seq)}`,
  /** {@link Remembered}, by route, target and Request-Id. */
  request: (route: string, target: string, requestId: string) => `r\0${route}\0${target}\0${requestId}`,
} as const;

/** The time of a deadline key. */
export function dueOf(deadlineKey: string): number {
  return Number(deadlineKey.slice(2, 18));
}
