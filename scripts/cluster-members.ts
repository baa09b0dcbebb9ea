/**
 * Lets a node into a running local cluster, or takes one out: `cluster.json` and the cluster itself.
 */
import { addMember, dropMember, type ClusterFile, type ClusterMember } from "./cluster-file.js";
import { poll } from "./cluster-status.js";
import { loopback } from "./free-ports.js";
import { apiOf } from "./node-process.js";

const requestMs = 15_000;
const withinMs = 30_000;

/** The member as it stands in `cluster.json` from now on. Its node may be started; the cluster does not know it yet. */
export async function prepareMember(dir: string, cluster: ClusterFile, id: string): Promise<ClusterMember> {
  const found = cluster.members.find((one) => one.id === id);
  if (found !== undefined && found.joined === undefined)
    throw new Error(`node ${id} is one of those the cluster began with`);
  return found ?? addMember(dir, cluster, id);
}

/** @throws Error when no node lets it in */
export async function letIn(cluster: ClusterFile, member: ClusterMember): Promise<void> {
  const body = { ID: member.id, Peer: `${member.host ?? loopback}:${member.peerPort}`, API: apiOf(member) };
  await ask(others(cluster, member.id), "POST", "/cluster/members", body);
}

/**
 * Removes the node for good, from the cluster and then from `cluster.json`; if it was never let in, only from there.
 * @throws Error when that is refused
 */
export async function takeOut(dir: string, cluster: ClusterFile, id: string): Promise<void> {
  await ask(others(cluster, id), "DELETE", `/cluster/members/${id}`);
  dropMember(dir, cluster, id);
}

function others(cluster: ClusterFile, id: string): string[] {
  return cluster.members.filter((one) => one.id !== id).map(apiOf);
}

/** Asks one after the other until somebody decides. Repeating does no harm. */
async function ask(apis: readonly string[], method: string, path: string, body?: object): Promise<void> {
  let last = "nobody answers";
  const done = await poll(async () => {
    for (const api of apis) {
      const answer = await request(`${api}${path}`, method, body);
      if (answer === undefined) continue;
      if (answer.status < 300 || (method === "DELETE" && answer.status === 404)) return true;
      last = answer.text;
      if (answer.status < 500) throw new Error(`${method} ${path}: ${answer.status} ${last}`);
    }
    return undefined;
  }, withinMs);
  if (done === undefined) throw new Error(`${method} ${path}: ${last}`);
}

async function request(
  url: string,
  method: string,
  body: object | undefined,
): Promise<{ status: number; text: string } | undefined> {
  try {
    const response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(requestMs),
      ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    // Down, or gone while it was asked: the next one.
    return undefined;
  }
}
