/**
 * Errors as clients see them, and as the node counts and logs them.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SlctError } from "../../src/errors.js";
import { Client, expectProblem, statePath, unique } from "./behaviour/client.js";
import { startLocalServer, tightOptions } from "./local-server.js";
import type { LocalServer } from "./local-server.js";

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer(tightOptions);
});
afterAll(() => server.close());
const http = new Client(() => ({ url: server.url, attemptsMax: 3 }));

describe("errors", () => {
  test("an outage is 503 with Retry-After; health stays, readiness does not", async () => {
    server.node.outage = new SlctError("no_leader", "no leader is known");
    try {
      for (const answer of [await http.put(unique("x"), "{}"), await http.get("/state"), await http.get("/readyz")]) {
        expectProblem(answer, 503, "no_leader");
        expect(answer.headers.get("retry-after")).toBe("1");
      }
      expect((await http.get("/state?consistency=stale")).status).toBe(200);
      expect((await http.get("/healthz")).status).toBe(200);
    } finally {
      server.node.outage = undefined;
    }
  });

  test("an unexpected error is a bare 500 and one line of the log", async () => {
    const broken = await startLocalServer();
    try {
      broken.node.outage = Object.assign(new Error("secret detail") as SlctError, {});
      const answer = await new Client(() => ({ url: broken.url, attemptsMax: 3 })).put("x", "{}");
      expectProblem(answer, 500, "internal");
      expect(answer.text).not.toContain("secret");
      expect(broken.logged).toHaveLength(1);
      expect(broken.logged[0]).toContain("secret detail");
    } finally {
      await broken.close();
    }
  });

  test("answers are counted by route, method and code", async () => {
    await http.get(statePath(unique("counted")));
    const metrics = (await http.get("/metrics")).text;
    expect(metrics).toMatch(/slct_http_answers_total\{route="\/state\/:id",method="GET",code="not_found"\} \d+/);
    expect(metrics).toMatch(/slct_http_request_seconds_count\{route="\/state\/:id",method="GET"\} \d+/);
  });
});
