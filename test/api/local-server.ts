/**
 * The API over a {@link LocalNode}, listening on a free port of the loopback.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { Registry } from "prom-client";
import { defaultLimits } from "../../api/rules.js";
import { createServer } from "../../api/server.js";
import type { ApiOptions } from "../../api/server.js";
import type { Node } from "../../cluster/types.js";
import { SlctError } from "../../src/errors.js";
import { behindLine } from "../ingress/loop.js";
import { openLocalNode } from "./local-node.js";
import type { LocalNode } from "./local-node.js";

export interface LocalServer {
  readonly node: LocalNode;
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** Lines that were logged. */
  readonly logged: readonly string[];
  close(): Promise<void>;
}

/** Limits so tight that a test reaches each of them at once. */
export const tightOptions = {
  limits: { ...defaultLimits, bodyBytesMax: 10_000, bodyBytesSoft: 5_000, receiveTimeoutMs: 400 },
  http: {
    ...{ headersTimeoutMs: 200, checkingIntervalMs: 50, keepAliveTimeoutMs: 100 },
    ...{ requestsPerSocketMax: 500, lingerMs: 100 },
  },
} satisfies Partial<ApiOptions>;

/** What the API is given for the node. */
export type Front = (node: Node) => Promise<{ readonly node: Node; close(): void }>;

const itself: Front = (node) => Promise.resolve({ node, close: () => undefined });

/** Where the API can be: with the node, or in a worker. */
export const fronts: readonly (readonly [name: string, front: Front])[] = [
  ["in the process of the node", itself],
  ["in a worker", behindLine],
];

export async function startLocalServer(options: Partial<ApiOptions> = {}, front: Front = itself): Promise<LocalServer> {
  const registry = new Registry();
  const node = openLocalNode(() => registry.metrics());
  const shown = await front(node);
  const logged: string[] = [];
  const server = createServer(shown.node, {
    limits: defaultLimits,
    logger: pino({ level: "info" }, { write: (line) => void logged.push(line) }),
    registry,
    checkCallback,
    ...options,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...{ node, server, port, logged, url: `http://127.0.0.1:${port}` },
    close: async () => {
      node.close();
      shown.close();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** As a cluster that allows loopback: the rules themselves are the guard's and tested there. */
function checkCallback(uri: string): void {
  if (!uri.startsWith("http://127.0.0.1")) throw new SlctError("callback_blocked", "This address may not be called.");
}
