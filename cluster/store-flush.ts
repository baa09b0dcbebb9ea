/**
 * Writes one generation of the overlay to LevelDB: one atomic, synced batch of its records and the mark that names them.
 */
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Level } from "level";
import { failpoint } from "./failpoint.js";
import { absent, type Overlay, type Slot } from "./overlay.js";
import { appliedKey, encodeApplied, encodeRecord, type AppliedMark } from "./store-record.js";

/** Longest stretch of encoding without letting anything else run. */
const sliceMs = 4;
/** Records between two looks at the clock. */
const clockEvery = 32;

/**
 * `mark.hash` is that of the records as they are in LevelDB; it is brought up to date on the way.
 * @param sumOf checksum of a record in LevelDB, {@link absent} if there is none
 */
export async function writeGeneration(
  db: Level<string, Buffer>,
  generation: Overlay,
  mark: AppliedMark,
  sumOf: (key: string) => number,
): Promise<void> {
  const batch = db.batch();
  let sliceEndMs = performance.now() + sliceMs;
  let count = 0;
  for (const [key, slot] of generation.slots) {
    const before = baseOf(key, slot, sumOf);
    if (before !== absent) mark.hash.remove(key, before);
    if (slot.value !== undefined) {
      const { bytes, sum } = encodeRecord(key, slot.value);
      slot.sum = sum;
      mark.hash.add(key, sum);
      batch.put(key, bytes);
    } else if (before !== absent) {
      batch.del(key);
    }
    slot.base = undefined;
    if (++count % clockEvery === 0 && performance.now() > sliceEndMs) {
      await nextTurn();
      sliceEndMs = performance.now() + sliceMs;
    }
  }
  batch.put(appliedKey, encodeApplied(mark));
  failpoint("store.before-flush");
  await batch.write({ sync: true });
  failpoint("store.after-flush");
}

function baseOf(key: string, { base }: Slot, sumOf: (key: string) => number): number {
  if (base === undefined) return sumOf(key);
  return typeof base === "number" ? base : base.sum;
}
