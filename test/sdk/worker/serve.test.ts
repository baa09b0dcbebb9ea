/**
 * Processes by callback: what is stored with the answer, what through the API, and whose calls are taken.
 */
import { createServer } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Failure, nodeHandler, process, serve, type ProcessContext, type ServeOptions } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { memoryFetch } from "../../../sdk/testing/memory-fetch.js";
import { until } from "../process/running.js";
import { callAll, callOnce, otherSecret, secret, signedCall } from "./calls.js";

const callback = "http://app/slct";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

/** A handler with one process, which is started: under the key 1. */
async function served<T>(run: (p: ProcessContext) => Promise<T>, options: Partial<ServeOptions> = {}) {
  const definition = process<null, T>("served", { version: 1 }, run);
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const handler = serve({
    ...{ processes: [definition], secrets: [secret], clock: cluster.time, guard: "throw", warn },
    ...options,
  });
  const { id } = await cluster.client.start(definition, null, { id: "1", callback });
  return { id, handler, warnings, result: () => cluster.client.result<T>(id, { wait: 0 }) };
}

describe.each(["with its answer", "by requests"])("everything is stored %s", (how) => {
  const options = (): Partial<ServeOptions> => (how === "by requests" ? { client: cluster.client } : {});
  const status = how === "by requests" ? 204 : 200;

  test("R17 steps, timers, channels, children", async () => {
    const child = process("served-child", { version: 1 }, (p, n: number) => p.step("double", () => n * 2));
    let runs = 0;
    const { id, handler, result } = await served(
      async (p) => {
        const first = await p.step("count", () => ++runs);
        await p.sleep("1s");
        p.vars["phase"] = "asked";
        const word = await p.recv<string>("words");
        return [first, word, p.spawn(child, 4).id];
      },
      { ...options(), cached: 0 },
    );
    expect(await callAll(cluster, handler, id)).toEqual([status]);
    await cluster.advance("1s");
    expect(await callAll(cluster, handler, id)).toEqual([status]);
    expect(await cluster.client.vars(id)).toEqual({ phase: "asked" });
    await cluster.client.send("words", "go");
    expect(await callAll(cluster, handler, id)).toEqual([status]);
    const [count, word, childId] = await result();
    expect([count, word, runs]).toEqual([1, "go", 1]);
    const spawned = await cluster.client.getState(String(childId));
    expect([spawned.Status, spawned.Callback?.URI]).toEqual(["pending", callback]);
  });

  test("a step that failed is tried again by a later call", async () => {
    let runs = 0;
    const { id, handler, result } = await served(
      (p) =>
        p.step("flaky", () => {
          if (++runs < 3) throw new Error("not yet");
          return runs;
        }),
      options(),
    );
    for (let call = 0; call < 3; call++) {
      expect(await callAll(cluster, handler, id)).toEqual([status]);
      await cluster.advance("5s");
    }
    expect(await result()).toBe(3);
  });

  test("its end, with everything that was open", async () => {
    const { id, handler, result } = await served(async (p) => {
      void p.go((p) => p.recv("never"));
      await p.sleep("1s");
      throw new Failure("enough", { code: "stop" });
    }, options());
    await callAll(cluster, handler, id);
    await cluster.advance("1s");
    await callAll(cluster, handler, id);
    await expect(result()).rejects.toMatchObject({ code: "stop" });
    expect((await cluster.client.getState(id)).Selects).toEqual([]);
  });
});

test("what takes longer than an answer may goes on after 202", async () => {
  let finish: ((value: string) => void) | undefined;
  const works: Promise<void>[] = [];
  const { id, handler, result } = await served(
    (p) => p.step("slow", () => new Promise<string>((resolve) => (finish = resolve))),
    { client: cluster.client, respondWithin: "2s", waitUntil: (work) => void works.push(work) },
  );
  const answer = callOnce(cluster, handler, id);
  await until(() => finish !== undefined);
  const end = cluster.time.now() + 2000;
  while ((cluster.time.nextMs ?? Infinity) <= end) cluster.time.step(cluster.time.nextMs ?? end);
  expect(await answer).toBe(202);
  await expect(result()).rejects.toMatchObject({ code: "not_ready" });
  finish?.("done");
  await Promise.all(works);
  expect(await result()).toBe("done");
});

