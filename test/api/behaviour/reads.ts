/**
 * Protocol §6, §7 and §8: freshness, the feed of changes, operations, limits.
 */
import { describe, expect, test } from "vitest";
import { errorCodes } from "../../../src/errors.js";
import { badBodies, stateIds } from "../rows/bad-requests.js";
import { chanPath, expectProblem, http, parked, statePath, unique } from "./client.js";

const indexOf = (answer: { headers: Headers }) => Number(answer.headers.get("slct-index"));

describe("§6 freshness", () => {
  test("every answer carries Slct-Index, errors too", async () => {
    const [node, id] = [http.atOneNode(), unique("index")];
    const put = await node.put(id, { Selects: [parked("1")] });
    const answers = [put, await node.get(statePath(id)), await node.get("/state/none"), await node.get("/cluster")];
    for (const answer of [
      ...answers,
      await node.get("/healthz"),
      await node.get("/nowhere"),
      await node.put(id, "{"),
    ]) {
      expect(indexOf(answer)).toBeGreaterThanOrEqual(indexOf(put));
    }
  });

  test("a read after a write sees it; stale reads are possible, other words are 400", async () => {
    const id = unique("read");
    const put = await http.put(id, { Selects: [parked("1")] });
    expect((await http.get(statePath(id))).status).toBe(200);
    const headers = { "Slct-Min-Index": String(indexOf(put)) };
    expect((await http.get(`${statePath(id)}?consistency=stale`, { headers })).status).toBe(200);
    expectProblem(await http.get(`${statePath(id)}?consistency=eventual`), 400, "bad_request");
  });

  test("a Slct-Min-Index that is not reached is 504, one that is no index 400", { timeout: 30_000 }, async () => {
    const get = (value: string) => http.get("/state", { headers: { "Slct-Min-Index": value } });
    expectProblem(await get("9007199254740991"), 504, "timeout");
    for (const value of ["-1", "x", "1.5"]) expectProblem(await get(value), 400, "bad_request");
  });
});

