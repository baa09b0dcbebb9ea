/**
 * A fixed piece of work that has nothing to do with slct and needs what slct needs: JSON, checksums and synced writes, by as
 * many threads as the cluster has processes. How fast it goes tells how fast the machine is just now.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { textOf } from "./workload.js";

const threads = 3;
const fileBytes = 16 * 2 ** 20;
const states = 16;

interface Task {
  readonly file: string;
  readonly seconds: number;
}

/** @returns rounds per second, all threads together */
export async function calibrate(dir: string, seconds: number): Promise<number> {
  const rounds = await Promise.all(Array.from({ length: threads }, (_, n) => inThread(dir, n, seconds)));
  return rounds.reduce((sum, one) => sum + one, 0) / seconds;
}

function inThread(dir: string, n: number, seconds: number): Promise<number> {
  const task: Task = { file: join(dir, `calibration-${n}`), seconds };
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

/** One round is one batch: a few states parsed, written as text again and summed, one synced write. */
function work({ file, seconds }: Task): number {
  const text = JSON.stringify({ Data: textOf(10 * 1024), Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: "c" }] }] });
  const fd = openSync(file, "w");
  try {
    for (let at = 0; at < fileBytes; at += text.length) writeSync(fd, text, at);
    fdatasyncSync(fd);
    const end = performance.now() + seconds * 1000;
    let rounds = 0;
    for (let at = 0; performance.now() < end; rounds++) {
      const batch = Array.from({ length: states }, (_, n) => {
        const record = Buffer.from(JSON.stringify({ ...(JSON.parse(text) as object), n }));
        record.writeUInt32LE(crc32(record), 0);
        return record;
      });
      const bytes = Buffer.concat(batch);
      at = at + bytes.length > fileBytes ? 0 : at;
      writeSync(fd, bytes, 0, bytes.length, at);
      fdatasyncSync(fd);
      at += bytes.length;
    }
    return rounds;
  } finally {
    closeSync(fd);
    rmSync(file);
  }
}

if (!isMainThread) parentPort?.postMessage(work(workerData as Task));
