/**
 * Who a data directory belongs to, and how often it was opened.
 *
 * Source: reliability 44 (a directory of another cluster or node is refused). The epoch tells what an earlier run of
 * this node left parked in the log from what this one parks.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readIfThere, replaceFile } from "./small-file.js";

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: string;
  /** 1 at the first start, +1 with each. */
  readonly epoch: number;
}

/**
 * Who `dir` belongs to; undefined if it is new.
 * @throws Error when it belongs to somebody else or its identity file is damaged
 */
export function findIdentity(dir: string, clusterId: string, nodeId: string): Identity | undefined {
  const found = read(fileOf(dir));
  if (found !== undefined && (found.clusterId !== clusterId || found.nodeId !== nodeId)) {
    throw new Error(
      `${dir} belongs to node ${found.nodeId} of cluster ${found.clusterId}, not to node ${nodeId} of cluster ${clusterId}`,
    );
  }
  return found;
}

/**
 * Takes `dir` for one run of a node; creates it (mode 0700) if it is new.
 * @throws Error as {@link findIdentity}
 */
export function openIdentity(dir: string, clusterId: string, nodeId: string): Identity {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const found = findIdentity(dir, clusterId, nodeId);
  const identity = { clusterId, nodeId, epoch: (found?.epoch ?? 0) + 1 };
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
    const { clusterId, nodeId, epoch } = JSON.parse(text) as Partial<Identity>;
    if (typeof clusterId === "string" && typeof nodeId === "string" && Number.isSafeInteger(epoch))
      return { clusterId, nodeId, epoch: epoch as number };
  } catch {
    // Reported below: a damaged file is not an absent one.
  }
  throw new Error(`${file} is damaged; restore it or give the node a new id and an empty directory`);
}
