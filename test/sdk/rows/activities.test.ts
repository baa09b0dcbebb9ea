/**
 * Rows T: activities, as their document has them (docs/sdk/rows.md). The others are in test/sdk/worker/activity.test.ts.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient } from "../../../sdk/client.js";
import { activity, implement, process, worker, type Failure, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { until } from "../process/running.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

/** Runs a process, on a worker without any activity. */
async function run<T>(code: (p: ProcessContext) => PromiseLike<T>, key = "1") {
  const definition = process<null, T>(`row-${key}`, { version: 1 }, code);
  cluster.worker({ processes: [definition] });
  const started = await cluster.client.start(definition, null, { id: key });
  return { id: started.id, result: () => cluster.client.result(started) };
}

test("T1 an activity is one task of a process and may do anything: network, clock, chance", async () => {
  const server = createServer((_, res) => res.end("from outside"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const fetchPage = activity<string, { text: string; at: number; chance: number }>("web", "fetch");
  const doing = implement(fetchPage, async (url, { signal }) => {
    const text = await (await fetch(url, { signal })).text();
    return { text, at: Date.now(), chance: Math.random() };
  });
  cluster.worker({ activities: [doing] });
  const { result } = await run(async (p) => {
    const pages = [1, 2].map((n) => p.call(fetchPage, `http://127.0.0.1:${port}/${n}`));
    return [await pages[0], await pages[1]].map((page) => page?.text);
  });
  expect(await result()).toEqual(["from outside", "from outside"]);
  await new Promise((resolve) => server.close(resolve));
});

test("T4 any JSON in and out; what is none is refused, on both sides", async () => {
  const values = [null, true, 1.5, "ö\u0000", [], {}, { deep: [{ n: [1, [2, [3]]] }] }, ["x", null]];
  const echo = activity<unknown, unknown>("json", "echo");
  const big = activity<null, unknown>("json", "big");
  const nothing = activity("json", "nothing");
  cluster.worker({
    activities: [implement(echo, (value) => value), implement(big, () => 1n), implement(nothing, () => undefined)],
  });
  const { result } = await run(async (p) => {
    const all = [];
    for (const value of values) all.push(await p.call(echo, value));
    return { all, nothing: (await p.call(nothing, null)) ?? null };
  });
  expect(await result()).toEqual({ all: values, nothing: null });
  const codeOf = async (code: (p: ProcessContext) => PromiseLike<unknown>, key: string) =>
    (await run((p) => code(p).then(null, (error: Failure) => error.code), key)).result();
  expect(await codeOf((p) => p.call(big, null), "out")).toBe("not_durable");
  expect(await codeOf(async (p) => p.call(echo, 1n), "in")).toBe("not_durable");
});

test("T5 ordinary code inside: concurrency, loggers, libraries", async () => {
  const lines: string[] = [];
  const logger = { info: (line: string) => void lines.push(line) };
  const sum = activity<number[], number>("plain", "sum");
  const doing = implement(sum, async (numbers, { attempt }) => {
    logger.info(`attempt ${attempt}`);
    const parts = await Promise.all(
      numbers.map((n) => new Promise<number>((resolve) => setImmediate(() => resolve(n * n)))),
    );
    return parts.reduce((a, b) => a + b, 0);
  });
  cluster.worker({ activities: [doing] });
  const { result } = await run((p) => p.call(sum, [1, 2, 3]));
  expect([await result(), lines]).toEqual([14, ["attempt 1"]]);
});

test("T12 an activity is cancelled when its process fails or is cancelled, as when it ends", async () => {
  const endless = activity("endless", "wait");
  const aborted: string[] = [];
  let begun = 0;
  const doing = implement(endless, (_, { signal, idempotencyKey }) => {
    begun += 1;
    return new Promise<never>((_resolve, reject) =>
      signal.addEventListener("abort", () => (aborted.push(idempotencyKey), reject(new Error("aborted")))),
    );
  });
  cluster.worker({ activities: [doing], newsAfter: 0 });
  const ends: [string, (p: ProcessContext) => PromiseLike<unknown>][] = [
    ["ends", (p) => p.select({ call: p.call(endless, null), end: p.recv("end") })],
    [
      "fails",
      (p) =>
        p.select({ call: p.call(endless, null), end: p.recv("end") }).then(() => Promise.reject(new Error("failed"))),
    ],
    ["cancelled", (p) => p.call(endless, null)],
  ];
  for (const [n, [key, code]] of ends.entries()) {
    const { id } = await run(code, key);
    await until(() => begun === n + 1);
    if (key === "cancelled") await cluster.client.cancel(id);
    else await cluster.client.send("end", 1, { wait: "1h" });
    await until(() => aborted.length === n + 1);
  }
  expect(new Set(aborted).size).toBe(3);
});

test("T18 one client completes and fails many", async () => {
  const approve = activity<number, string>("people", "approve");
  const tokens = new Map<number, string>();
  const doing = implement(approve, (n, a) => (tokens.set(n, a.token), a.pending()));
  cluster.worker({ activities: [doing] });
  const { result } = await run(async (p) => {
    const all = Array.from({ length: 20 }, (_, n) => p.call(approve, n));
    const seen: string[] = [];
    for (const one of all) seen.push(await one.then(null, (error: Failure) => error.code));
    return seen;
  });
  await cluster.untilQuiescent();
  const outside = cluster.newClient();
  expect(tokens.size).toBe(20);
  for (const [n, token] of tokens) {
    if (n % 2 === 0) await outside.resolve(token, `yes ${n}`);
    else await outside.reject(token, Object.assign(new Error("no"), { code: `no-${n}` }));
  }
  expect(await result()).toEqual(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? `yes ${n}` : `no-${n}`)));
});

