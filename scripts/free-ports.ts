/**
 * Free ports of the loopback address, outside the range that the system hands to outgoing connections.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

export const loopback = "127.0.0.1";
const lowest = 10_000;
const highest = 60_000;
const enough = 1000;
const triesMax = 10_000;

/** Whether nothing listens on the port of the loopback address. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: loopback, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Ports that are kept for good must not be ones that the system hands to outgoing connections: a node that is down for
 * a while would find its port taken.
 */
export async function freePorts(count: number, taken: ReadonlySet<number>): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > triesMax) throw new Error("found no free ports for the peers");
    const port = anyPort();
    if (taken.has(port) || ports.includes(port)) continue;
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** The first of `count` consecutive free ports. */
export async function freeRun(count: number): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const first = anyPort();
    const run = Array.from({ length: count }, (_, n) => first + n);
    if ((await Promise.all(run.map(isFree))).every((free) => free)) return first;
  }
  throw new Error(`found no ${count} consecutive free ports`);
}

/** Some port outside the ephemeral range; any port where that range leaves too few. */
function anyPort(): number {
  const [low, high] = ephemeralRange();
  const below = Math.max(0, Math.min(low, highest) - lowest);
  const above = Math.max(0, highest - Math.max(high + 1, lowest));
  if (below + above < enough) return lowest + Math.floor(Math.random() * (highest - lowest));
  const drawn = Math.floor(Math.random() * (below + above));
  return drawn < below ? lowest + drawn : Math.max(high + 1, lowest) + drawn - below;
}

function ephemeralRange(): [low: number, high: number] {
  try {
    const [low, high] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
    if (low !== undefined && high !== undefined && low <= high) return [low, high];
  } catch {
    // Not Linux: the range of IANA and, below it, the widest default there is.
  }
  return [32_768, 65_535];
}
