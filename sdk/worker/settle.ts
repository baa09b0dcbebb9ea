/**
 * What becomes of a process whose hand-out failed: given back, left to somebody else, or paused until it is mended.
 */
import type { Client } from "../client.js";
import { isSlctError } from "../client/errors.js";
import { Retake } from "./activation.js";
import type { Lease } from "./lease.js";

/** Another worker may have the process that this one has not. */
const unknownDelayMs = 5000;
const reasonLengthMax = 1000;

export interface Settling {
  readonly client: Client;
  readonly warn: (message: string) => void;
}

/** Never rejects: what cannot be given back comes back by itself, when its lease is over. */
export async function settle(lease: Lease, error: unknown, { client, warn }: Settling): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  if (isSlctError(error, "lock_error", "not_found")) return warn(`process ${lease.id} was lost: ${message}`);
  const isPassing = isSlctError(error, "unreachable", "timeout", "no_leader", "overloaded");
  if (lease.signal.aborted || error instanceof Retake) await giveBack(lease);
  else if (isPassing || isSlctError(error, "unknown_process")) {
    warn(`process ${lease.id} is given back: ${message}`);
    await giveBack(lease, isPassing ? 0 : unknownDelayMs);
  } else {
    await pause(lease.id, error, { client, warn });
    await giveBack(lease);
  }
}

/** Another attempt would end the same way: it waits for somebody who mends it, and for `resume`. */
export async function pause(id: string, error: unknown, { client, warn }: Settling): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  warn(`process ${id} is paused: ${message}`);
  await client.pauseState(id, message.replace(/\s+/g, " ").slice(0, reasonLengthMax)).catch(() => undefined);
}

export async function giveBack(lease: Lease, delayMs = 0): Promise<undefined> {
  await lease.release(delayMs).catch(() => undefined);
}
