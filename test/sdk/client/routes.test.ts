/**
 * The client has a method for every route that the service has, and each one asks for what it says.
 */
import { afterAll, expect, expectTypeOf, test } from "vitest";
import { createClient, type Client, type Fetch } from "../../../sdk/client.js";
import { createTestCluster } from "../../../sdk/testing.js";

/** By `METHOD path` as in /openapi.json; the last test rewrites it in its failure if the document has grown. */
const routes = {
  "GET /state/poll": "poll",
  "GET /state/{id}": "getState",
  "PUT /state/{id}": "putState",
  "PATCH /state/{id}": "patchState",
  "DELETE /state/{id}": "deleteState",
  "POST /state/{id}/lock": "takeLock",
  "DELETE /state/{id}/lock": "unlockState",
  "GET /state": "listStates",
  "PUT /state/{id}/pause": "pauseState",
  "PUT /state/{id}/resume": "resumeState",
  "GET /channel": "listChannels",
  "GET /channel/{chan}": "getChannel",
  "PUT /channel/{chan}": "makeChannel",
  "DELETE /channel/{chan}": "deleteChannel",
  "POST /channel/{chan}/close": "closeChannel",
  "POST /channel/{chan}/send": "send",
  "POST /channel/{chan}/recv": "recv",
  "POST /select": "select",
  "GET /events": "listEvents",
  "GET /cluster": "cluster",
  "POST /cluster/members": "addMember",
  "DELETE /cluster/members/{node}": "removeMember",
  "POST /cluster/transfer": "transferLeadership",
  "GET /cluster/backup": "backup",
  "GET /healthz": "health",
  "GET /readyz": "ready",
  "GET /metrics": "metrics",
  "GET /openapi.json": "openapi",
} as const satisfies Record<string, keyof Client>;

type Route = keyof typeof routes;

const cluster = createTestCluster();
afterAll(() => cluster.close());

/** One call of each. */
const calls: Record<Route, (client: Client) => Promise<unknown>> = {
  "GET /state/poll": (client) => client.poll(),
  "GET /state/{id}": (client) => client.getState("a"),
  "PUT /state/{id}": (client) => client.putState("a", {}),
  "PATCH /state/{id}": (client) => client.patchState("a", { Lock: "x" }),
  "DELETE /state/{id}": (client) => client.deleteState("a"),
  "POST /state/{id}/lock": (client) => client.takeLock("a"),
  "DELETE /state/{id}/lock": (client) => client.unlockState("a", "x"),
  "GET /state": (client) => client.listStates(),
  "PUT /state/{id}/pause": (client) => client.pauseState("a"),
  "PUT /state/{id}/resume": (client) => client.resumeState("a"),
  "GET /channel": (client) => client.listChannels(),
  "GET /channel/{chan}": (client) => client.getChannel("c"),
  "PUT /channel/{chan}": (client) => client.makeChannel("c", 1),
  "DELETE /channel/{chan}": (client) => client.deleteChannel("c"),
  "POST /channel/{chan}/close": (client) => client.closeChannel("c"),
  "POST /channel/{chan}/send": (client) => client.send("c", 1),
  "POST /channel/{chan}/recv": (client) => client.recv("c"),
  "POST /select": (client) => client.select({}),
  "GET /events": (client) => client.listEvents(),
  "GET /cluster": (client) => client.cluster(),
  "POST /cluster/members": (client) => client.addMember({}),
  "DELETE /cluster/members/{node}": (client) => client.removeMember("n9"),
  "POST /cluster/transfer": (client) => client.transferLeadership("n2"),
  "GET /cluster/backup": (client) => client.backup(),
  "GET /healthz": (client) => client.health(),
  "GET /readyz": (client) => client.ready(),
  "GET /metrics": (client) => client.metrics(),
  "GET /openapi.json": (client) => client.openapi(),
};

test.each(Object.entries(calls))("%s is asked for", async (route, call) => {
  let asked = "";
  const fetch: Fetch = (input, { method }) => {
    asked = `${method} ${new URL(input).pathname}`;
    return Promise.resolve(Response.json([], { headers: { "slct-index": "1" } }));
  };
  // Only what is asked counts here: some cannot read this answer.
  await call(createClient({ endpoints: "http://nowhere", fetch, retry: { timeoutMs: 0 } })).catch(() => undefined);
  expect(
    asked.replace("/a", "/{id}").replace("/c/", "/{chan}/").replace(/\/c$/, "/{chan}").replace("n9", "{node}"),
  ).toBe(route);
});

test("every route of the running service is covered", async () => {
  const { paths } = (await cluster.client.openapi()) as unknown as { paths: Record<string, Record<string, unknown>> };
  const served = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(served.length).toBeGreaterThan(20);
  expect(served.filter((route) => !(route in routes))).toEqual([]);
});

test("all of them are methods", () => {
  expectTypeOf<Client[(typeof routes)[Route]]>().toBeFunction();
  for (const name of Object.values(routes)) expect(typeof cluster.client[name], name).toBe("function");
});
