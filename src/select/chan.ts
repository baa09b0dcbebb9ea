/**
 * Channels: the record, its two queues of waiters (Go's waitq of sudogs) and its buffer.
 *
 * Only structure; who meets whom is select.ts. Queues are doubly linked records, so that a case leaves from the middle
 * with point reads alone. Invariant S3: an implicit channel has a record only while it has waiters.
 */

import { invariant } from "../invariant.js";
import { keys } from "./keys.js";
import type { Chan, ChanId, Raw, Waiter, WaitQueue } from "./types.js";
import type { Txn } from "./txn.js";

type Side = Waiter["side"];

interface Queue {
  head: string | undefined;
  tail: string | undefined;
  count: number;
}

export interface ChanDraft {
  readonly id: ChanId;
  /** There is a record from before the entry. */
  readonly stored: boolean;
  explicit: boolean;
  buffer: number;
  first: number;
  count: number;
  readonly sendq: Queue;
  readonly recvq: Queue;
  closed: Chan["closed"];
  changed: boolean;
  dropped: boolean;
}

/** The channel of that name; a name nobody uses is an empty, implicit, unbuffered one. */
export function openChan(txn: Txn, id: ChanId): ChanDraft {
  const known = txn.chans.get(id);
  if (known) return known;
  const record = txn.get<Chan>(keys.chan(id));
  const draft: ChanDraft = {
    id,
    stored: record !== undefined,
    explicit: record?.explicit ?? false,
    buffer: record?.buffer ?? 0,
    first: record?.first ?? 0,
    count: record?.count ?? 0,
    sendq: openQueue(record?.sendq),
    recvq: openQueue(record?.recvq),
    closed: record?.closed,
    changed: false,
    dropped: false,
  };
  txn.chans.set(id, draft);
  return draft;
}

export function queueOf(chan: ChanDraft, side: Side): Queue {
  return side === "send" ? chan.sendq : chan.recvq;
}

export function isIdle(chan: ChanDraft): boolean {
  return chan.count === 0 && chan.sendq.count === 0 && chan.recvq.count === 0;
}

/** Whether the name means anything: made, closed or waited on. */
export function isKnown(chan: ChanDraft): boolean {
  return chan.explicit || !isIdle(chan);
}

/** Parks a case at the end of its queue. */
export function enqueue(txn: Txn, key: string, waiter: Omit<Waiter, "prev" | "next">): void {
  const chan = openChan(txn, waiter.chan);
  const queue = queueOf(chan, waiter.side);
  const last = queue.tail;
  if (last === undefined) {
    txn.create(key, waiter);
    queue.head = key;
  } else {
    txn.create(key, { ...waiter, prev: last });
    txn.put(last, { ...waiterAt(txn, last), next: key });
  }
  queue.tail = key;
  queue.count += 1;
  chan.changed = true;
}

/** Takes a parked case out of its queue, wherever in it it stands. */
export function unlink(txn: Txn, key: string, waiter: Waiter): void {
  const chan = openChan(txn, waiter.chan);
  const queue = queueOf(chan, waiter.side);
  const { prev, next } = waiter;
  if (prev === undefined) queue.head = next;
  else txn.put(prev, linked(waiterAt(txn, prev), { next }));
  if (next === undefined) queue.tail = prev;
  else txn.put(next, linked(waiterAt(txn, next), { prev }));
  queue.count -= 1;
  chan.changed = true;
  txn.del(key);
}

export function waiterAt(txn: Txn, key: string): Waiter {
  const waiter = txn.get<Waiter>(key);
  invariant(waiter !== undefined, `no waiter ${key} in its queue`);
  return waiter;
}

/** A value enters the buffer; the caller has made sure that there is room. */
export function pushValue(txn: Txn, chan: ChanDraft, data: Raw | undefined): void {
  txn.put(keys.value(chan.id, chan.first + chan.count), data === undefined ? {} : { data });
  chan.count += 1;
  txn.values.buffered += 1;
  chan.changed = true;
}

/** The oldest value leaves the buffer, which is not empty. */
export function shiftValue(txn: Txn, chan: ChanDraft): Raw | undefined {
  const key = keys.value(chan.id, chan.first);
  const value = txn.get<{ readonly data?: Raw }>(key);
  invariant(value !== undefined, `no value at ${chan.first} of channel ${chan.id}`);
  txn.del(key);
  chan.first += 1;
  chan.count -= 1;
  txn.values.buffered -= 1;
  chan.changed = true;
  return value.data;
}

/** Writes every changed channel; idle implicit ones leave nothing. */
export function sealChans(txn: Txn): void {
  for (const chan of txn.chans.values()) {
    if (!chan.changed) continue;
    if (!chan.dropped && isKnown(chan)) txn.put(keys.chan(chan.id), chanRecord(chan));
    else if (chan.stored) txn.del(keys.chan(chan.id));
  }
}

export function chanRecord(chan: ChanDraft): Chan {
  const { id, explicit, buffer, first, count, closed } = chan;
  const record = { id, explicit, buffer, first, count, sendq: sealQueue(chan.sendq), recvq: sealQueue(chan.recvq) };
  return closed ? { ...record, closed } : record;
}

function openQueue(queue: WaitQueue | undefined): Queue {
  return { head: queue?.head, tail: queue?.tail, count: queue?.count ?? 0 };
}

function sealQueue({ head, tail, count }: Queue): WaitQueue {
  return head === undefined || tail === undefined ? { count } : { head, tail, count };
}

/** The waiter with one link set anew; an absent link leaves no member behind. */
function linked(waiter: Waiter, link: { prev?: string | undefined; next?: string | undefined }): Waiter {
  const { prev, next, ...rest } = waiter;
  const links = { prev, next, ...link };
  return {
    ...rest,
    ...(links.prev !== undefined && { prev: links.prev }),
    ...(links.next !== undefined && { next: links.next }),
  };
}
