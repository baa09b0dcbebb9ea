/**
 * Looks at LevelDB's files before LevelDB does, because it opens some kinds of damage without a word (reliability 0.2).
 *
 * Its log and its MANIFEST are sequences of checksummed fragments in 32 KiB blocks. When LevelDB meets a bad one in a log,
 * it drops the rest of that block and goes on with the next: batches in the middle vanish. That is refused here. A log
 * that merely ends early is fine: the store then stands at an earlier applied index, and the Raft log is replayed from
 * there. A MANIFEST whose last edit seems cut off is read by LevelDB as if that edit had never been; that is refused if a
 * flipped length explains it. Damage inside tables shows when a record is read, or in the scan of the store.
 * Source: the log format as LevelDB documents it (doc/log_format.md).
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "./storage-error.js";

const blockBytes = 32 * 1024;
const fragmentHeaderBytes = 7;
/** Fragment types: a whole record, its first, a middle and its last part. */
const full = 1;
const first = 2;
const last = 4;

/** @throws StorageError `corrupt` */
export async function checkLevelFiles(dir: string): Promise<void> {
  const names = await readdir(dir);
  const logs = names.filter((name) => /^\d+\.log$/.test(name)).sort((a, b) => Number.parseInt(a) - Number.parseInt(b));
  const hasData = names.some((name) => /^(\d+\.(log|ldb|sst)|MANIFEST-\d+)$/.test(name));
  if (hasData) await checkCurrent(dir, names);
  for (const name of names.filter((name) => name.startsWith("MANIFEST-"))) {
    const file = join(dir, name);
    const bytes = await readFile(file);
    const end = fragments(bytes);
    if (end.stop !== undefined && lengthFlipped(bytes, end.stop)) throw damaged(file, end.stop, "its list of files is");
  }
  for (const [position, name] of logs.entries()) {
    const file = join(dir, name);
    const { stop, resumes } = fragments(await readFile(file));
    // Every batch is synced, so only the newest log can end in an unfinished one.
    if (stop !== undefined && (resumes || position < logs.length - 1))
      throw damaged(file, stop, "batches in the middle of its log are");
  }
}

/** What LevelDB would find missing, and call an error of the disk. */
async function checkCurrent(dir: string, names: readonly string[]): Promise<void> {
  const file = join(dir, "CURRENT");
  if (!names.includes("CURRENT"))
    throw new StorageError("corrupt", "the store is damaged: its CURRENT file is missing", { file });
  const named = (await readFile(file, "latin1")).trimEnd();
  if (!names.includes(named))
    throw new StorageError("corrupt", `the store is damaged: ${JSON.stringify(named)}, its list of files, is missing`, {
      file,
    });
}

function damaged(file: string, offset: number, what: string): StorageError {
  return new StorageError("corrupt", `the store is damaged: ${what} unreadable`, { file, offset });
}

interface LogEnd {
  /** Offset of the first fragment that is not intact; undefined: the file ends with an intact one. */
  readonly stop: number | undefined;
  /** LevelDB would find whole records again after it. */
  readonly resumes: boolean;
}

function fragments(bytes: Buffer): LogEnd {
  let stop: number | undefined;
  for (let block = 0; block < bytes.length; block += blockBytes) {
    const end = Math.min(block + blockBytes, bytes.length);
    let at = block;
    while (at + fragmentHeaderBytes <= end) {
      const length = intactLength(bytes, at, end);
      if (length === undefined) break;
      const type = bytes[at + 6];
      if (stop !== undefined && (type === full || type === first)) return { stop, resumes: true };
      at += fragmentHeaderBytes + length;
    }
    const isTrailer = end - at < fragmentHeaderBytes && end - block === blockBytes;
    if (at < end && !isTrailer) stop ??= at;
  }
  return { stop, resumes: false };
}

/** Length of the data of an intact fragment at `at`. */
function intactLength(bytes: Buffer, at: number, end: number, lengthMask = 0): number | undefined {
  const length = bytes.readUInt16LE(at + 4) ^ lengthMask;
  const type = bytes[at + 6] ?? 0;
  const dataEnd = at + fragmentHeaderBytes + length;
  if (type < full || type > last || dataEnd > end) return undefined;
  return unmask(bytes.readUInt32LE(at)) === crc32c(bytes, at + 6, dataEnd) ? length : undefined;
}

/** The fragment at `at` is intact but for one bit of its length. */
function lengthFlipped(bytes: Buffer, at: number): boolean {
  if (at + fragmentHeaderBytes > bytes.length) return false;
  const end = Math.min(at - (at % blockBytes) + blockBytes, bytes.length);
  return Array.from({ length: 16 }, (_, bit) => 1 << bit).some(
    (mask) => intactLength(bytes, at, end, mask) !== undefined,
  );
}

/** LevelDB stores checksums rotated and offset, so that the checksum of data with checksums in it stays meaningful. */
function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

/** CRC-32C (Castagnoli), which node:zlib does not have. */
function crc32c(bytes: Buffer, from: number, to: number): number {
  let c = 0xffffffff;
  for (let at = from; at < to; at++) c = (c >>> 8) ^ (table[(c ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~c >>> 0;
}
