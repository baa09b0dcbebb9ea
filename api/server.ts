/**
 * The HTTP server of a node: express wiring, dispatch by method, the one place where errors become answers.
 *
 * Boundary: {@link createServer} is all that the composition root needs. Hardening of the protocol below: http.ts.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import express from "express";
import type { NextFunction, Request, Response } from "express";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Node } from "../cluster/types.js";
import { SlctError } from "../src/errors.js";
import { InvariantError } from "../src/invariant.js";
import { backupIdleMsDefault } from "./backup.js";
import { sendReply } from "./exchange.js";
import type { Api, Handler } from "./exchange.js";
import { defaultHttpOptions, hardenedServer, sendError } from "./http.js";
import type { HttpOptions } from "./http.js";
import { createApiMetrics } from "./metrics.js";
import { HttpRefusal } from "./problem.js";
import { parseQuery } from "./query.js";
import { routes } from "./routes.js";
import type { Method, Route } from "./routes.js";
import type { ApiLimits } from "./rules.js";

export interface ApiOptions {
  readonly limits: ApiLimits;
  readonly logger: Logger;
  readonly registry: Registry;
  /** @throws SlctError `callback_blocked` */
  readonly checkCallback: (uri: string) => void;
  readonly http?: Partial<HttpOptions>;
  /** Pause after which a silent event stream gets a comment; default 15 s. */
  readonly heartbeatMs?: number;
  /** Pause of its reader after which a backup is ended; default 60 s. */
  readonly backupIdleMs?: number;
}

/** A server that is not listening yet. */
export function createServer(node: Node, options: ApiOptions): Server {
  const { limits, logger, registry, checkCallback } = options;
  const { heartbeatMs = 15_000, backupIdleMs = backupIdleMsDefault } = options;
  const metrics = createApiMetrics(registry);
  const api: Api = { node, rules: { limits, checkCallback }, metrics, logger, heartbeatMs, backupIdleMs };
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  for (const route of routes) {
    app.route(route.path).all((req, res, next) => {
      const handler = handlerOf(route, req.method);
      if (route.passes?.includes(req.method as Method)) next();
      else void serve({ api, route: route.path, handler: handler ?? notAllowed(route) }, req, res);
    });
  }
  const unknown = { api, route: "unknown" };
  app.use((req: Request, res: Response) => {
    void serve({ ...unknown, handler: () => Promise.reject(noRoute(req)) }, req, res);
  });
  // Express recognises an error handler by its four parameters. Only its own decoding of the path can fail.
  app.use((error: unknown, req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) return next(error);
    const badPath = new SlctError("bad_id", "The path is not valid percent-encoded UTF-8.");
    void serve({ ...unknown, handler: () => Promise.reject(badPath) }, req, res);
  });
  return hardenedServer(app, { ...defaultHttpOptions, ...options.http, limits, index: () => node.appliedIndex });
}

/** HEAD is a GET whose body is not sent. */
function handlerOf({ methods, takes }: Route, method: string): Handler | undefined {
  if (method === "HEAD") return takes ? undefined : methods.GET;
  return methods[method as Method];
}

interface Service {
  readonly api: Api;
  readonly route: string;
  readonly handler: Handler;
}

/** Answers one request, whatever happens, and counts it. */
async function serve(service: Service, req: Request, res: Response): Promise<void> {
  const { api, route, handler } = service;
  const startedMs = performance.now();
  let code = "ok";
  try {
    const query = parseQuery(req.url);
    const params = req.params as Readonly<Record<string, string>>;
    const reply = await handler({ api, req, res, params, query });
    if (reply) sendReply(res, reply);
  } catch (error) {
    code = error instanceof SlctError || error instanceof HttpRefusal ? error.code : "internal";
    if (code === "internal") report(error, service, req);
    answerError(api, error, req, res);
  }
  const method = knownMethods.has(req.method) ? req.method : "other";
  api.metrics.observe({ route, method, code }, (performance.now() - startedMs) / 1000);
}

const knownMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]);

function answerError(api: Api, error: unknown, req: IncomingMessage, res: ServerResponse): void {
  // A client that went away needs no answer; one that has half of one cannot get another.
  if (res.headersSent) return void res.destroy();
  sendError({ req, res, error, index: api.node.appliedIndex });
}

/** A broken invariant must not end as somebody's 500: it leaves this request and stops the process. */
function report(error: unknown, { api, route }: Service, req: IncomingMessage): void {
  if (error instanceof InvariantError) {
    queueMicrotask(() => {
      throw error;
    });
  }
  api.logger.error({ event: "internal", err: error, route, method: req.method }, "a request failed");
}

function notAllowed({ methods, takes }: Route): Handler {
  const allowed = Object.keys(methods);
  if (methods.GET && !takes) allowed.push("HEAD");
  const Allow = allowed.join(", ");
  return ({ req }) =>
    Promise.reject(
      new HttpRefusal(405, "bad_request", `${req.method ?? ""} is not possible here, only ${Allow}.`, { Allow }),
    );
}

function noRoute(req: IncomingMessage): SlctError {
  const path = req.url?.split("?", 1)[0] ?? "";
  if (emptyName.test(path)) return new SlctError("bad_id", `The path ${path} has an empty name.`);
  return new SlctError("not_found", `There is no route ${path}.`);
}

const emptyName = /^\/(state|channel)\/(\/|$)/;
