/**
 * What a backup and a snapshot cost: `npx tsc -b && node dist/test/cluster/snapshot-bench.js [states]`.
 *
 * One node in this process with its real storage: bytes and speed of an archive, time until a receiver has it checked on
 * disk, and how long writes take while it goes out over and over, against the same without, in turns of one run.
 */
import { createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { pipeline } from "node:stream/promises";
import type { Member } from "../../cluster/node.js";
import { inspectArchive, restoreNode } from "../../cluster/restore.js";
import { addressOf, openMember } from "./local-member.js";
import { Network } from "./network.js";

const states = Number(process.argv[2] ?? 200_000);
const dataBytes = 200;
const turns = 4;
const turnMs = 3000;
const writers = 16;

const data = Buffer.from(JSON.stringify("x".repeat(dataBytes)));
let written = 0;

async function write(member: Member): Promise<void> {
  const id = `state-${++written}`;
  const cases = [{ op: "recv" as const, chan: id }];
  await member.submit({ kind: "put", id, digest: id, data, selects: [{ id: "1", cases, choice: "order" }] });
}

async function fill(member: Member): Promise<void> {
  const worker = async () => {
    while (written < states) await write(member);
  };
  await Promise.all(Array.from({ length: 500 }, worker));
}

/** Milliseconds of each write within one turn. */
async function turn(member: Member): Promise<number[]> {
  const took: number[] = [];
  const endMs = performance.now() + turnMs;
  const worker = async () => {
    while (performance.now() < endMs) {
      const beganMs = performance.now();
      await write(member);
      took.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: writers }, worker));
  return took;
}

async function turnBeside(member: Member): Promise<number[]> {
  let going = true;
  const backups = (async () => {
    while (going) {
      const backup = await member.backup();
      for await (const piece of backup.pieces) if (!going || piece.length === 0) break;
      await backup.end();
    }
  })();
  const took = await turn(member);
  going = false;
  await backups;
  return took;
}

function shown(name: string, took: readonly number[]): string {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  return `${name}: ${sorted.length} writes, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return (performance.now() - beganMs) / 1000;
}

const root = mkdtempSync(join(tmpdir(), "slct-bench-"));
const onFatal = (error: unknown) => {
  throw error;
};
try {
  const config = { overlayBytesMax: 32 << 20, logSegmentBytes: 16 << 20 };
  const member = await openMember("n1", { root, network: new Network(), ids: ["n1"], onFatal, config });
  while (!member.ready()) await new Promise((resolve) => setImmediate(resolve));
  const filledS = await seconds(() => fill(member));
  console.log(`${states} states of ${data.length} bytes in ${filledS.toFixed(1)} s`);

  const file = join(root, "archive");
  const backup = await member.backup();
  const outS = await seconds(() => pipeline(backup.pieces, createWriteStream(file)));
  await backup.end();
  const mebibytes = statSync(file).size / 1024 / 1024;
  const rate = (s: number) => `${mebibytes.toFixed(1)} MiB in ${s.toFixed(2)} s, ${(mebibytes / s).toFixed(0)} MiB/s`;
  console.log(`backup: ${backup.records} records, ${rate(outS)}`);
  const checkedS = await seconds(() => inspectArchive(file));
  console.log(`check: ${rate(checkedS)}`);
  const archive = await inspectArchive(file);
  const node = { dataDir: join(root, "m1"), id: "m1", clusterId: "new", members: [addressOf("m1")] };
  const restoredS = await seconds(() => restoreNode(archive, { ...node, logSegmentBytes: 16 << 20 }));
  console.log(`restore, checked on disk: ${rate(restoredS)}`);

  const [without, beside]: [number[], number[]] = [[], []];
  for (let n = 0; n < turns; n++) {
    without.push(...(await turn(member)));
    beside.push(...(await turnBeside(member)));
  }
  console.log(shown("without", without));
  console.log(shown("beside backups without pause", beside));
  await member.close();
} finally {
  rmSync(root, { recursive: true, force: true });
}
process.exit(0);
