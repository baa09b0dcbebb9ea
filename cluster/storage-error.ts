/**
 * Why a data directory is refused or given up: one class, so that the operator always learns which file, where, and
 * what to do. Never caught inside the node: it ends with it.
 */
import { InvariantError } from "../src/invariant.js";

/**
 * `corrupt`: content that was durable once is damaged or gone. `foreign`: it belongs to another node or cluster.
 * `in_use`: another process has it open. `io`: the operating system refused a read or a write.
 */
export type StorageErrorKind = "corrupt" | "foreign" | "in_use" | "io";

export interface StoragePlace {
  readonly file: string;
  /** Bytes from the start of the file. */
  readonly offset?: number;
  /** Last log index that is known to be good before the place. */
  readonly index?: number;
}

const advice = {
  corrupt:
    "Do not cut or delete the file: this node may have acknowledged what is missing. Restore it from a copy of this node's" +
    " disk, or take the node out of the cluster and let it join with an empty data directory under a new id.",
  foreign: "Check the data directory and the configured cluster id and node id.",
  in_use: "Stop the other process first; one data directory serves one process.",
  io: "Check the disk (space, kernel messages), then start the node again: what was in flight is re-read from disk.",
} satisfies Record<StorageErrorKind, string>;

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly kind: StorageErrorKind;
  readonly place: StoragePlace;

  constructor(kind: StorageErrorKind, what: string, place: StoragePlace, cause?: unknown) {
    const offset = place.offset === undefined ? "" : `, offset ${place.offset}`;
    const index = place.index === undefined ? "" : `, after index ${place.index}`;
    super(`${what} (${place.file}${offset}${index}). ${advice[kind]}`, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.place = place;
  }
}

/** What ends the storage, for whatever was thrown there: `io` unless it says otherwise. */
export function storageErrorOf(error: unknown, what: string, place: StoragePlace): Error {
  if (error instanceof StorageError || error instanceof InvariantError) return error;
  return new StorageError("io", what, place, error);
}
