/**
 * Writes one generation of the overlay: large records to the files of values, then one atomic, synced batch of LevelDB with
 * the other ones, pointers to those, and the mark that names them all.
 */
import { performance } from "node:perf_hooks";
import { crc32 } from "node:zlib";
import { setImmediate as nextTurn, setTimeout as rest } from "node:timers/promises";
import { failpoint } from "./failpoint.js";
import type { LevelRecords } from "./level-records.js";
import { absent, nothingStored, type Overlay, type Slot, type Stored } from "./overlay.js";
import {
  appliedKey,
  encodeApplied,
  encodeBytesHead,
  encodePointer,
  encodeRecord,
  largeBytes,
  type AppliedMark,
} from "./store-record.js";
import type { Collector } from "./value-collect.js";

/** Longest stretch of encoding without letting anything else run, when it is urgent. */
const urgentSliceMs = 4;
/** When it is not: stretches and rests in turn, as all nodes write at the same mark of the log, and requests come meanwhile. */
const sliceMs = 1;
const restMs = 3;
/** Records between two looks at the clock. */
const clockEvery = 8;
/** Bytes of large records that wait for their file. */
const pendingMax = 1024 * 1024;

/**
 * To be called within `records.writing`. `mark.hash` is that of the records as they are on disk; it is brought up to date
 * on the way.
 * @param isUrgent much waits to be written, or the store closes: no rests are taken
 * @returns the mark as written
 */
export async function writeGeneration(
  records: LevelRecords,
  collector: Collector,
  generation: Overlay,
  mark: Omit<AppliedMark, "values">,
  isUrgent: () => boolean,
): Promise<AppliedMark> {
  const { db, values } = records;
  const batch = db.batch();
  const sliceEnd = () => performance.now() + (isUrgent() ? urgentSliceMs : sliceMs);
  let sliceEndMs = sliceEnd();
  let count = 0;
  for (const [key, slot] of generation.slots) {
    const before = baseOf(key, slot, records);
    const keySum = crc32(key);
    if (before.sum !== absent) mark.hash.remove(key, before.sum, keySum);
    if (before.place !== undefined) values.release(key, before.place);
    slot.base = undefined;
    if (slot.value !== undefined) {
      const { value } = slot;
      const isBytes = value instanceof Uint8Array && value.length >= largeBytes;
      const { bytes, sum } = isBytes ? encodeBytesHead(key, value, keySum) : encodeRecord(key, value, keySum);
      slot.sum = sum;
      if (isBytes) slot.place = values.append(key, bytes, value);
      else slot.place = bytes.length < largeBytes ? undefined : values.append(key, bytes);
      mark.hash.add(key, sum, keySum);
      batch.put(key, slot.place === undefined ? bytes : encodePointer(key, { place: slot.place, sum }));
    } else if (before.sum !== absent) {
      batch.del(key);
    }
    records.changed(key, { before: before.sum, after: slot.value === undefined ? absent : slot.sum, keySum });
    if (values.pendingBytes > pendingMax) await values.write();
    if (++count % clockEvery === 0 && performance.now() > sliceEndMs) {
      await (isUrgent() ? nextTurn() : rest(restMs));
      sliceEndMs = sliceEnd();
    }
  }
  await collector.collect(generation, batch);
  await values.sync();
  const written = { ...mark, values: values.accounts };
  batch.put(appliedKey, encodeApplied(written));
  failpoint("store.before-flush");
  await records.write(batch);
  failpoint("store.after-flush");
  await values.removeDropped();
  return written;
}

function baseOf(key: string, { base }: Slot, records: LevelRecords): Stored {
  // What is collected may have moved since.
  if (base !== undefined && !records.values.isMoving(base.place)) return base;
  return records.headSync(key) ?? nothingStored;
}
