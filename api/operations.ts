/**
 * What operators and probes ask for.
 *
 * Source: protocol §7.
 */
import { SlctError } from "../src/errors.js";
import { json } from "./exchange.js";
import type { Exchange, Reply } from "./exchange.js";
import { openapiDocument } from "./openapi.js";
import { clusterOut } from "./wire-out.js";

export async function getCluster({ api }: Exchange): Promise<Reply> {
  return json(200, clusterOut(await api.node.cluster()), api.node.appliedIndex);
}

/** The process is alive: that of the node, which says so by answering, whatever the answer. */
export async function getHealth({ api }: Exchange): Promise<Reply> {
  await api.node.ready();
  return json(200, { Alive: true }, api.node.appliedIndex);
}

/** The node knows a leader and is caught up. */
export async function getReady({ api }: Exchange): Promise<Reply> {
  if (!(await api.node.ready())) throw new SlctError("no_leader", "This node knows no leader or is not caught up.");
  return json(200, { Ready: true }, api.node.appliedIndex);
}

export async function getMetrics({ api }: Exchange): Promise<Reply> {
  return {
    status: 200,
    body: await api.node.metrics(),
    type: "text/plain; version=0.0.4; charset=utf-8",
    headers: { "Slct-Index": String(api.node.appliedIndex) },
  };
}

const openapiText = Buffer.from(JSON.stringify(openapiDocument()));

export function getOpenapi({ api }: Exchange): Promise<Reply> {
  return Promise.resolve({
    status: 200,
    body: openapiText,
    headers: { "Slct-Index": String(api.node.appliedIndex) },
  });
}
