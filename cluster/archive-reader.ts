/**
 * Reads an archive strictly, part by part: what archive-writer.ts would not write is an {@link ArchiveError}, and no more is
 * in memory than one block, which has a bound.
 */
import {
  ArchiveError,
  archiveMagic,
  blockHeaderBytes,
  checksumOf,
  decodeBlockHeader,
  decodeHeader,
  decodeRecords,
  decodeTrailer,
  firstChecksum,
  type ArchivePart,
} from "./archive-format.js";
import { StateHash } from "./store-record.js";

/**
 * @param after the key behind which the records begin. "": it is a whole one, and its trailer has to agree with it
 * @throws ArchiveError; whatever `source` throws
 */
export async function* readArchive(source: AsyncIterable<Uint8Array>, after = ""): AsyncGenerator<ArchivePart> {
  const bytes = new Bytes(source);
  try {
    yield* readParts(bytes, after);
  } finally {
    await bytes.close();
  }
}

async function* readParts(bytes: Bytes, after: string): AsyncGenerator<ArchivePart> {
  const hash = new StateHash();
  let key = after;
  let checksum = firstChecksum;
  if (!(await bytes.take(archiveMagic.length)).equals(archiveMagic)) throw new ArchiveError("not an archive");
  for (let position = 0; ; position++) {
    const head = await bytes.take(blockHeaderBytes);
    const { kind, bodyBytes, checksum: expected } = decodeBlockHeader(head);
    if ((kind === "header") !== (position === 0)) throw new ArchiveError("the header is not where it belongs");
    const body = await bytes.take(bodyBytes);
    checksum = checksumOf(head, [body], checksum);
    if (checksum !== expected) throw new ArchiveError(`block ${position} is not what was written`);
    if (kind === "header") {
      yield { kind, header: decodeHeader(body) };
    } else if (kind === "records") {
      const records = decodeRecords(body, key);
      for (const [name, stored] of records) hash.add(name, stored.readUInt32LE());
      key = records.at(-1)?.[0] ?? key;
      yield { kind, records };
    } else {
      const trailer = decodeTrailer(body);
      const agrees = trailer.records === hash.records && trailer.hash === hash.digits;
      if (after === "" && !agrees) {
        const found = `${hash.records} records with hash ${hash.digits}`;
        throw new ArchiveError(`it holds ${found} where ${trailer.records} with ${trailer.hash} were to be`);
      }
      await bytes.end();
      yield { kind, trailer };
      return;
    }
  }
}

/** Cuts a stream of pieces into the lengths that are asked for. Every byte is copied at most twice. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>;
  #pieces: Buffer[] = [];
  #held = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    while (this.#held < length) if (!(await this.#more())) throw new ArchiveError("the archive was cut off");
    const [first = Buffer.alloc(0), ...others] = this.#pieces;
    const whole = first.length >= length ? first : Buffer.concat(this.#pieces);
    const rest = whole === first ? others : [];
    this.#pieces = whole.length > length ? [whole.subarray(length), ...rest] : rest;
    this.#held -= length;
    return whole.subarray(0, length);
  }

  /** @throws ArchiveError when there is more */
  async end(): Promise<void> {
    while (this.#held === 0) if (!(await this.#more())) return;
    throw new ArchiveError("there is something behind the trailer");
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    const { value } = next;
    this.#pieces.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    this.#held += value.byteLength;
    return true;
  }
}
