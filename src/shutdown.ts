/**
 * The orderly end of a node: another one leads, no new requests, answers to those that wait, time for those under way,
 * then the storage.
 *
 * Nothing depends on it: what was acknowledged is in the log, and a forced end costs a replay at the next start.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import type { Logger } from "pino";

/** Requests under way have this long to end; connections that became idle are looked for this often. */
const drainMs = 1500;
const sweepMs = 25;
/** All of it, then the end is forced. */
const stopMs = 4500;

interface Ending {
  /** Bounded: about a second. */
  handOver(): Promise<void>;
  drain(): void;
  close(): Promise<void>;
}

/** Resolves within 4.5 s, closed or not. */
export async function shutDown(server: Server, node: Ending, logger: Logger): Promise<void> {
  let force: NodeJS.Timeout | undefined;
  const forced = new Promise<true>((resolve) => (force = setTimeout(resolve, stopMs, true)));
  const whole = await Promise.race([close(server, node), forced]);
  clearTimeout(force);
  if (whole === true) logger.warn({ event: "stopped", forced: true }, "stopped without a last flush of the records");
  else logger.info({ event: "stopped" }, "stopped");
}

async function close(server: Server, node: Ending): Promise<void> {
  // While it still answers: requests that came in are applied under the next leader.
  await node.handOver();
  const closed = once(server, "close");
  server.close();
  node.drain();
  // A connection that was kept alive for another request would hold the server open.
  const sweeper = setInterval(() => server.closeIdleConnections(), sweepMs);
  const patience = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearInterval(sweeper);
  clearTimeout(patience);
  await node.close();
}
