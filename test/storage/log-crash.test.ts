/**
 * Crashes of the log at every step of a run, in memory: what was acknowledged is there afterwards, what was under way is
 * there wholly or not at all, and the log goes on. Reliability L1–L4, L8, L9.
 */
import { describe, expect, test } from "vitest";
import { MemoryFiles } from "./memory-files.js";
import { applied, emptyModel, expectWritable, matches, openLog, runScript, type Model } from "./log-script.js";
import { Random } from "./random.js";
import { crashesAt } from "./tearing.js";

interface Image {
  readonly name: string;
  readonly files: MemoryFiles;
  /** What may be found. */
  readonly allowed: readonly Model[];
}

/** Parts of a batch that is larger than a segment are durable one by one: the hard state, then a prefix of the entries. */
function prefixes(model: Model, batch: Parameters<typeof applied>[1]): Model[] {
  const bytes = batch.entries.reduce((sum, { data }) => sum + data.length, 0);
  if (bytes < 50_000) return [model, applied(model, batch)];
  return [
    model,
    ...Array.from({ length: batch.entries.length + 1 }, (_, n) =>
      applied(model, { ...batch, entries: batch.entries.slice(0, n) }),
    ),
  ];
}

/** Every state in which a crash during the script can leave the files. */
async function crashImages(): Promise<Image[]> {
  const files = new MemoryFiles();
  const random = new Random(11);
  const images: Image[] = [];
  let allowed: readonly Model[] = [emptyModel];
  let steps = 0;
  files.onStep = (step) => {
    const name = `step ${++steps}, ${step.kind} ${step.path}`;
    for (const crash of crashesAt(files, step, random))
      images.push({ name: `${name}: ${crash.how}`, files: crash.files, allowed });
  };
  const log = await openLog(files);
  await runScript(log, {
    intent: (model, batch) => (allowed = prefixes(model, batch)),
    ack: (model) => {
      allowed = [model];
      images.push({ name: `acknowledged ${model.entries.length}`, files: files.crash({ synced: true }), allowed });
    },
  });
  await log.close();
  return images;
}

describe("a crash", () => {
  test("L1 L2 L3 at any step leaves what was acknowledged, and what was under way wholly or not at all", async () => {
    const images = await crashImages();
    expect(images.length).toBeGreaterThan(1000);
    for (const { name, files, allowed } of images) {
      const log = await openLog(files).catch((error: unknown) => {
        throw new Error(`${name}: refused`, { cause: error });
      });
      const found = allowed.some((model) => matches(log, model));
      expect(found, `${name}: ${log.firstIndex()}–${log.lastIndex()}`).toBe(true);
      await expectWritable(log, files);
    }
  }, 120_000);

  test("L1 during recovery from a crash is recovered from as well", async () => {
    const images = (await crashImages()).filter(({ name }) => name.includes("torn")).filter((_, n) => n % 25 === 0);
    for (const { name, files, allowed } of images) {
      const again: MemoryFiles[] = [];
      const random = new Random(3);
      files.onStep = (step) => {
        for (const crash of crashesAt(files, step, random)) again.push(crash.files);
      };
      await (await openLog(files)).close();
      for (const crashed of again) {
        const log = await openLog(crashed);
        expect(
          allowed.some((model) => matches(log, model)),
          name,
        ).toBe(true);
        await log.close();
      }
    }
  }, 120_000);
});
