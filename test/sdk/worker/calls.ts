/**
 * Plays the part of the service that calls: hands a state out, signs the call as a node does, stores what is answered.
 */
import { parseSecret, webhookHeaders, webhookId } from "../../../cluster/webhook.js";
import type { PutBody, StateOut } from "../../../api/contract.js";
import type { Handler } from "../../../sdk/sdk.js";
import type { TestCluster } from "../../../sdk/testing.js";

export const secret = `whsec_${Buffer.alloc(32, "s").toString("base64")}`;
export const otherSecret = `whsec_${Buffer.alloc(32, "o").toString("base64")}`;

/** @param atMs when it is signed */
export function signedCall(state: StateOut, secrets: readonly string[], atMs: number): Request {
  const body = JSON.stringify(state);
  const id = webhookId(state.ID, state.Version);
  const headers = webhookHeaders({ id, atMs, body: Buffer.from(body), secrets: secrets.map(parseSecret) });
  return new Request("http://app/slct", { method: "POST", body, headers });
}

/** One hand-out, put back if the answer is a state. */
export async function callOnce(cluster: TestCluster, handler: Handler, id: string): Promise<number> {
  const state = await cluster.client.takeLock(id);
  const response = await handler(signedCall(state, [secret], cluster.time.now()));
  if (response.status === 200) {
    const body = (await response.json()) as PutBody<unknown>;
    await cluster.client.putState(id, { ...body, Lock: state.Lock });
  }
  return response.status;
}

/** As long as there is something to call for. */
export async function callAll(cluster: TestCluster, handler: Handler, id: string): Promise<number[]> {
  const seen: number[] = [];
  const callsMax = 100;
  for (let n = 0; n < callsMax; n++) {
    await cluster.untilQuiescent();
    if ((await cluster.client.getState(id)).Status !== "pending") return seen;
    seen.push(await callOnce(cluster, handler, id));
  }
  throw new Error(`${id} is pending after ${callsMax} calls`);
}
