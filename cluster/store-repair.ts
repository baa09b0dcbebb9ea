/**
 * Opens the applied records; if they are damaged, puts them aside so that the node can have them again: replayed from the
 * log where that goes back to the beginning, as a snapshot of another member where it does not.
 *
 * The log is what a node has promised, the records follow from it. So a node without records may vote and append, and one
 * whose log is damaged may not even start. Source: reliability 49, L7, L10; "Protocol-Aware Recovery" (FAST '18).
 *
 *   DIR/store.damage.json   why, left by the run that found it
 *   DIR/store.damaged       the damaged records, until whole ones are in their place
 */
import { existsSync, rmSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "./directory.js";
import { readIfThere, replaceFile } from "./small-file.js";
import { installed, installSteps, intendedInstall, storeName } from "./snapshot-install.js";
import { StorageError } from "./storage-error.js";
import { LevelStore, type LevelStoreOptions } from "./store.js";
import type { LogStore } from "./types.js";

const damageName = "store.damage.json";
const asideName = "store.damaged";

export interface RepairOptions extends Omit<LevelStoreOptions, "dir"> {
  readonly dataDir: string;
  readonly log: LogStore;
  /** There are other members, so a snapshot can be had. */
  readonly hasOthers: boolean;
  readonly logger: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

export interface OpenedStore {
  readonly store: LevelStore;
  /** The records are gone and the log does not reach back: nothing can be applied before a snapshot is installed. */
  readonly needsSnapshot: boolean;
}

/**
 * Finishes the installation of a snapshot if there is one to finish.
 * @throws StorageError when the records are damaged and cannot be had again here
 */
export async function openStore(options: RepairOptions): Promise<OpenedStore> {
  const { dataDir, log, logger } = options;
  const install = intendedInstall(dataDir);
  if (install !== undefined) {
    for await (const step of installSteps(dataDir, install, log))
      logger.info({ event: "snapshot.installing", ...install, step }, "a snapshot is installed");
  }
  const store = await openOrPutAside(options);
  try {
    if (install !== undefined) {
      // 0: what was installed turned out to be damaged and is aside again.
      if (store.appliedIndex !== install.index && store.appliedIndex !== 0)
        throw corrupt(`it holds index ${store.appliedIndex} instead of the snapshot of ${install.index}`, dataDir);
      await installed(dataDir);
      logger.info({ event: "snapshot.installed", ...install }, "a snapshot is in place");
    }
    const needsSnapshot = isGap(store, log);
    if (needsSnapshot && !options.hasOthers) throw corrupt("the records are missing", dataDir);
    if (needsSnapshot)
      logger.warn({ event: "store.lost", logFrom: log.firstIndex() }, "the records are to come from another member");
    else await rm(join(dataDir, asideName), { recursive: true, force: true });
    return { store, needsSnapshot };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** To be called when the records turn out to be damaged while the node runs; durable when it returns. */
export function reportDamage(dataDir: string, error: unknown): void {
  if (!isDamage(error)) return;
  replaceFile(join(dataDir, damageName), JSON.stringify({ what: error.message }));
}

function isDamage(error: unknown): error is StorageError {
  return error instanceof StorageError && error.kind === "corrupt";
}

async function openOrPutAside(options: RepairOptions): Promise<LevelStore> {
  const { dataDir, log } = options;
  const known = readIfThere(join(dataDir, damageName));
  if (known !== undefined) await putAside(options, corrupt(`found earlier: ${known}`, dataDir));
  const open = () => LevelStore.open({ ...options, dir: join(dataDir, storeName) });
  const store = await open().catch(async (error: unknown) => {
    if (!isDamage(error)) throw error;
    await putAside(options, error);
    return open();
  });
  if (!isGap(store, log) || store.appliedIndex === 0) return store;
  // Whole, but of long ago: its newest batches are gone, and the log that they came from as well.
  const gap = corrupt(`it ends at ${store.appliedIndex}, but the log begins at ${log.firstIndex()}`, dataDir);
  await store.close();
  await putAside(options, gap);
  return open();
}

function isGap(store: LevelStore, log: LogStore): boolean {
  return store.appliedIndex < log.firstIndex() - 1;
}

/** @throws `damage` when there is nothing to have the records from */
async function putAside({ dataDir, log, hasOthers, logger }: RepairOptions, damage: Error): Promise<void> {
  if (!hasOthers && log.firstIndex() > 1) throw damage;
  logger.warn({ event: "store.damaged", err: damage }, "the records are damaged and put aside");
  const [store, aside] = [join(dataDir, storeName), join(dataDir, asideName)];
  if (existsSync(store)) {
    await rm(aside, { recursive: true, force: true });
    await rename(store, aside);
    await syncDirectory(dataDir);
  }
  rmSync(join(dataDir, damageName), { force: true });
  await syncDirectory(dataDir);
}

function corrupt(what: string, dataDir: string): StorageError {
  return new StorageError("corrupt", `the store is damaged: ${what}`, { file: join(dataDir, storeName) });
}