describe("calls are refused", () => {
  const ask = async (make: (at: number) => Request | Promise<Request>, options: Partial<ServeOptions> = {}) => {
    const { handler } = await served(() => Promise.resolve("done"), options);
    return (await handler(await make(cluster.time.now()))).status;
  };
  const state = () => cluster.client.takeLock("served/1");
  const fiveMinutes = 300_000;

  test.each<[string, (at: number) => Promise<Request>, number]>([
    ["signed", async (at) => signedCall(await state(), [secret], at), 200],
    ["signed with a secret that comes", async (at) => signedCall(await state(), [otherSecret, secret], at), 200],
    ["signed with another secret", async (at) => signedCall(await state(), [otherSecret], at), 401],
    ["not signed", async (at) => signedCall(await state(), [], at), 401],
    ["five minutes old", async (at) => signedCall(await state(), [secret], at - fiveMinutes), 200],
    ["older", async (at) => signedCall(await state(), [secret], at - fiveMinutes - 1000), 401],
    ["of the future", async (at) => signedCall(await state(), [secret], at + fiveMinutes + 1000), 401],
  ])("or taken, if %s", async (_, make, status) => {
    expect(await ask(make)).toBe(status);
  });

  test("if the body or the ID is another than was signed", async () => {
    const changed = async (at: number, change: (headers: Headers, body: string) => string) => {
      const call = signedCall(await state(), [secret], at);
      const body = change(call.headers, await call.text());
      return new Request(call.url, { method: "POST", body, headers: call.headers });
    };
    expect(await ask((at) => changed(at, (_, body) => body.replace('"input":null', '"input":true')))).toBe(401);
    await cluster.client.deleteState("served/1", { force: true });
    const another = (headers: Headers, body: string) => (headers.set("webhook-id", "served%2F2:1"), body);
    expect(await ask((at) => changed(at, another))).toBe(401);
  });

  test("if they are no calls", async () => {
    const unsigned = { secrets: [], unsigned: true };
    expect(await ask(() => new Request(callback), unsigned)).toBe(405);
    await cluster.client.deleteState("served/1", { force: true });
    expect(await ask(() => new Request(callback, { method: "POST", body: "{" }), unsigned)).toBe(400);
  });

  test("while a secret is replaced both are taken", async () => {
    const make = async (at: number) => signedCall(await state(), [otherSecret], at);
    expect(await ask(make, { secrets: [secret, otherSecret] })).toBe(200);
  });

  test("for a process that is not here another time, for one that breaks the rules for good", async () => {
    const { id, handler, warnings } = await served(async (p) => {
      await p.sleep("1s");
      return Math.random();
    });
    const other = process("elsewhere", { version: 1 }, () => Promise.resolve());
    const { id: unknown } = await cluster.client.start(other, null, { id: "1", callback });
    expect(await callOnce(cluster, handler, unknown)).toBe(503);
    expect(await callOnce(cluster, handler, id)).toBe(200);
    await cluster.advance("1s");
    expect(await callOnce(cluster, handler, id)).toBe(200);
    await expect(cluster.client.result(id)).rejects.toMatchObject({ code: "not_durable" });
    expect(warnings.length).toBe(1);
  });

  test("and no handler is made without secrets, or with what is none", () => {
    expect(() => serve({ processes: [] })).toThrow("secrets");
    expect(() => serve({ processes: [], secrets: ["secret"] })).toThrow("whsec_");
    expect(() => serve({ processes: [], secrets: ["whsec_%"] })).toThrow("whsec_");
  });
});

test("as a handler for node:http, and what is built on it", async () => {
  const { id, handler, result } = await served(() => Promise.resolve("ünï"));
  const server = createServer(nodeHandler(handler));
  const memory = memoryFetch(server);
  const state = await cluster.client.takeLock(id);
  const call = signedCall(state, [secret], cluster.time.now());
  const headers = Object.fromEntries(call.headers);
  const response = await memory.fetch("http://app/slct", { method: "POST", headers, body: await call.text() });
  expect(response.status).toBe(200);
  await cluster.client.putState(id, { ...((await response.json()) as object), Lock: state.Lock });
  expect(await result()).toBe("ünï");
  const get = await memory.fetch("http://app/slct", { method: "GET" });
  expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
  const big = await memory.fetch("http://app/slct", { method: "POST", body: "x".repeat(9 * 1024 * 1024) });
  expect(big.status).toBe(413);
  memory.close();
});