test("T20 a person is waited for without polling, at no cost: no request, no step, nothing in memory", async () => {
  const accept = activity<string, string>("restaurant", "accept", { timeout: "3 days" });
  let token = "";
  const people = cluster.worker({
    activities: [implement(accept, (_, a) => ((token = a.token), a.pending()))],
    linger: 0,
  });
  const { result } = await run((p) => p.call(accept, "order 17"));
  await cluster.advance("1m");
  let requests = 0;
  cluster.onRequest = ({ path }) => {
    // Workers wait for work, of whatever kind; nobody asks for this task.
    if (!path.startsWith("/state/poll")) requests += 1;
    return undefined;
  };
  await cluster.advance("2 days");
  expect([requests, people.running]).toEqual([0, 0]);
  await cluster.client.resolve(token, "accepted");
  expect(await result()).toBe("accepted");
});

test("T22 the service knows nothing of activities: a queue is a name, its tasks are states", async () => {
  const unheard = activity<number, number>("unheard-of", "double");
  const { result } = await run((p) => p.call(unheard, 21));
  await cluster.untilQuiescent();
  const { States } = await cluster.client.listStates({ prefix: "unheard-of/" });
  expect(States).toMatchObject([{ Status: "pending", Data: { input: { activity: "double", input: 21 } } }]);
  cluster.worker({ activities: [implement(unheard, (n) => n * 2)] });
  expect(await result()).toBe(42);
});

test("T24 options of workers and clients; both are closed", async () => {
  const quick = activity("closing", "quick");
  let done = 0;
  const own = worker({
    client: cluster.newClient(),
    activities: [implement(quick, () => void (done += 1))],
    ...{ concurrency: 2, lease: "10s", linger: 0, newsAfter: "1s", grace: "5s", cached: 10, clock: cluster.time },
  });
  await (await run((p) => p.call(quick, null))).result();
  await own.stop();
  await own.stopped;
  expect([own.running, done]).toEqual([0, 1]);
  await (await run((p) => Promise.resolve(p.spawn(quick, null).id), "later")).result();
  await cluster.untilQuiescent();
  expect(done).toBe(1);
  // A client has its endpoints, headers, retries and codec; it holds nothing open: a signal ends what it waits for.
  const seen: Record<string, string>[] = [];
  const client = createClient({
    endpoints: ["http://a", "http://b"],
    fetch: (input, init) => {
      seen.push(Object.fromEntries(new Headers(init.headers)));
      return cluster.fetch(input, init);
    },
    ...{ headers: { "x-tenant": "17" }, retry: { timeoutMs: 1000 }, clock: cluster.time },
  });
  const controller = new AbortController();
  const waiting = client.recv("never", { wait: "1h", signal: controller.signal });
  await cluster.untilQuiescent();
  controller.abort(new Error("closed"));
  await expect(waiting).rejects.toThrow("closed");
  expect(seen[0]?.["x-tenant"]).toBe("17");
});
