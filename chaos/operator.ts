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

/** What became of a node that was let in; as words for the record of the run. */
export interface Grown {
  readonly id: string;
  readonly outcome: "votes" | "was taken out again";
}

/** Lets one more node in and waits until it votes, or until another change takes it out. */
export async function grow(cluster: ChaosCluster): Promise<Grown> {
  const member = await cluster.seatJoining();
  const { id, host = loopback, peerPort } = member;
  const isGone = () => !cluster.ids.includes(id);
  cluster.launch(id);
  const body = { ID: id, Peer: `${host}:${peerPort}`, API: apiOf(member) };
  await repeated(`${id} to be let in`, async () => isGone() || ask(cluster, "POST", "/cluster/members", body));
  // Whatever else goes on may end it.
  await repeated(`${id} to vote`, async () => {
    cluster.launch(id);
    return isGone() || (await cluster.status(id))?.Voter === true;
  });
  if (!isGone()) return { id, outcome: "votes" };
  // It may have been let in after it was taken out.
  await removeMember(cluster, id);
  return { id, outcome: "was taken out again" };
}

/** Takes the node out for good, whether it runs or not. */
export async function evict(cluster: ChaosCluster, id: string): Promise<void> {
  await removeMember(cluster, id);
  await cluster.retire(id);
}

async function removeMember(cluster: ChaosCluster, id: string): Promise<void> {
  const path = `/cluster/members/${id}`;
  await repeated(`DELETE ${path}`, () => ask(cluster, "DELETE", path));
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

/** All three may be repeated: what is done already succeeds. @returns whether a node did it */
async function ask(cluster: ChaosCluster, method: string, path: string, body?: object): Promise<boolean> {
  for (const api of cluster.directApis()) {
    const status = await request(`${api}${path}`, method, body);
    if (status !== undefined && (status < 300 || (method === "DELETE" && status === 404))) return true;
  }
  return false;
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
