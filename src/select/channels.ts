/**
 * The commands about channels: make, close, drop. Also what `Make` and `Close` of a put-back do.
 */

import { chanRecord, isIdle, isKnown, openChan, queueOf, type ChanDraft } from "./chan.js";
import { accept, done, refuse, type Handled } from "./refusal.js";
import { releaseWaiters } from "./select.js";
import type { CloseSpec, MakeSpec } from "./command.js";
import type { Refusal } from "./outcome.js";
import type { ChanId } from "./types.js";
import type { Txn } from "./txn.js";

export function makeChan(txn: Txn, make: MakeSpec): Handled {
  const isNew = !isKnown(openChan(txn, make.chan));
  const refusal = applyMake(txn, make);
  return refusal ?? accept(() => ({ kind: "chan", chan: chanRecord(openChan(txn, make.chan)), created: isNew }));
}

export function closeChan(txn: Txn, close: CloseSpec): Handled {
  const isNew = !isKnown(openChan(txn, close.chan));
  const refusal = applyClose(txn, close);
  return refusal ?? accept(() => ({ kind: "chan", chan: chanRecord(openChan(txn, close.chan)), created: isNew }));
}

export function dropChan(txn: Txn, id: ChanId): Handled {
  const chan = openChan(txn, id);
  if (!isKnown(chan)) return refuse("not_found", `there is no channel ${id}`, { Chan: id });
  if (!isIdle(chan)) return refuse("busy", `channel ${id} has waiters or values`, { Chan: id });
  chan.explicit = false;
  chan.closed = undefined;
  chan.changed = true;
  txn.effects.push({ kind: "chan", type: "chan.deleted", id });
  return done;
}

/** Making what is there already, idle and of that size, changes nothing. */
export function applyMake(txn: Txn, { chan: id, buffer }: MakeSpec): Refusal | undefined {
  const chan = openChan(txn, id);
  if (chan.closed) return refuse("closed", `channel ${id} is closed`, { Chan: id });
  if (hasWaiters(chan)) return refuse("exists", `channel ${id} has waiters`, { Chan: id });
  if (chan.explicit) {
    if (chan.buffer === buffer) return undefined;
    return refuse("exists", `channel ${id} has a buffer of ${chan.buffer}`, { Chan: id, Buffer: chan.buffer });
  }
  chan.explicit = true;
  chan.buffer = buffer;
  chan.changed = true;
  txn.effects.push({ kind: "chan", type: "chan.made", id });
  return undefined;
}

/** Wakes everybody who waits there, in this entry. An unknown name becomes a closed channel: no close is lost. */
export function applyClose(txn: Txn, { chan: id, value }: CloseSpec): Refusal | undefined {
  const chan = openChan(txn, id);
  if (chan.closed) return refuse("closed", `channel ${id} is closed already`, { Chan: id });
  chan.closed = value === undefined ? {} : { value };
  chan.explicit = true;
  chan.changed = true;
  txn.effects.push({ kind: "chan", type: "chan.closed", id });
  releaseWaiters(txn, chan);
  return undefined;
}

function hasWaiters(chan: ChanDraft): boolean {
  return queueOf(chan, "send").count + queueOf(chan, "recv").count > 0;
}
