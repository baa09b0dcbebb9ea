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

/** What lets requests in. */
export interface Entrance {
  /** Lets no more in. Resolves when those under way have ended or were cut off, within two seconds. */
  close(): Promise<void>;
}

interface Ending {
  /** Bounded: about a second. */
  handOver(): Promise<void>;
  drain(): void;
  close(): Promise<void>;
}

/** Resolves within 4.5 s, closed or not. */
export async function shutDown(entrance: Entrance, node: Ending, logger: Logger): Promise<void> {
  let force: NodeJS.Timeout | undefined;
  const forced = new Promise<true>((resolve) => (force = setTimeout(resolve, stopMs, true)));
  const whole = await Promise.race([close(entrance, node), forced]);
  clearTimeout(force);
  if (whole === true) logger.warn({ event: "stopped", forced: true }, "stopped without a last flush of the records");
  else logger.info({ event: "stopped" }, "stopped");
}

async function close(entrance: Entrance, node: Ending): Promise<void> {
  // While it still answers: requests that came in are applied under the next leader.
  await node.handOver();
  const closed = entrance.close();
  node.drain();
  await closed;
  await node.close();
}

/** As {@link Entrance.close}, of a server in this process. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  // A connection that was kept alive for another request would hold the server open.
  const sweeper = setInterval(() => server.closeIdleConnections(), sweepMs);
  const patience = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearInterval(sweeper);
  clearTimeout(patience);
}
