/**
 * What an operator does to the members of a running cluster, past everything that is broken, and again until it is done.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { apiOf } from "../scripts/node-process.js";
import { loopback } from "../scripts/free-ports.js";
import type { ChaosCluster } from "./cluster.js";

const stepMs = 100;
const requestMs = 15_000;
/** For one change, faults included. */
const changeMsMax = 240_000;
const transferMsMax = 20_000;

/** Lets one more node in and waits until it votes. @returns its id */
export async function grow(cluster: ChaosCluster): Promise<string> {
  const member = await cluster.seatJoining();
  const { id, host = loopback, peerPort } = member;
  cluster.launch(id);
  await ask(cluster, "POST", "/cluster/members", { ID: id, Peer: `${host}:${peerPort}`, API: apiOf(member) });
  // Whatever else goes on may end it.
  await repeated(`${id} to vote`, async () => {
    cluster.launch(id);
    return (await cluster.status(id))?.Voter === true;
  });
  return id;
}

/** Takes the node out for good, whether it runs or not. */
export async function evict(cluster: ChaosCluster, id: string): Promise<void> {
  await ask(cluster, "DELETE", `/cluster/members/${id}`);
  await cluster.retire(id);
}

/** @returns whether it worked: the other may be down, or behind */
export async function handOver(cluster: ChaosCluster, to: string): Promise<boolean> {
  const endMs = performance.now() + transferMsMax;
  while (performance.now() < endMs) {
    for (const api of cluster.directApis()) {
      const status = await request(`${api}/cluster/transfer`, "POST", { To: to });
      if (status === 200) return true;
    }
    await pause(stepMs);
  }
  return false;
}

/** All three may be repeated: what is done already succeeds. */
async function ask(cluster: ChaosCluster, method: string, path: string, body?: object): Promise<void> {
  await repeated(`${method} ${path}`, async () => {
    for (const api of cluster.directApis()) {
      const status = await request(`${api}${path}`, method, body);
      if (status !== undefined && (status < 300 || (method === "DELETE" && status === 404))) return true;
    }
    return false;
  });
}

/** @throws Error when it is not done in four minutes */
async function repeated(what: string, attempt: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + changeMsMax;
  while (!(await attempt())) {
    if (performance.now() > endMs) throw new Error(`${what}: not done in ${changeMsMax / 1000} s`);
    await pause(stepMs);
  }
}

/** The status; undefined when there was no answer. */
async function request(url: string, method: string, body?: object): Promise<number | undefined> {
  try {
    const init = { method, signal: AbortSignal.timeout(requestMs) };
    const json = { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await fetch(url, body === undefined ? init : { ...init, ...json });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}
