/**
 * Requests that change the members, as far as the API decides about them. What they do: test/cluster/membership.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SlctError } from "../../src/errors.js";
import { Client, expectProblem } from "./behaviour/client.js";
import { startLocalServer } from "./local-server.js";
import type { LocalServer } from "./local-server.js";

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer();
});
afterAll(() => server.close());
const http = new Client(() => ({ url: server.url, attemptsMax: 3 }));

const member = { ID: "n4", Peer: "10.0.0.4:7001", API: "http://10.0.0.4:8081/" };

describe("adding", () => {
  test("201 with the member as it is kept", async () => {
    const answer = await http.post("/cluster/members", member);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({ ...member, API: "http://10.0.0.4:8081" });
    expect(answer.headers.get("slct-index")).toMatch(/^\d+$/);
  });

  test.each([
    ["bad_request", {}],
    ["bad_request", { ...member, Peer: undefined }],
    ["bad_request", { ...member, Peer: 7001 }],
    ["bad_request", { ...member, Peer: "10.0.0.4" }],
    ["bad_request", { ...member, Peer: "10.0.0.4:0" }],
    ["bad_request", { ...member, Peer: "10.0.0.4:65536" }],
    ["bad_request", { ...member, Peer: "a b:1" }],
    ["bad_request", { ...member, Peer: "::1:7001" }],
    ["bad_request", { ...member, API: "10.0.0.4:8081" }],
    ["bad_request", { ...member, API: "ftp://10.0.0.4" }],
    ["bad_request", { ...member, API: `http://h/${"x".repeat(2000)}` }],
    ["bad_id", { ...member, ID: "" }],
    ["bad_id", { ...member, ID: "n 4" }],
    ["bad_id", { ...member, ID: "-n4" }],
    ["bad_id", { ...member, ID: "x".repeat(65) }],
  ])("400 %s for %j", async (code, body) => {
    expectProblem(await http.post("/cluster/members", body), 400, code);
  });

  test("an address of IPv6", async () => {
    expect((await http.post("/cluster/members", { ...member, Peer: "[fd00::4]:7001" })).status).toBe(201);
  });

  test("a body is needed, and other methods are not known", async () => {
    expectProblem(await http.post("/cluster/members"), 400, "bad_json");
    expect((await http.get("/cluster/members")).status).toBe(405);
  });
});

describe("removing", () => {
  test("the last voter: 409; one that is not there: 404; no name: 400", async () => {
    expectProblem(await http.delete("/cluster/members/local"), 409, "busy");
    expectProblem(await http.delete("/cluster/members/n9"), 404, "not_found");
    expectProblem(await http.delete("/cluster/members/n%209"), 400, "bad_id");
  });
});

describe("transfer", () => {
  test("to whom leads already: 200", async () => {
    const answer = await http.post("/cluster/transfer", { To: "local" });
    expect([answer.status, answer.body]).toEqual([200, { Leader: "local" }]);
  });

  test("to a stranger: 404; to nobody: 400", async () => {
    expectProblem(await http.post("/cluster/transfer", { To: "n9" }), 404, "not_found");
    expectProblem(await http.post("/cluster/transfer", {}), 400, "bad_request");
    expectProblem(await http.post("/cluster/transfer", { To: "" }), 400, "bad_id");
  });
});

test.each([
  ["no_leader", 503],
  ["timeout", 504],
  ["overloaded", 503],
] as const)("%s: %d, whatever is asked for", async (code, status) => {
  server.node.outage = new SlctError(code, "as a node without quorum");
  try {
    expectProblem(await http.post("/cluster/members", member), status, code);
    expectProblem(await http.delete("/cluster/members/n4"), status, code);
    expectProblem(await http.post("/cluster/transfer", { To: "n4" }), status, code);
  } finally {
    server.node.outage = undefined;
  }
});

test("GET /cluster shows who votes, where each is, and that nothing is under way", async () => {
  const { body } = await http.get("/cluster");
  expect(body).toMatchObject({ ID: "test", Removed: [], Changing: false });
  const [node] = (body as { Nodes: object[] }).Nodes;
  expect(node).toMatchObject({ ID: "local", Role: "leader", Voter: true, Peer: "127.0.0.1:1", Instance: "instance-1" });
});
