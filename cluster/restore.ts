/**
 * Makes the data directory of a node from a backup: a member of a new cluster that begins with the records of the archive.
 *
 * Every node of the new cluster is made from the same archive with the same cluster id and members, so all begin alike: the
 * records, a log that goes on behind them, and one step that all of them take: what clients of the old cluster had parked
 * is dropped, the old members are forgotten, and the seed of locks changes, so that no lock given out by the old cluster
 * from now on is one of the new cluster. Source: reliability 55.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { keys } from "../src/select/keys.js";
import { Machine } from "../src/select/machine.js";
import type { Meta } from "../src/select/types.js";
import { decodeConfiguration } from "../raft/configuration.js";
import type { Configuration, NodeId } from "../raft/types.js";
import { ArchiveError, type ArchiveHeader, type ArchivePart, type ArchiveTrailer } from "./archive-format.js";
import { readArchive } from "./archive-reader.js";
import { configurationKey, forgetting } from "./configuration.js";
import { makeDirectory, syncDirectory } from "./directory.js";
import { openIdentity } from "./identity.js";
import { loadIndexes } from "./load-indexes.js";
import { SegmentLog } from "./log.js";
import { incomingName, LevelIncoming } from "./snapshot-incoming.js";
import { storeName } from "./snapshot-install.js";
import { LevelStore } from "./store.js";
import type { Member } from "./types.js";

/** An archive that was read to its end. */
export interface Inspected {
  readonly file: string;
  readonly header: ArchiveHeader;
  readonly trailer: ArchiveTrailer;
  /** Of the cluster that the backup was taken from. */
  readonly configuration: Configuration;
}

export interface NewNode {
  /** Must not exist, or be empty. */
  readonly dataDir: string;
  readonly id: NodeId;
  /** Another one than that of the archive. */
  readonly clusterId: string;
  /** All members of the new cluster. */
  readonly members: readonly Member[];
  readonly logSegmentBytes: number;
}

const logName = "log";
const readBytes = 1024 * 1024;
const overlayBytesMax = 32 * 1024 * 1024;

/**
 * Reads all of it; writes nothing.
 * @throws ArchiveError when it is no archive, or not whole; whatever the file system says
 */
export async function inspectArchive(file: string): Promise<Inspected> {
  let header: ArchiveHeader | undefined;
  for await (const part of partsOf(file)) {
    if (part.kind === "header") header = part.header;
    if (part.kind !== "trailer" || header === undefined) continue;
    const configuration = decodeConfiguration(header.configuration);
    if (configuration === undefined) throw new ArchiveError(`${file}: an archive without members`);
    return { file, header, trailer: part.trailer, configuration };
  }
  throw new ArchiveError(`${file}: the archive was cut off`);
}

/**
 * Durable when it resolves. What it wrote is removed when it fails.
 * @throws Error when the directory is in use or the cluster is the old one; as {@link inspectArchive}
 */
export async function restoreNode(archive: Inspected, node: NewNode): Promise<void> {
  const { dataDir, id, clusterId, members, logSegmentBytes } = node;
  const { header } = archive;
  if (clusterId === header.clusterId)
    throw new Error(`the backup is of cluster ${clusterId}: a restored cluster needs a name of its own`);
  await checkUnused(dataDir);
  await makeDirectory(dataDir);
  const index = header.index + 1;
  try {
    // First: a directory that has a log and no identity is refused, wherever this breaks off.
    const log = await SegmentLog.open({
      dir: join(dataDir, logName),
      clusterId,
      nodeId: id,
      segmentBytes: logSegmentBytes,
    });
    try {
      const hardState = { currentTerm: header.term, votedFor: null, commitIndex: 0 };
      await log.append({ hardState, entries: [] });
      await log.reset(index, header.term);
    } finally {
      await log.close();
    }
    await copyRecords(archive, dataDir);
    await beginAnew(archive, node);
    openIdentity(dataDir, clusterId, id, members);
  } catch (error) {
    for (const name of [logName, incomingName, storeName])
      await rm(join(dataDir, name), { recursive: true, force: true });
    throw error;
  }
}

async function* partsOf(file: string): AsyncGenerator<ArchivePart> {
  try {
    yield* readArchive(createReadStream(file, { highWaterMark: readBytes }));
  } catch (error) {
    throw error instanceof ArchiveError ? new ArchiveError(`${file}: ${error.message}`) : error;
  }
}

/** @throws Error when there is something in it */
export async function checkUnused(dir: string): Promise<void> {
  const found = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (found.length > 0) throw new Error(`${dir} is not empty: nothing is restored over what is there`);
}

async function copyRecords({ file, header, trailer }: Inspected, dataDir: string): Promise<void> {
  const incoming = new LevelIncoming(dataDir, 1);
  try {
    await incoming.open("restore");
    for await (const part of partsOf(file)) if (part.kind === "records") await incoming.add(part.records);
    // If the file is another one by now, its records do not agree with what was read before.
    await incoming.complete(header, trailer);
  } finally {
    await incoming.close();
  }
  await rename(join(dataDir, incomingName), join(dataDir, storeName));
  await syncDirectory(dataDir);
}

/** The step from the old cluster to the new one, at the index behind the archive. The same on all nodes. */
async function beginAnew({ header, configuration }: Inspected, { dataDir, clusterId }: NewNode): Promise<void> {
  const onError = (error: unknown) => {
    throw error;
  };
  const store = await LevelStore.open({ dir: join(dataDir, storeName), overlayBytesMax, onError });
  const index = header.index + 1;
  try {
    const machine = new Machine(store);
    await loadIndexes(store, machine);
    const meta = store.get(keys.meta) as Meta | undefined;
    if (meta !== undefined) {
      for (const { id: node } of configuration.members)
        machine.apply({ index, nowMs: meta.nowMs, command: forgetting(node) });
      store.put(keys.meta, { ...(store.get(keys.meta) as Meta), seed: seedOf(meta.seed, clusterId) } satisfies Meta);
    }
    store.del(configurationKey);
    store.advance(index, header.term);
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
  await store.close();
}

/** Sixteen bytes that only those can know who know the old ones. */
function seedOf(seed: Uint8Array, clusterId: string): Uint8Array {
  return createHash("sha256").update(seed).update(clusterId).digest().subarray(0, seed.length);
}
