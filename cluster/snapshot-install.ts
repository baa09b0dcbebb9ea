/**
 * Puts an arrived snapshot in the place of the applied records, when a node opens.
 *
 * The node writes an intent and starts over, in the same process or, after a crash, in another: there is one path. Each
 * step is durable before the next and can be done again, so it may end anywhere (reliability 31, L6–L8).
 *
 *   DIR/install.json   the intent: index and term
 *   DIR/incoming       the snapshot, a whole store (snapshot-incoming.ts), until it is renamed to DIR/store
 *   DIR/store.old      the records of before, until they are removed
 */
import { existsSync, rmSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Index, Term } from "../raft/types.js";
import { syncDirectory } from "./directory.js";
import { readIfThere, replaceFile } from "./small-file.js";
import { incomingName } from "./snapshot-incoming.js";
import { StorageError } from "./storage-error.js";
import type { LogStore } from "./types.js";

export interface Install {
  readonly index: Index;
  readonly term: Term;
}

export const storeName = "store";
const oldName = "store.old";
const intentName = "install.json";

/** Durable when it returns: the next opening installs what is in `DIR/incoming`. */
export function intendInstall(dataDir: string, { index, term }: Install): void {
  replaceFile(join(dataDir, intentName), JSON.stringify({ index, term }));
}

/** @throws StorageError when the intent is damaged */
export function intendedInstall(dataDir: string): Install | undefined {
  const file = join(dataDir, intentName);
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const { index, term } = JSON.parse(text) as Partial<Install>;
    if (Number.isSafeInteger(index) && Number.isSafeInteger(term)) return { index: index as Index, term: term as Term };
  } catch {
    // Reported below.
  }
  throw new StorageError("corrupt", "the intent to install a snapshot is damaged", { file });
}

/** Everything up to opening the store, one durable step after the other; names each when it is done. */
export async function* installSteps(
  dataDir: string,
  { index, term }: Install,
  log: Pick<LogStore, "term" | "reset">,
): AsyncGenerator<"log" | "aside" | "in place" | "removed"> {
  const [store, incoming, old] = [storeName, incomingName, oldName].map((name) => join(dataDir, name)) as [
    string,
    string,
    string,
  ];
  // What follows the snapshot in the log, and agrees with it, may have been acknowledged.
  if (log.term(index) !== term) await log.reset(index, term);
  yield "log";
  if (existsSync(incoming)) {
    if (existsSync(store)) {
      await rm(old, { recursive: true, force: true });
      await rename(store, old);
      await syncDirectory(dataDir);
    }
    yield "aside";
    await rename(incoming, store);
    await syncDirectory(dataDir);
  }
  yield "in place";
  await rm(old, { recursive: true, force: true });
  yield "removed";
}

/** The store is open and holds what was intended. Durable when it returns. */
export async function installed(dataDir: string): Promise<void> {
  rmSync(join(dataDir, intentName), { force: true });
  await syncDirectory(dataDir);
}
