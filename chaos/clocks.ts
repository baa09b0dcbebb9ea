/**
 * Wall clocks of single nodes, shifted while they run: by our own shim where there is a C compiler, else by libfaketime,
 * else not at all. Monotonic clocks are left alone, as they are by those who set a clock.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Clocks {
  /** What a node is started with. */
  env(id: string): Readonly<Record<string, string>>;
  /** From now on, compared with the true clock. */
  shift(id: string, byMs: number): void;
}

const source = fileURLToPath(
  new URL("chaos/clock.c", new URL(import.meta.url.includes("/dist/") ? "../../" : "../", import.meta.url)),
);
const libraries = "/usr/lib";

/**
 * @param dir of the run
 * @returns undefined and why, when clocks cannot be shifted here
 */
export function openClocks(dir: string): { readonly clocks?: Clocks; readonly why: string } {
  mkdirSync(dir, { recursive: true });
  const library = join(dir, "clock.so");
  const built = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, source]);
  if (built.status === 0) return { clocks: shimmed(dir, library), why: "own shim" };
  const faketime = findFaketime();
  if (faketime !== undefined) return { clocks: faked(dir, faketime), why: "libfaketime" };
  return { why: "there is neither a C compiler nor libfaketime" };
}

function shimmed(dir: string, library: string): Clocks {
  const fileOf = (id: string) => join(dir, `${id}.clock`);
  const shift = (id: string, byMs: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(byMs)) * 1_000_000n);
    // In place: the node has it mapped.
    writeFileSync(fileOf(id), bytes, { flag: existsSync(fileOf(id)) ? "r+" : "w" });
  };
  return {
    env(id) {
      if (!existsSync(fileOf(id))) shift(id, 0);
      return { LD_PRELOAD: library, CHAOS_CLOCK_FILE: fileOf(id) };
    },
    shift,
  };
}

function faked(dir: string, library: string): Clocks {
  const fileOf = (id: string) => join(dir, `${id}.faketime`);
  const shift = (id: string, byMs: number) => {
    const seconds = (byMs / 1000).toFixed(3);
    writeFileSync(`${fileOf(id)}.new`, `${byMs < 0 ? "" : "+"}${seconds}\n`);
    renameSync(`${fileOf(id)}.new`, fileOf(id));
  };
  return {
    env(id) {
      if (!existsSync(fileOf(id))) shift(id, 0);
      return {
        ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: fileOf(id), FAKETIME_NO_CACHE: "1" },
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      };
    },
    shift,
  };
}

function findFaketime(): string | undefined {
  if (!existsSync(libraries)) return undefined;
  return readdirSync(libraries)
    .map((name) => join(libraries, name, "faketime", "libfaketime.so.1"))
    .find((file) => existsSync(file));
}
