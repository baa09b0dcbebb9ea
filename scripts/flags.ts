/**
 * The flags of a script: parsed, or one line about what is wrong with them.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** Ends the process: `--help` prints `usage`, exit code 0; what is not understood is said above it, exit code 2. */
export function parseFlags<const T extends ParseArgsConfig>(usage: string, config: T): ReturnType<typeof parseArgs<T>> {
  if (process.argv.includes("--help")) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error), usage);
  }
}

/** @param flag its name, for the message; ends the process as {@link parseFlags} does */
export function numberFlag(flag: string, text: string, [min, max]: readonly [number, number]): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= min && value <= max)) refuse(`--${flag} must be a number in ${min}–${max}`, "");
  return value;
}

function refuse(why: string, usage: string): never {
  process.stderr.write(`${why}\n${usage === "" ? "" : `\n${usage}`}`);
  process.exit(2);
}
