/**
 * The cluster itself: its nodes, its members, its health.
 *
 * Source: protocol §7.
 */
import type { ClusterOut, Json } from "../../api/contract.js";
import { common, json, mutation } from "./request.js";
import type { CallOptions, MutationOptions, Requester } from "./request.js";

export type OperationCalls = ReturnType<typeof operationCalls>;

export function operationCalls(requester: Requester) {
  const { transport } = requester;
  const get = (path: string, options: CallOptions) => transport.send({ method: "GET", path, ...common(options) });
  const change = async (method: "POST" | "DELETE", path: string, body: object | undefined, options: MutationOptions) =>
    json<Json>(await transport.send({ method, path, body, ...mutation(requester, options) }));

  return {
    /** Every node with its role, indexes, lag and clock skew. */
    cluster: async (options: CallOptions = {}): Promise<ClusterOut> => json(await get("/cluster", options)),

    /** Lets a node join that was started for it; the body is that of the API reference. */
    addMember: (member: object, options: MutationOptions = {}) => change("POST", "/cluster/members", member, options),

    /** Removes a node for good. */
    removeMember: (id: string, options: MutationOptions = {}) =>
      change("DELETE", `/cluster/members/${encodeURIComponent(id)}`, undefined, options),

    /** Lets another voter lead. */
    transferLeadership: (to: string, options: MutationOptions = {}) =>
      change("POST", "/cluster/transfer", { To: to }, options),

    /** The bytes of a backup, as they come. */
    async backup(options: { readonly signal?: AbortSignal } = {}): Promise<ReadableStream<Uint8Array>> {
      const { signal } = options;
      const response = await transport.open({ method: "GET", path: "/cluster/backup", signal });
      return response.body ?? new ReadableStream({ start: (controller) => controller.close() });
    },

    /** Resolves when the node that was asked is alive. */
    async health(options: CallOptions = {}): Promise<void> {
      await get("/healthz", options);
    },

    /** Resolves when a node that knows a leader and is caught up has answered. */
    async ready(options: CallOptions = {}): Promise<void> {
      await get("/readyz", options);
    },

    /** Prometheus text of the node that answers. */
    metrics: async (options: CallOptions = {}): Promise<string> => (await get("/metrics", options)).text,

    /** The OpenAPI document of the API. */
    openapi: async (options: CallOptions = {}): Promise<{ readonly [key: string]: Json }> =>
      json(await get("/openapi.json", options)),
  };
}
