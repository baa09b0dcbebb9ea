/**
 * Endpoints that fail, answers that are lost, waits that are broken off.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createClient, isSlctError, SlctError, type Client, type Fetch } from "../../../sdk/client.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

interface Sent {
  readonly host: string;
  readonly requestId: string | null;
}

/** A client whose hosts behave as told; what they let through goes to the cluster. */
function clientOf(
  hosts: Record<string, (attempt: number) => Response | Error | undefined>,
  options: { timeoutMs?: number; attemptTimeoutMs?: number } = {},
): { client: Client; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: Fetch = (input, init) => {
    const { host } = new URL(input);
    sent.push({ host, requestId: new Headers(init.headers).get("request-id") });
    const answer = hosts[host]?.(sent.filter((one) => one.host === host).length);
    if (answer instanceof Error) return Promise.reject(answer);
    return answer ? Promise.resolve(answer) : cluster.fetch(input, init);
  };
  const retry = { timeoutMs: 1000, pauseMs: 1, pauseMaxMs: 2, ...options };
  const client = createClient({
    endpoints: Object.keys(hosts).map((host) => `http://${host}/`),
    fetch,
    random: () => 0,
    retry,
  });
  return { client, sent };
}

const refused = () => new TypeError("fetch failed");

function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = JSON.stringify({ type: `/problems/${code}`, title: code, status, code });
  return new Response(body, { status, headers: { "content-type": "application/problem+json", ...headers } });
}

describe("failover", () => {
  test("goes to the next endpoint at once and stays there", async () => {
    const { client, sent } = clientOf({
      a: refused,
      b: () => problem(503, "no_leader", { "retry-after": "9" }),
      c: () => undefined,
    });
    await client.health();
    await client.health();
    expect(sent.map(({ host }) => host)).toEqual(["a", "b", "c", "c"]);
  });

  test("every try of a mutation has the same Request-Id, every mutation its own", async () => {
    const { client, sent } = clientOf({ a: (n) => (n < 3 ? refused() : undefined) });
    await client.putState("x", {});
    await client.putState("y", {});
    const [first, second, third, other] = sent.map(({ requestId }) => requestId);
    expect([second, third]).toEqual([first, first]);
    expect(other).not.toBe(first);
    expect(first).toMatch(/^[0-9a-f]{24}-1$/);
  });

  test("a lost answer loses no message and sends none twice", async () => {
    await cluster.client.makeChannel("jobs", 10);
    let losses = 2;
    cluster.onRequest = ({ path }) => (path.startsWith("/channel/jobs/") && losses-- > 0 ? "lose" : undefined);
    await cluster.client.send("jobs", 1);
    expect((await cluster.client.getChannel("jobs")).Values).toBe(1);
    losses = 2;
    expect(await cluster.client.recv("jobs")).toEqual({ ok: true, value: 1 });
    expect((await cluster.client.getChannel("jobs")).Values).toBe(0);
  });

  test("waits as long as Retry-After says once all have refused", async () => {
    const client = cluster.newClient({
      fetch: (input, init) =>
        cluster.time.now() < begin + 3000
          ? Promise.resolve(problem(503, "overloaded", { "retry-after": "3" }))
          : cluster.fetch(input, init),
    });
    const begin = cluster.time.now();
    const healthy = client.health().then(() => cluster.time.now() - begin);
    await cluster.advance("2999ms");
    await cluster.advance("1ms");
    expect(await healthy).toBe(3000);
  });

  test("gives up at its deadline with the last error", async () => {
    const { client } = clientOf({ a: refused }, { timeoutMs: 20 });
    const error = await client.health().catch((thrown: unknown) => thrown);
    expect(isSlctError(error, "unreachable")).toBe(true);
    expect((error as SlctError).cause).toBeInstanceOf(TypeError);
  });

  test("one try if told so", async () => {
    const { client, sent } = clientOf({ a: refused, b: () => undefined });
    await expect(client.health({ retry: false })).rejects.toMatchObject({ code: "unreachable" });
    expect(sent.length).toBe(1);
  });

  test("an attempt that takes too long is broken off", async () => {
    const { client, sent } = clientOf({ a: () => undefined }, { timeoutMs: 30, attemptTimeoutMs: 5 });
    const hanging = createHanging();
    await expect(hanging.health()).rejects.toMatchObject({ code: "timeout" });
    await client.health();
    expect(sent.length).toBe(1);
  });
});

/** Its only endpoint takes requests and never answers. */
function createHanging(): Client {
  return createClient({
    endpoints: "http://a",
    fetch: (_, { signal }) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted")))),
    retry: { timeoutMs: 20, attemptTimeoutMs: 5, pauseMs: 1 },
  });
}

describe("errors", () => {
  test("have code, status and details of the problem document", async () => {
    await cluster.client.putState("a", {});
    const error = await cluster.client.putState("a", {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SlctError);
    expect(error).toMatchObject({ name: "SlctError", code: "lock_error", status: 409, details: { reason: "exists" } });
    expect((error as SlctError).details).not.toHaveProperty("title");
  });

  test("an answer that is not the service's is told apart, and tried again if it may be a proxy's", async () => {
    const { client, sent } = clientOf({
      a: (n) => (n === 1 ? new Response("busy", { status: 502 }) : new Response("?", { status: 404 })),
    });
    await expect(client.health()).rejects.toMatchObject({ code: "bad_answer", status: 404 });
    expect(sent.length).toBe(2);
  });
});

describe("abort", () => {
  test("ends a wait with the reason of the signal, and takes nothing along", async () => {
    const controller = new AbortController();
    const received = cluster.client.recv("jobs", { wait: "30s", signal: controller.signal });
    await cluster.untilQuiescent();
    expect((await cluster.client.getChannel("jobs")).Receivers).toBe(1);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(received).rejects.toBe(reason);
    await cluster.untilQuiescent();
    await expect(cluster.client.getChannel("jobs")).rejects.toMatchObject({ code: "not_found" });
  });

  test("ends a pause between two tries", async () => {
    const controller = new AbortController();
    const client = cluster.newClient({ fetch: () => Promise.reject(refused()) });
    const asked = client.health({ signal: controller.signal });
    await cluster.untilQuiescent();
    controller.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
  });

  test("nothing is sent when it is too late", async () => {
    const { client, sent } = clientOf({ a: () => undefined });
    await expect(client.health({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    expect(sent).toEqual([]);
  });
});

describe("freshness", () => {
  test("a session carries what it has seen, others do not", async () => {
    const asked: (string | null)[] = [];
    const fetch: Fetch = (input, init) => {
      asked.push(new Headers(init.headers).get("slct-min-index"));
      return cluster.fetch(input, init);
    };
    const session = cluster.newClient({ fetch, freshness: "session" });
    await session.putState("a", {});
    await session.getState("a", { stale: true });
    await cluster.newClient({ fetch }).getState("a");
    expect(asked).toEqual([null, String(session.index), null]);
    expect(session.index).toBeGreaterThan(1);
  });

  test("an index may be asked for", async () => {
    const client = cluster.newClient({ retry: { timeoutMs: 0 } });
    await expect(client.getState("a", { minIndex: 1e9 })).rejects.toMatchObject({ code: "timeout", status: 504 });
  });
});
