/**
 * Moves what is still alive out of files of values that are mostly dead, a part with each write of the store.
 *
 * A record is alive if LevelDB points at it. Its move is in the same batch as everything else that is written, so a crash
 * leaves it at the one place or at the other.
 */
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Level } from "level";
import { damaged } from "./level-open.js";
import type { LevelRecords } from "./level-records.js";
import type { Overlay } from "./overlay.js";
import { checkRecord, encodePointer } from "./store-record.js";
import type { Account } from "./value-files.js";
import type { Place } from "./value-reader.js";
import { frameEnd, readFrame } from "./value-frame.js";

type Batch = ReturnType<Level<string, Buffer>["batch"]>;

/** Bytes that are looked at with each write of the store: twice what died with it, so that it keeps up, within bounds. */
const lookedMin = 2 * 1024 * 1024;
const lookedMax = 128 * 1024 * 1024;
/** Read at once, and at least as much as the largest frame that is there. */
const chunkBytes = 1024 * 1024;
const sliceMs = 4;

interface Standing {
  readonly key: string;
  readonly record: Buffer;
  readonly place: Place;
  /** Where the next one begins in the file. */
  readonly end: number;
}

export class Collector {
  readonly #records: LevelRecords;
  /** Of the file that is collected, up to where it was looked at. */
  #position = 0;

  constructor(records: LevelRecords) {
    this.#records = records;
  }

  /** @param generation what is written with the same batch: its records are not where they were any more */
  async collect(generation: Overlay, batch: Batch): Promise<void> {
    const { values } = this.#records;
    let left = Math.min(Math.max(2 * values.diedBytes, lookedMin), lookedMax);
    while (left > 0) {
      const account = this.#current();
      if (account === undefined) return;
      // Of a file that is dead as a whole, nothing has to be looked at.
      if (account.dead < account.bytes) left -= await this.#collectFrom(account, generation, batch, left);
      else this.#position = account.bytes;
      if (this.#position < account.bytes) return;
      values.collecting = undefined;
      if (!values.drop(account.file)) throw this.#damaged(account.file);
    }
  }

  #current(): Account | undefined {
    const { values } = this.#records;
    const current = values.accounts.find(({ file }) => file === values.collecting);
    if (current !== undefined) return current;
    const worst = values.worst;
    values.collecting = worst?.file;
    this.#position = 0;
    return worst;
  }

  /** @returns how much was looked at */
  async #collectFrom(account: Account, generation: Overlay, batch: Batch, looksMax: number): Promise<number> {
    const { values } = this.#records;
    const start = this.#position;
    let sliceEndMs = performance.now() + sliceMs;
    while (this.#position < account.bytes && this.#position - start < looksMax) {
      const chunk = await this.#read(account);
      for (const frame of framesOf(chunk, account.file, this.#position)) {
        this.#position = frame.end;
        if (!generation.slots.has(frame.key) && this.#isAlive(frame)) this.#move(frame, batch);
        if (performance.now() < sliceEndMs) continue;
        await nextTurn();
        sliceEndMs = performance.now() + sliceMs;
      }
      await values.write();
    }
    return this.#position - start;
  }

  #move(frame: Standing, batch: Batch): void {
    const { values } = this.#records;
    const { key, record, place } = frame;
    const sum = checkRecord(key, record);
    if (sum === undefined) throw this.#damaged(place.file);
    values.release(key, place);
    batch.put(key, encodePointer(key, { place: values.append(key, record), sum }));
  }

  #isAlive({ key, place }: Standing): boolean {
    const current = this.#records.headSync(key)?.place;
    return current?.file === place.file && current.offset === place.offset;
  }

  #damaged(file: number): Error {
    return damaged(this.#records.dir, `file ${file} of values is not what was stored`);
  }

  /** From where it was looked at: whole frames, at least one, and the begin of another. */
  async #read({ file, bytes: fileEnd }: Account): Promise<Buffer> {
    const { reader } = this.#records.values;
    const offset = this.#position;
    for (let length = Math.min(chunkBytes, fileEnd - offset); ;) {
      const chunk = await reader.read({ file, offset, length });
      const end = frameEnd(chunk, 0);
      if (end <= length) return chunk;
      if (offset + end > fileEnd) throw this.#damaged(file);
      length = end;
    }
  }
}

/** @param offset of the chunk in the file */
function* framesOf(chunk: Buffer, file: number, offset: number): Generator<Standing> {
  for (let at = 0; at < chunk.length;) {
    const end = frameEnd(chunk, at);
    if (end > chunk.length) return;
    const { key, record, from } = readFrame(chunk, at);
    yield { key, record, place: { file, offset: offset + from, length: record.length }, end: offset + end };
    at = end;
  }
}
