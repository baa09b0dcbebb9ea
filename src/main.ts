#!/usr/bin/env node
/**
 * Composition root: configuration → node → API → signals. The only file that knows all folders.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, and when the node was removed from the cluster; 70 when storage or an invariant
 * broke or the start failed; 78 for a wrong configuration. Log lines are JSON on stderr. `slct restore`: src/restore.ts.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import { parseReturned, renderHandOut } from "../api/hand-out.js";
import { createServer, type ApiOptions } from "../api/server.js";
import { createCallbackCheck } from "../cluster/callback-guard.js";
import { Seat } from "../cluster/seat.js";
import { WorkerPool } from "../ingress/pool.js";
import type { Node } from "../cluster/types.js";
import { ConfigError, helpText, parseConfig, type Config } from "./config.js";
import { openLog, stopOn } from "./process.js";
import { restoreCommand } from "./restore.js";
import { closeServer, shutDown, type Entrance } from "./shutdown.js";

const exitConfig = 78;

const workerFile = fileURLToPath(new URL("./ingress.js", import.meta.url));
const packageFile = new URL("../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { version: string };

function readConfig(argv: readonly string[]): Config {
  try {
    return parseConfig({ argv, env: process.env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(exitConfig);
  }
}

async function run(config: Config, logger: Logger, onFatal: (error: unknown) => never): Promise<void> {
  const { host, port, workers } = config.api;
  const registry = new Registry();
  const rules = { limits: config.api.limits, checkCallback: createCallbackCheck(config.node.callback.allow) };
  const removal = new AbortController();
  const pool = new WorkerPool({ file: workerFile, args: process.argv.slice(2), size: workers, registry, logger });
  const node = await Seat.open(config.node, {
    ...{ version, logger, registry, onFatal, render: renderHandOut, onRemoved: () => removal.abort() },
    ...(workers > 0 && { scrape: () => pool.metrics() }),
    parseReturned: (id, lock, body) => parseReturned(id, lock, body, rules),
  });
  const entrance =
    workers === 0 ? await serve(node, config, { ...rules, logger, registry }) : await pool.open(node, port);
  const api = `http://${host}:${entrance.port}`;
  logger.info({ event: "serving", api, workers, pid: process.pid, version }, "serving");

  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ event: "stopping", reason }, "stopping");
    void shutDown(entrance, node, logger).then(() => process.exit(0), onFatal);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  const leave = () => stop("removed from the cluster");
  if (removal.signal.aborted) leave();
  else removal.signal.addEventListener("abort", leave);
  // Started with an IPC channel (the cluster script): a node does not outlive the one who looks after it.
  process.on("disconnect", () => stop("parent is gone"));
}

/** In this process. */
async function serve(node: Node, { api }: Config, options: ApiOptions): Promise<Entrance & { readonly port: number }> {
  const server = createServer(node, options);
  server.listen(api.port, api.host);
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

process.umask(0o077);
const argv = process.argv.slice(2);
if (argv[0] === "restore") process.exitCode = await restoreCommand(argv.slice(1));
else if (argv.includes("--help")) process.stdout.write(helpText());
else if (argv.includes("--version")) process.stdout.write(`${version}\n`);
else {
  const config = readConfig(argv);
  const logger = openLog(config.logLevel, { nodeId: config.node.id });
  const onFatal = stopOn(logger, "the node stops");
  await run(config, logger, onFatal).catch(onFatal);
}
