/**
 * What every process of a node does alike: log lines on stderr, and an end when something broke.
 */
import { pino, type Logger } from "pino";

/** Lines that wait because what they go to is full; beyond, new ones are dropped. */
const logBytesMax = 1024 * 1024;
const exitFatal = 70;

/** JSON lines, each with the members of `base`. */
export function openLog(level: string, base: object): Logger {
  const lines = pino.destination({ dest: 2, sync: true, maxLength: logBytesMax });
  // What the node does must not depend on whether its lines can be written: they often go to the very disk that is full.
  lines.on("error", () => undefined);
  return pino({ level, base }, lines);
}

/** Ends the process with code 70 on whatever nobody caught. Returns how to do the same with what was caught. */
export function stopOn(logger: Logger, what: string): (error: unknown) => never {
  const onFatal = (error: unknown): never => {
    logger.fatal({ event: "fatal", err: error }, `fatal: ${what}`);
    process.exit(exitFatal);
  };
  process.on("uncaughtException", onFatal);
  process.on("unhandledRejection", onFatal);
  return onFatal;
}
