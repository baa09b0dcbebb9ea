/** Disks that are full, slow, or fail, and files that are not what was written. One node's at a time. */
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { removable, someNode, type Fault, type Scene } from "../fault.js";
import { evict, grow } from "../operator.js";
import type { Undo } from "../undo.js";

const group = "disk";
const stepMs = 50;
/** A damaged node has come up, or refused to, by then. */
const verdictMs = 60_000;
/** Nothing is kept in there. */
const lockPrefix = "process-lock/";
const hasStrace = spawnSync("strace", ["-V"]).status === 0;
const needsStrace = () => (hasStrace ? undefined : "strace is not there");
const writes = "pwritev,pwritev2,pwrite64,fdatasync,fsync";

/** Makes system calls of a running node fail, or last, until it is undone. */
function inject(scene: Scene, id: string, what: string): Undo {
  const { cluster, note } = scene;
  note(`${id}: ${what}`);
  const flags = ["-f", "-qq", "-o", "/dev/null", "-p", String(cluster.pid(id)), "-e", `trace=${writes}`];
  const tracer = spawn("strace", [...flags, "-e", `inject=${writes}:${what}`], { stdio: "ignore" });
  const ended = once(tracer, "exit");
  return async () => {
    tracer.kill("SIGTERM");
    await ended;
    note(`${id} ${cluster.endOf(id) ?? "is still up"}`);
    cluster.launch(id);
  };
}

function fill({ cluster, smallDisk = "", random, note }: Scene): Undo {
  const dir = cluster.dataDir(smallDisk);
  const ballast = join(dir, "ballast");
  const leaveBytes = random.below(3) * 512 * 1024;
  const { bavail, bsize } = statfsSync(dir);
  const file = openSync(ballast, "w");
  const piece = Buffer.alloc(1024 * 1024);
  let written = 0;
  try {
    while (written < bavail * bsize - leaveBytes) written += writeSync(file, piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
  note(`the disk of ${smallDisk} is full but for ${Math.round(leaveBytes / 1024)} KiB`);
  return async () => {
    rmSync(ballast);
    note(`${smallDisk} ${cluster.endOf(smallDisk) ?? "is still up"}; there is room again`);
    await pause(stepMs);
    cluster.launch(smallDisk);
  };
}

/**
 * Changes files of a node that is down, and starts it. Damaged records it has again from the others; over a damaged log it
 * refuses to start, and is replaced as its message says.
 */
async function damage(scene: Scene, part: "log" | "store", change: (file: string) => string): Promise<Undo> {
  const { cluster, random, note } = scene;
  const id = removable(scene);
  await cluster.signal(id, "SIGKILL");
  const dir = join(cluster.dataDir(id), part);
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter(
    (name) => statSync(join(dir, name)).isFile() && statSync(join(dir, name)).size > 0 && !name.startsWith(lockPrefix),
  );
  const name = random.pick(files.filter((one) => one !== "LOCK" && !one.startsWith("LOG")));
  note(`${id}: ${change(join(dir, name))} in ${part}/${name}`);
  cluster.launch(id);
  const endMs = performance.now() + verdictMs;
  while (cluster.endOf(id) === undefined && !(await cluster.isReady(id)) && performance.now() < endMs)
    await pause(stepMs);
  return async () => {
    const end = cluster.endOf(id);
    note(`${id} ${end === undefined ? "came up" : `refused: ${end}, ${cluster.lastWords(id)}`}`);
    if (end === undefined || part === "store" || !cluster.ids.includes(id)) return cluster.launch(id);
    await evict(cluster, id);
    const { id: added, outcome } = await grow(cluster);
    note(`${added} ${outcome}, in its place`);
  };
}

function flip(scene: Scene): (file: string) => string {
  return (path) => {
    const file = openSync(path, "r+");
    const at = usedOffset(scene, path);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    const mask = 1 << scene.random.below(8);
    writeSync(file, Buffer.from([(byte[0] ?? 0) ^ mask]), 0, 1, at);
    closeSync(file);
    return `bit ${mask} of byte ${at} is flipped`;
  };
}

/** Of a byte that was written: log files are filled with zeros ahead of need. */
function usedOffset({ random }: Scene, path: string): number {
  const { size } = statSync(path);
  const file = openSync(path, "r");
  const piece = Buffer.alloc(4096);
  try {
    for (let tries = 0; tries < 200; tries++) {
      const page = random.below(Math.ceil(size / piece.length)) * piece.length;
      const read = readSync(file, piece, 0, piece.length, page);
      if (piece.subarray(0, read).some((byte) => byte !== 0)) return page + random.below(read);
    }
    return 0;
  } finally {
    closeSync(file);
  }
}

function shorten({ random }: Scene): (file: string) => string {
  return (path) => {
    const { size } = statSync(path);
    const left = random.below(size);
    truncateSync(path, left);
    return `${size - left} of ${size} bytes are gone`;
  };
}

export const diskFaults: readonly Fault[] = [
  {
    ...{ name: "disk-full", group, weight: 2, holdMs: [3000, 8000] },
    missing: ({ smallDisk }) => (smallDisk === undefined ? "no small file system could be mounted" : undefined),
    inflict: (scene) => Promise.resolve(fill(scene)),
  },
  {
    ...{ name: "fsync-error", group, weight: 2, holdMs: [1500, 4000], missing: needsStrace },
    inflict: async (scene) => inject(scene, await scene.cluster.leader(), "error=EIO:when=2+"),
  },
  {
    ...{ name: "write-enospc", group, weight: 1, holdMs: [1500, 4000], missing: needsStrace },
    inflict: (scene) => Promise.resolve(inject(scene, someNode(scene), "error=ENOSPC:when=2+")),
  },
  {
    ...{ name: "slow-disk", group, weight: 1, holdMs: [3000, 6000], missing: needsStrace },
    inflict: (scene) => Promise.resolve(inject(scene, someNode(scene), `delay_enter=${scene.random.between(5, 80)}ms`)),
  },
  {
    ...{ name: "flip-log", group, weight: 1, holdMs: [0, 1000] },
    inflict: (scene) => damage(scene, "log", flip(scene)),
  },
  {
    ...{ name: "flip-store", group, weight: 1, holdMs: [0, 1000] },
    inflict: (scene) => damage(scene, "store", flip(scene)),
  },
  {
    ...{ name: "shorten-log", group, weight: 1, holdMs: [0, 1000] },
    inflict: (scene) => damage(scene, "log", shorten(scene)),
  },
  {
    ...{ name: "shorten-store", group, weight: 1, holdMs: [0, 1000] },
    inflict: (scene) => damage(scene, "store", shorten(scene)),
  },
];
