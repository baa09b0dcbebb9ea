/**
 * Flows and steps that are kept at the service, and steps by HTTP.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { activity, flow, flowProcesses, flows, implement, step, type Failure } from "../../../sdk/sdk.js";
import type { CallReport, FlowCallOptions, Flows, Json, StepInput } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
let all: Flows;
beforeEach(() => {
  cluster = createTestCluster();
  all = flows(cluster.client);
});
afterEach(() => cluster.close());

const work = activity<StepInput, Json>("work", "do");
const work1 = step("one", { endpoint: work });
const failureOf = (promise: PromiseLike<unknown>) => promise.then(null, (error: Failure) => error) as Promise<Failure>;

function startWorker(options: FlowCallOptions = {}): void {
  const activities = [implement(work, ({ step, request }) => `${step} of ${JSON.stringify(request.body)}`)];
  cluster.worker({ processes: flowProcesses(options), activities });
}

describe("F9 flows", () => {
  beforeEach(() => startWorker());

  test("are created, saved, loaded and listed; executions stay with theirs", async () => {
    const first = flow("order", [work1]);
    await all.save(first);
    expect(await all.load("order")).toEqual(first);
    const id = await all.execute("order", 1);
    await all.save(flow("order", [work1, step("two", { endpoint: work, requires: [work1] })]));
    await all.save(flow("other", [work1]));
    expect((await all.list()).map(({ id, steps }) => [id, steps.length])).toEqual([
      ["order", 2],
      ["other", 1],
    ]);
    expect(Object.keys(await all.result(id))).toEqual(["one"]);
    expect(Object.keys(await all.result(await all.execute("order", 2)))).toEqual(["two"]);
    await all.delete("order");
    expect((await failureOf(all.execute("order"))).code).toBe("no_flow");
    await all.save(first);
    expect(await all.load("order")).toEqual(first);
  });

  test("that are none are not saved, by whoever", async () => {
    const bad = { id: "bad", steps: [{ ...work1, requires: ["none"] }] };
    expect((await failureOf(all.save(bad))).code).toBe("no_step");
    await cluster.client.start(
      { name: "flow.saved.message", version: "1" },
      { key: "bad", handler: "save", input: bad },
    );
    await cluster.untilQuiescent();
    expect((await failureOf(all.load("bad"))).code).toBe("no_flow");
  });
});

describe("F10 a step that is registered", () => {
  test("is there for all flows, whoever registers it at the same time", async () => {
    startWorker();
    const others = Array.from({ length: 8 }, () => flows(cluster.newClient()));
    await Promise.all(others.map((one) => one.registerStep(work1)));
    const mixed = flow("mixed", ["one", step("two", { endpoint: work, requires: ["one"] })]);
    await all.save(mixed);
    expect(await all.load("mixed")).toEqual(mixed);
    expect(await all.resolve(mixed.steps)).toEqual([work1, mixed.steps[1]]);
    const result = await all.result(await all.execute("mixed", 7));
    expect(result["two"]?.body.decode()).toBe("two of 7");
  });

  test("F2 or is not there, which is said", async () => {
    const failure = await failureOf(all.execute(flow("f", ["nowhere"])));
    expect(failure).toMatchObject({ code: "no_step", message: "there is no step nowhere that is registered" });
    expect((await failureOf(all.save(flow("f", ["nowhere"])))).code).toBe("no_step");
  });
});

describe("a step by HTTP", () => {
  const post = (uri = "https://shop.example/book") => flow("http", [step("book", { endpoint: uri })]);
  /** Answers in order; what was asked is kept. */
  function service(...answers: readonly (Response | Error)[]) {
    const asked: { readonly url: string; readonly headers: Headers; readonly body: string }[] = [];
    const reports: CallReport[] = [];
    const fetch: FlowCallOptions["fetch"] = (url, init) => {
      asked.push({ url, headers: new Headers(init.headers), body: init.body as string });
      const answer = answers[asked.length - 1] ?? new Response(null);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
    startWorker({ fetch, onCall: (report) => void reports.push(report) });
    return { asked, reports };
  }

  test("F4 gives and takes bodies to the byte, and headers", async () => {
    const { asked } = service(
      new Response('{"price": 1.10, "id": 12345678901234567890}', { headers: { etag: "7" } }),
      new Response("thank you"),
      new Response(null),
    );
    const steps = ["a", "b", "c"].map((id, n, ids) =>
      step(id, { endpoint: `https://shop.example/${id}`, requires: ids.slice(Math.max(0, n - 1), n) }),
    );
    const id = await all.execute(flow("http", steps), { n: 1 }, { header: { traceparent: "00-1" } });
    const result = await all.result(id);
    expect(result["c"]?.body.text).toBe("null");
    expect(asked.map(({ url }) => url)).toEqual(["a", "b", "c"].map((name) => `https://shop.example/${name}`));
    expect(asked[1]?.body).toBe(
      `{"flow":"${id}","step":"b","request":{"header":{"traceparent":"00-1"},"body":{"n":1}},"responses":{"a":` +
        `{"header":{"content-type":"text/plain;charset=UTF-8","etag":"7"},"body":{"price": 1.10, "id": 12345678901234567890}}}}`,
    );
    expect(JSON.parse(asked[2]?.body ?? "")).toMatchObject({ responses: { b: { body: "thank you" } } });
    expect(asked.map(({ headers }) => headers.get("traceparent"))).toEqual(Array(3).fill("00-1"));
    expect(new Set(asked.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(3);
  });

  test("F11 is tried again when that may help, and each attempt is told", async () => {
    const { asked, reports } = service(
      new Response("busy", { status: 503 }),
      new TypeError("refused"),
      Response.json(1),
    );
    const id = await all.execute(post());
    await cluster.advance("1m");
    expect((await all.result(id))["book"]?.body.decode()).toBe(1);
    expect(new Set(asked.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(1);
    const call = { flow: id, step: "book", uri: "https://shop.example/book" };
    expect(reports).toEqual([1, 2, 3].map((attempt) => ({ ...call, attempt })));
  });

  test("F4 gives headers that are some, and none of the connection", async () => {
    const { asked } = service(Response.json(1));
    const header = { host: "elsewhere", "content-length": "7", "idempotency-key": "mine", tenant: "t1" };
    await all.result(await all.execute(post(), null, { header }));
    const { "idempotency-key": key, ...rest } = Object.fromEntries(asked[0]?.headers ?? []);
    expect(rest).toEqual({ "content-type": "application/json", tenant: "t1" });
    expect(key).toMatch(/^[0-9a-f-]{36}$/);
    const failure = await failureOf(all.result(await all.execute(post(), null, { header: { "a b": "c" } })));
    expect(failure.details).toMatchObject({ Error: { code: "bad_message" } });
  });

  test("is refused once", async () => {
    const { asked } = service(new Response("no such room", { status: 404 }));
    const failure = await failureOf(all.result(await all.execute(post())));
    expect(failure.message).toBe("step book: https://shop.example/book answered 404: no such room");
    expect(failure.details).toMatchObject({ Error: { code: "http_status", details: { Status: 404 } } });
    expect(asked.length).toBe(1);
  });

  test("F2 is not done by a worker that calls nobody", async () => {
    startWorker();
    const failure = await failureOf(all.result(await all.execute(post())));
    expect(failure.details).toMatchObject({ Step: "book", Error: { code: "no_client" } });
  });

  test("is given an answer of 1 MiB at most", async () => {
    service(new Response("x".repeat(1024 * 1024 + 1)));
    const failure = await failureOf(all.result(await all.execute(post())));
    expect(failure.details).toMatchObject({ Error: { code: "bad_message" } });
  });
});