describe("§6 events", () => {
  test("the ordered feed of changes of states and channels, by prefix", async () => {
    const prefix = unique("feed");
    const start = indexOf(await http.get("/healthz"));
    await http.call("PUT", chanPath(`${prefix}-c`), { Buffer: 1 });
    const held = await http.held(`${prefix}-s`);
    await http.delete(statePath(`${prefix}-s`), { Lock: held.Lock });
    const { body } = await http.get(`/events?after=${start}&prefix=${prefix}`);
    expect(body.Events?.map(({ Type }) => Type)).toEqual([
      "chan.made",
      "state.created",
      "state.handed_out",
      "state.deleted",
    ]);
    expect(body.Events).toMatchObject([
      { Chan: `${prefix}-c` },
      { ID: `${prefix}-s`, Status: "pending", Version: 1 },
      {},
      {},
    ]);
    const indexes = body.Events?.map(({ Index }) => Index) ?? [];
    expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
    expect((await http.get(`/events?after=${indexes[1]}&prefix=${prefix}`)).body.Events).toHaveLength(2);
    expect((await http.get(`/events?prefix=${prefix}`)).body.Events).toEqual(body.Events);
  });

  test("it waits for the next change", async () => {
    const id = unique("next");
    const start = indexOf(await http.get("/healthz"));
    const waiting = http.get(`/events?after=${start}&prefix=${id}&wait=10`);
    await http.put(id, { Selects: [parked("1")] });
    expect((await waiting).body.Events).toMatchObject([{ Type: "state.created", ID: id }]);
  });

  test("as a stream, resumable by Last-Event-ID", async () => {
    const id = unique("stream");
    const start = indexOf(await http.get("/healthz"));
    await http.put(id, { Selects: [parked("1")] });
    const first = await readStream(`/events?after=${start}&prefix=${id}`, {}, 1);
    expect(first).toMatch(/^id: \d+\nevent: state\.created\ndata: \{"Index":\d+,/);
    const last = /^id: (\d+)/.exec(first)?.[1] ?? "";
    const resumed = readStream(`/events?prefix=${id}`, { "Last-Event-ID": last }, 1);
    await http.delete(`${statePath(id)}?force=true`);
    expect(await resumed).toContain("event: state.deleted");
  });

  test("a Last-Event-ID that is no index is 400", async () => {
    const headers = { accept: "text/event-stream", "Last-Event-ID": "x" };
    expectProblem(await http.get("/events", { headers }), 400, "bad_request");
  });

  /** Reads until this many events are complete; comments do not count. */
  async function readStream(path: string, headers: Record<string, string>, count: number): Promise<string> {
    const leaving = new AbortController();
    const response = await fetch(http.url + path, {
      headers: { accept: "text/event-stream", ...headers },
      signal: leaving.signal,
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text = (text + decoder.decode(chunk, { stream: true })).replace(/^:.*\n\n/gm, "");
      if (text.split("\n\n").length > count) break;
    }
    leaving.abort();
    return text;
  }
});

describe("§7 operations", () => {
  test("GET /cluster names every node", async () => {
    const { body } = await http.get("/cluster");
    expect(body.Nodes?.length).toBeGreaterThan(0);
    for (const node of body.Nodes ?? []) {
      expect(node).toMatchObject({ ID: expect.any(String) as string, Role: expect.any(String) as string });
      expect(node.AppliedIndex).toBeGreaterThan(0);
    }
  });

  test("health, readiness, metrics and the OpenAPI document", async () => {
    const node = http.atOneNode();
    expect((await node.get("/healthz")).status).toBe(200);
    expect((await node.get("/readyz")).status).toBe(200);
    const metrics = await node.get("/metrics");
    expect(metrics.headers.get("content-type")).toContain("text/plain");
    expect(metrics.text).toContain('slct_http_answers_total{route="/healthz",method="GET",code="ok"}');
    expect((await http.get("/openapi.json")).body.openapi).toBe("3.1.0");
  });

  test("an unknown route is 404, an unknown method on a route 405 with Allow", async () => {
    expectProblem(await http.get("/nowhere"), 404, "not_found");
    expectProblem(await http.get("/State"), 404, "not_found");
    const wrong = await http.post(statePath(unique("x")));
    expectProblem(wrong, 405, "bad_request");
    expect(wrong.headers.get("allow")).toBe("GET, PUT, PATCH, DELETE, HEAD");
    expect((await http.post("/state/poll")).headers.get("allow")).toBe("GET");
  });
});

describe("§8 limits", () => {
  test("a body above 1 MiB is accepted with a warning, above 4 MiB it is 413", async () => {
    const Data = "x".repeat(1024 * 1024);
    const large = await http.put(unique("large"), { Data });
    expect([large.status, large.headers.get("slct-warning")]).toEqual([201, "soft-limit"]);
    expect((await http.put(unique("small"), { Data: 1 })).headers.get("slct-warning")).toBeNull();
    expectProblem(await http.put(unique("huge"), { Data: Data.repeat(4) }), 413, "too_large");
  });

  test.each(stateIds)("state ID: %s", async (_name, id, status) => {
    const answer = await http.put(id, { Selects: [parked("1")] });
    if (status === 400) expectProblem(answer, 400, "bad_id");
    else {
      expect(answer.status).toBe(201);
      expect(answer.body.ID).toBe(id);
    }
    await http.delete(`${statePath(id)}?force=true`);
  });

  test.each(badBodies)("%s: 400", async (_name, body, code) => {
    expectProblem(await http.put(unique("limit"), body), 400, code);
  });

  test("1,024 selects and 1,024 cases are accepted", async () => {
    const Selects = Array.from({ length: 1024 }, (_, i) => parked(String(i)));
    expect((await http.put(unique("many"), { Selects })).status).toBe(201);
    const Cases = Array.from({ length: 1024 }, () => ({ Op: 1 }));
    expect((await http.put(unique("many"), { Selects: [{ ID: "1", Cases }] })).status).toBe(201);
  });

  test("every error is a problem document with a code of the list", async () => {
    const answers = [await http.get("/nowhere"), await http.put(unique("x"), "{"), await http.recv(unique("x"))];
    for (const answer of answers) {
      expect(errorCodes).toContain(answer.body.code);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
    }
  });
});
