/**
 * Composition root of a worker: configuration → line to the core → API. The node forks it, with its own flags and variables
 * (ingress/pool.ts), and it does not outlive the node: when the line is gone, so is the worker.
 *
 * Exit codes: 0 when the node let go or is gone, 70 when something broke.
 */
import cluster from "node:cluster";
import { once } from "node:events";
import { Socket, type AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { defaultHttpOptions } from "../api/http.js";
import { createServer } from "../api/server.js";
import { createCallbackCheck } from "../cluster/callback-guard.js";
import type { CoreCalls, WorkerCalls } from "../ingress/calls.js";
import { closeBeyond } from "../ingress/connections.js";
import { Line } from "../ingress/line.js";
import { lineFd } from "../ingress/pool.js";
import { RemoteNode } from "../ingress/remote-node.js";
import { parseConfig } from "./config.js";
import { openLog, stopOn } from "./process.js";
import { closeServer } from "./shutdown.js";

const { node, api, logLevel } = parseConfig({ argv: process.argv.slice(2), env: process.env });
const logger = openLog(logLevel, { nodeId: node.id, worker: cluster.worker?.id });
stopOn(logger, "the worker stops");
// A terminal and a supervisor signal every process: when it is time, the node says so.
process.on("SIGTERM", () => undefined);
process.on("SIGINT", () => undefined);

const registry = new Registry();
const line = new Line<CoreCalls, WorkerCalls>(new Socket({ fd: lineFd }), {
  holdsBack: false,
  onClose: () => process.exit(0),
  answers: {
    listen: async (_, port) => {
      server.listen(port, api.host);
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    },
    metrics: () => registry.getMetricsAsJSON(),
    drain: () => closeServer(server),
  },
});
const server = createServer(new RemoteNode(node.id, line), {
  ...{ limits: api.limits, checkCallback: createCallbackCheck(node.callback.allow), logger, registry },
  http: { connectionsMax: Infinity },
});
// The limit is the node's: its workers share it.
closeBeyond(server, Math.ceil(defaultHttpOptions.connectionsMax / api.workers));
