/**
 * A read view of the applied store as the bytes of an archive, piece by piece: no more of it is in memory than one block.
 */
import {
  archiveMagic,
  encodeBlockHeader,
  encodeHeader,
  encodeRecords,
  encodeTrailer,
  firstChecksum,
  pairBytes,
  type ArchiveHeader,
  type ArchivePart,
  type StoredPair,
} from "./archive-format.js";
import type { ReadView } from "./types.js";

/** A block of records is ended beyond this: small enough that nothing waits for a millisecond while one is made. */
const recordsBytes = 64 * 1024;

/**
 * @param after only records behind this key: a transfer goes on where it broke off. "": all
 * @throws StorageError when the store turns out to be damaged; what was written so far has no trailer then
 */
export async function* writeArchive(
  view: ReadView,
  header: Omit<ArchiveHeader, "index" | "term">,
  after = "",
): AsyncGenerator<Buffer> {
  let checksum = firstChecksum;
  const block = (kind: ArchivePart["kind"], body: readonly Buffer[]): Buffer => {
    const encoded = encodeBlockHeader(kind, body, checksum);
    checksum = encoded.checksum;
    return Buffer.concat([encoded.head, ...body]);
  };
  yield archiveMagic;
  yield block("header", [encodeHeader({ ...header, index: view.index, term: view.term })]);
  let records: StoredPair[] = [];
  let bytes = 0;
  for await (const page of view.pages(after)) {
    for (const pair of page) {
      records.push(pair);
      bytes += pairBytes(pair);
      if (bytes < recordsBytes) continue;
      yield block("records", encodeRecords(records));
      records = [];
      bytes = 0;
    }
  }
  if (records.length > 0) yield block("records", encodeRecords(records));
  yield block("trailer", [encodeTrailer({ records: view.records, hash: view.hash })]);
}
