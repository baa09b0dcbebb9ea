/**
 * The ingress of one PUT alone, in a process of its own: `bare` is Node's HTTP server that reads a body and answers, `api`
 * is ours before a node that commits at once. Tells its port, then its CPU time whenever it is asked.
 */
import { once } from "node:events";
import { createServer as createBareServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { Registry } from "prom-client";
import { defaultLimits } from "../../api/rules.js";
import { createServer } from "../../api/server.js";
import type { Committed, Node } from "../../cluster/types.js";
import type { Command } from "../../src/select/command.js";
import { loopback } from "../free-ports.js";

const answer = {
  kind: "put",
  created: true,
  status: "waiting",
  version: 1,
  createdAtMs: 1e12,
  updatedAtMs: 1e12,
} as const;

function bare(): Server {
  const body = JSON.stringify({ ID: "id", Status: "waiting", Version: 1, CreatedAt: 1e9, UpdatedAt: 1e9 });
  return createBareServer((req, res) => {
    req.on("data", () => undefined);
    req.on("end", () => {
      res.writeHead(201, { "Content-Type": "application/json", "Content-Length": body.length });
      res.end(body);
    });
  });
}

function api(): Server {
  let index = 0;
  const submit = (command: Command): Promise<Committed> => {
    const id = "id" in command ? String(command.id) : "";
    return Promise.resolve({ index: ++index, outcome: { ok: true, answer: { ...answer, id } } });
  };
  // What a PUT needs of a node, and nothing else.
  const node = { id: "n1", appliedIndex: 1, submit } as Partial<Node> as Node;
  const checkCallback = () => undefined;
  return createServer(node, {
    ...{ limits: defaultLimits, registry: new Registry(), checkCallback },
    logger: pino({ level: "silent" }),
  });
}

const server = process.argv[2] === "api" ? api() : bare();
server.listen(0, loopback);
await once(server, "listening");
process.send?.((server.address() as AddressInfo).port);
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.on("disconnect", () => process.exit(0));
