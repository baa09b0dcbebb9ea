/**
 * What a crash can leave of a step of the log: nothing, its name or not, any of the sectors of a write.
 */
import type { MemoryFiles, Step } from "./memory-files.js";
import type { Random } from "./random.js";

const sectorBytes = 512;

/** The files as a crash in `step`, which is about to happen, can leave them. */
export function* crashesAt(
  files: MemoryFiles,
  step: Step,
  random: Random,
): Generator<{ how: string; files: MemoryFiles }> {
  yield { how: "not done", files: files.crash({ synced: false }) };
  yield { how: "not done, names lost", files: files.crash({ synced: true }) };
  if (step.kind !== "write") return;
  for (const kept of tornWrites(random, step.data.length / sectorBytes))
    yield { how: `torn ${kept.map((isKept) => (isKept ? "+" : "-")).join("")}`, files: tear(files, step, kept) };
}

/** Which sectors of a write reached the disk. */
function tornWrites(random: Random, sectors: number): boolean[][] {
  const cuts = Array.from({ length: sectors - 1 }, (_, n) => n + 1);
  // Every cut of a small write; of a large one those at its ends and some between.
  const some = cuts.filter((cut) => sectors <= 32 || cut <= 8 || sectors - cut <= 8 || random.below(12) === 0);
  const kept = some.map((cut) => Array.from({ length: sectors }, (_, n) => n < cut));
  const tails = some.filter((_, n) => n % 5 === 0).map((cut) => Array.from({ length: sectors }, (_, n) => n >= cut));
  const scattered = Array.from({ length: 4 }, () => Array.from({ length: sectors }, () => random.below(2) === 0));
  return [...kept, ...tails, ...scattered];
}

function tear(
  files: MemoryFiles,
  { path, data, position }: Extract<Step, { kind: "write" }>,
  kept: readonly boolean[],
): MemoryFiles {
  const torn = files.crash({ synced: false });
  const bytes = torn.bytes(path);
  for (const [n, isKept] of kept.entries()) {
    if (isKept) data.copy(bytes, position + n * sectorBytes, n * sectorBytes, (n + 1) * sectorBytes);
  }
  return torn;
}
