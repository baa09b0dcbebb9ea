/**
 * What the nodes of a cluster say of themselves over HTTP, for scripts that wait for it.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ClusterOut, NodeOut } from "../api/contract.js";

const requestMs = 2000;
const stepMs = 50;

/** Whether the node knows a leader and is caught up. */
export async function isReady(api: string): Promise<boolean> {
  const response = await get(`${api}/readyz`);
  return response?.status === 200;
}

/** Every member as the node at `api` sees it; undefined when it does not answer. */
export async function readCluster(api: string): Promise<readonly NodeOut[] | undefined> {
  const response = await get(`${api}/cluster`);
  if (response?.status !== 200) return undefined;
  return (JSON.parse(response.body) as ClusterOut).Nodes;
}

export async function leaderAt(api: string): Promise<string | undefined> {
  const nodes = await readCluster(api);
  return nodes?.find(({ Role }) => Role === "leader")?.ID;
}

/**
 * Asks until there is an answer, every 50 ms.
 * @returns undefined when there is none within `withinMs`
 */
export async function poll<T>(ask: () => Promise<T | undefined>, withinMs: number): Promise<T | undefined> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined || performance.now() > end) return answer;
    await pause(stepMs);
  }
}

async function get(url: string): Promise<{ status: number; body: string } | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(requestMs) });
    return { status: response.status, body: await response.text() };
  } catch {
    // Not there yet, or not there any more: the caller asks again.
    return undefined;
  }
}
