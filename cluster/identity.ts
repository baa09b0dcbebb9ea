/**
 * Who a data directory belongs to, with whom it began, and how often it was opened.
 *
 * Source: reliability 42, 44 (a directory of another cluster or node is refused; a cluster begins once). The epoch tells
 * what an earlier run of this node left parked in the log from what this one parks, the instance tells this directory
 * from an empty one that was given the same id.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readIfThere, replaceFile } from "./small-file.js";
import type { Member } from "./types.js";

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: string;
  /** Random, as old as the directory. */
  readonly instance: string;
  /** 1 at the first start, +1 with each. */
  readonly epoch: number;
  /** The voters that the cluster began with; empty in a node that joined it later. Fixed at the first start. */
  readonly members: readonly Member[];
}

/**
 * Who `dir` belongs to; undefined if it is new.
 * @throws Error when it belongs to somebody else or its identity file is damaged
 */
export function findIdentity(dir: string, clusterId: string, nodeId: string): Identity | undefined {
  const found = read(fileOf(dir));
  if (found !== undefined && (found.clusterId !== clusterId || found.nodeId !== nodeId)) {
    throw new Error(
      `${dir} belongs to node ${found.nodeId} of cluster ${found.clusterId}, not to node ${nodeId} of cluster ${clusterId}: ` +
        `start the node with its own --data-dir`,
    );
  }
  return found;
}

/**
 * Takes `dir` for one run of a node; creates it (mode 0700) if it is new.
 * @param members what the cluster begins with; only looked at when the directory is new
 * @throws Error as {@link findIdentity}
 */
export function openIdentity(dir: string, clusterId: string, nodeId: string, members: readonly Member[]): Identity {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const found = findIdentity(dir, clusterId, nodeId);
  const begun = found ?? { clusterId, nodeId, instance: randomUUID(), epoch: 0, members };
  const identity = { ...begun, epoch: begun.epoch + 1 };
  replaceFile(fileOf(dir), JSON.stringify(identity));
  return identity;
}

function fileOf(dir: string): string {
  return join(dir, "identity.json");
}

function read(file: string): Identity | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text) as Partial<Identity>;
    const { clusterId, nodeId, instance, epoch, members } = found;
    const named = [clusterId, nodeId, instance].every((name) => typeof name === "string");
    if (named && Number.isSafeInteger(epoch) && members?.every(isMember)) return found as Identity;
  } catch {
    // Reported below: a damaged file is not an absent one.
  }
  throw new Error(
    `${file} is damaged: restore it, or remove the node from the cluster and let it join under a new id with an empty directory`,
  );
}

function isMember(member: Partial<Member>): boolean {
  return [member.id, member.peer, member.api].every((part) => typeof part === "string");
}
