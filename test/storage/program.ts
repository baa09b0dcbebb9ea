/**
 * The program that child.ts runs: writes to a log or a store and reports each acknowledgement on a line of its own.
 *
 *   log <dir> <entries> [failAt]        appends entries one by one; write number `failAt` fails
 *   full-log|full-store <dir> <filler>  writes until the disk is full, makes room by removing the filler, writes on
 */
import { writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { diskFiles, type Files } from "../../cluster/files.js";
import { SegmentLog } from "../../cluster/log.js";
import { LevelStore } from "../../cluster/store.js";

const [mode = "", dir = "", argument = "", failAt = "Infinity"] = process.argv.slice(2);
/** Attempts after the first failure, with room on the disk again. */
const lateAttempts = 50;

function report(line: string): void {
  writeSync(1, `${line}\n`);
}

function dataOf(index: number): Buffer {
  return Buffer.alloc(2000 + (index % 7) * 1000, index % 251);
}

function failing(at: number): Files {
  let writes = 0;
  return {
    ...diskFiles,
    open: async (path) => {
      const file = await diskFiles.open(path);
      const write: typeof file.write = (buffers, position) =>
        ++writes < at ? file.write(buffers, position) : Promise.reject(new Error("EIO: i/o error, write"));
      return { path, bytes: file.bytes, write, read: (...to) => file.read(...to), close: () => file.close() };
    },
  };
}

async function appendTo(log: SegmentLog, index: number): Promise<void> {
  const hardState =
    index % 5 === 0 ? { hardState: { currentTerm: index, votedFor: "n1", commitIndex: index - 1 } } : {};
  await log.append({ ...hardState, entries: [{ index, term: 1, data: dataOf(index) }] });
}

async function writeTo(store: LevelStore, index: number): Promise<void> {
  const value = Buffer.alloc(2000);
  for (let at = 0; at < value.length; at += 4) value.writeUInt32LE(Math.imul(index + at, 0x9e3779b1) >>> 0, at);
  store.put(`s\0${index}`, value);
  store.advance(index, 1);
  await store.flush();
}

async function opened(): Promise<(index: number) => Promise<void>> {
  if (mode === "full-store") {
    const store = await LevelStore.open({ dir, overlayBytesMax: 1 << 20, onError: () => report("onError") });
    return (index) => writeTo(store, index);
  }
  const log = await SegmentLog.open({
    dir,
    clusterId: "c1",
    nodeId: "n1",
    segmentBytes: 256 * 1024,
    files: failing(Number(failAt)),
  });
  return (index) => appendTo(log, index);
}

async function main(): Promise<void> {
  const write = await opened();
  const limit = mode === "log" ? Number(argument) : Infinity;
  for (let index = 1; index <= limit; index++) {
    try {
      await write(index);
      report(`acked ${index}`);
    } catch (error) {
      report(`failed ${(error as Error).message}`);
      if (mode === "log") process.exit(1);
      await rm(argument);
      for (let late = 0; late < lateAttempts; late++) {
        await write(index + late).then(
          () => report(`acked ${index + late}`),
          () => report("refused"),
        );
      }
      process.exit(0);
    }
  }
}

await main();
