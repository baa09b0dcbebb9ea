/**
 * Channels: the record, its two queues of waiters (Go's waitq of sudogs) and its buffer.
 *
 * Only structure; who meets whom is select.ts. Queues are doubly linked records, so that a case leaves from the middle
 * with point reads alone; whoever waits alone, which is most of them, stands in the record of the channel until somebody
 * comes behind. Invariant S3: an implicit channel has a record only while it has waiters.
 */

import { invariant } from "../invariant.js";
import { keys } from "./keys.js";
import type { Chan, ChanId, Raw, SoleWaiter, Waiter, WaitQueue } from "./types.js";
import type { Txn } from "./txn.js";

type Side = Waiter["side"];

interface Queue {
  head: string | undefined;
  tail: string | undefined;
  count: number;
  /** The head, if it has no record of its own. */
  sole: SoleWaiter | undefined;
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
export function enqueue(txn: Txn, key: string, place: Pick<Waiter, "chan" | "side">, waiter: SoleWaiter): void {
  const chan = openChan(txn, place.chan);
  const queue = queueOf(chan, place.side);
  const last = queue.tail;
  if (last === undefined) {
    queue.head = key;
    queue.sole = waiter;
  } else {
    const next = { ...waiterAt(txn, chan, place.side, last), next: key };
    if (queue.sole) txn.create(last, next);
    else txn.put(last, next);
    queue.sole = undefined;
    txn.create(key, { ...waiter, ...place, prev: last });
  }
  queue.tail = key;
  queue.count += 1;
  chan.changed = true;
}

/** Takes a parked case out of its queue, wherever in it it stands. @returns whether it stood there */
export function unlink(txn: Txn, key: string, place: Pick<Waiter, "chan" | "side">): boolean {
  const chan = openChan(txn, place.chan);
  const waiter = findWaiter(txn, chan, place.side, key);
  if (waiter === undefined) return false;
  const queue = queueOf(chan, place.side);
  const { prev, next } = waiter;
  if (prev === undefined) queue.head = next;
  else txn.put(prev, linked(waiterAt(txn, chan, place.side, prev), { next }));
  if (next === undefined) queue.tail = prev;
  else txn.put(next, linked(waiterAt(txn, chan, place.side, next), { prev }));
  queue.count -= 1;
  chan.changed = true;
  if (queue.sole) queue.sole = undefined;
  else txn.del(key);
  return true;
}

export function waiterAt(txn: Txn, chan: ChanDraft, side: Side, key: string): Waiter {
  const waiter = findWaiter(txn, chan, side, key);
  invariant(waiter !== undefined, `no waiter ${key} in its queue`);
  return waiter;
}

function findWaiter(txn: Txn, chan: ChanDraft, side: Side, key: string): Waiter | undefined {
  const queue = queueOf(chan, side);
  // Nobody else stands there.
  if (queue.sole) return queue.head === key ? { ...queue.sole, chan: chan.id, side } : undefined;
  return queue.count > 0 ? txn.get<Waiter>(key) : undefined;
}

/** The waiters of a queue as its record tells, first come first: for those who only read. */
export function* waitersIn(chan: Chan, side: Side, get: (key: string) => unknown): Generator<Waiter> {
  const { head, sole } = side === "send" ? chan.sendq : chan.recvq;
  if (sole) yield { ...sole, chan: chan.id, side };
  else
    for (let key = head; key !== undefined;) {
      const waiter = get(key) as Waiter;
      yield waiter;
      key = waiter.next;
    }
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
  const head = queue?.head;
  return { head, tail: queue?.tail ?? head, count: queue?.count ?? 0, sole: queue?.sole };
}

function sealQueue({ head, tail, count, sole }: Queue): WaitQueue {
  if (head === undefined || tail === undefined) return { count };
  return sole ? { head, count, sole } : { head, tail, count };
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
