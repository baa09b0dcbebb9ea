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
import { pino, type Logger } from "pino";
import { Registry } from "prom-client";
import { parseReturned, renderHandOut } from "../api/hand-out.js";
import { createServer } from "../api/server.js";
import { createCallbackCheck } from "../cluster/callback-guard.js";
import { Seat } from "../cluster/seat.js";
import { ConfigError, helpText, parseConfig, type Config } from "./config.js";
import { restoreCommand } from "./restore.js";
import { shutDown } from "./shutdown.js";

/** Lines that wait because what they go to is full; beyond, new ones are dropped. */
const logBytesMax = 1024 * 1024;
const exitFatal = 70;
const exitConfig = 78;

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
  const registry = new Registry();
  const rules = { limits: config.api.limits, checkCallback: createCallbackCheck(config.node.callback.allow) };
  const removal = new AbortController();
  const node = await Seat.open(config.node, {
    ...{ version, logger, registry, onFatal, render: renderHandOut, onRemoved: () => removal.abort() },
    parseReturned: (id, lock, body) => parseReturned(id, lock, body, rules),
  });
  const server = createServer(node, { ...rules, logger, registry });
  server.listen(config.api.port, config.api.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  logger.info({ event: "serving", api: `http://${config.api.host}:${port}`, pid: process.pid, version }, "serving");

  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ event: "stopping", reason }, "stopping");
    void shutDown(server, node, logger).then(() => process.exit(0), onFatal);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  const leave = () => stop("removed from the cluster");
  if (removal.signal.aborted) leave();
  else removal.signal.addEventListener("abort", leave);
  // Started with an IPC channel (the cluster script): a node does not outlive the one who looks after it.
  process.on("disconnect", () => stop("parent is gone"));
}

process.umask(0o077);
const argv = process.argv.slice(2);
if (argv[0] === "restore") process.exitCode = await restoreCommand(argv.slice(1));
else if (argv.includes("--help")) process.stdout.write(helpText());
else if (argv.includes("--version")) process.stdout.write(`${version}\n`);
else {
  const config = readConfig(argv);
  const { logLevel, node } = config;
  const lines = pino.destination({ dest: 2, sync: true, maxLength: logBytesMax });
  // What the node does must not depend on whether its lines can be written: they often go to the very disk that is full.
  lines.on("error", () => undefined);
  const logger = pino({ level: logLevel, base: { nodeId: node.id } }, lines);
  const onFatal = (error: unknown): never => {
    logger.fatal({ event: "fatal", err: error }, "fatal: the node stops");
    process.exit(exitFatal);
  };
  process.on("uncaughtException", onFatal);
  process.on("unhandledRejection", onFatal);
  await run(config, logger, onFatal).catch(onFatal);
}
