/**
 * Configurations: their bytes, and which of those in the log is in force.
 *
 * A node uses the last configuration of its log, whether or not it is committed, and goes back to the one before when the
 * entry is truncated. Source: dissertation 4.1.
 */

import { invariant } from "../src/invariant.js";
import type { Configuration, Entry, Index, Member, NodeId } from "./types.js";

export const membersMax = 64;
/** Removed ids that a configuration remembers. */
export const removedMax = 10_000;

/** What a node knows before anybody told it. */
export const noConfiguration: Configuration = { members: [], removed: [] };

export function encodeConfiguration({ members, removed }: Configuration): Uint8Array {
  const plain = members.map(({ id, voter, peer, api }) => ({ id, voter, peer, api }));
  return new TextEncoder().encode(JSON.stringify({ members: plain, removed }));
}

/** Undefined for anything that is not the encoding of a configuration with a voter. */
export function decodeConfiguration(data: Uint8Array): Configuration | undefined {
  try {
    const { members, removed } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data)) as {
      readonly [key in keyof Configuration]?: unknown;
    };
    if (!Array.isArray(members) || !members.every(isMember) || !Array.isArray(removed) || !removed.every(isId)) {
      return undefined;
    }
    const configuration: Configuration = {
      members: members.map(({ id, voter, peer, api }) => ({ id, voter, peer, api })),
      removed,
    };
    return isSound(configuration) && votersOf(configuration).length > 0 ? configuration : undefined;
  } catch {
    return undefined;
  }
}

/** Within the limits, and no id named twice. */
export function isSound({ members, removed }: Configuration): boolean {
  const ids = new Set([...members.map(({ id }) => id), ...removed]);
  return members.length <= membersMax && removed.length <= removedMax && ids.size === members.length + removed.length;
}

export function votersOf({ members }: Configuration): NodeId[] {
  return members.filter(({ voter }) => voter).map(({ id }) => id);
}

function isId(value: unknown): value is NodeId {
  return typeof value === "string" && value !== "";
}

function isMember(value: unknown): value is Member {
  if (typeof value !== "object" || value === null) return false;
  const { id, voter, peer, api } = value as { readonly [key in keyof Member]?: unknown };
  return isId(id) && typeof voter === "boolean" && typeof peer === "string" && typeof api === "string";
}

/** A configuration and what follows from it. */
export interface Standing {
  /** Of its entry. The first one may be of an earlier index. */
  readonly index: Index;
  readonly configuration: Configuration;
  readonly voters: readonly NodeId[];
}

/** The configurations of one log: the last one that is known to be committed, and those after it. */
export class Configurations {
  readonly #standing: Standing[];

  /** @param first as of `index` */
  constructor(first: Configuration, index: Index) {
    invariant(isSound(first), "a configuration names an id twice or has too many");
    this.#standing = [standing(index, first)];
  }

  /** In force. */
  get latest(): Standing {
    return this.#standing.at(-1) as Standing;
  }

  /** In force if the latest is truncated; undefined when that is committed. */
  get before(): Standing | undefined {
    return this.#standing.at(-2);
  }

  append(entries: readonly Entry[]): void {
    for (const { kind, index, data } of entries) {
      if (kind !== "configuration") continue;
      const configuration = decodeConfiguration(data);
      invariant(configuration !== undefined, `entry ${index} is not a configuration`);
      this.#standing.push(standing(index, configuration));
    }
  }

  /** Entries from `from` on are gone. */
  truncate(from: Index): void {
    while (this.#standing.length > 1 && this.latest.index >= from) this.#standing.pop();
  }

  /** Entries up to `index` stay for good. */
  commit(index: Index): void {
    const kept = this.#standing.findLastIndex((one) => one.index <= index);
    if (kept > 0) this.#standing.splice(0, kept);
  }
}

function standing(index: Index, configuration: Configuration): Standing {
  return { index, configuration, voters: votersOf(configuration) };
}
