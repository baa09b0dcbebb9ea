/**
 * Members added, removed and told to lead over HTTP, by three real nodes in one process: each outcome has its status, at
 * whatever node it is asked for, and asking again changes nothing.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultLimits } from "../../api/rules.js";
import { createServer } from "../../api/server.js";
import type { Member } from "../../cluster/node.js";
import { openMember } from "../cluster/local-member.js";
import { Network } from "../cluster/network.js";
import { Client, expectProblem } from "./behaviour/client.js";

const ids = ["n1", "n2", "n3"];
const network = new Network();
const nodes = new Map<string, Member>();
const servers: Server[] = [];
const clients = new Map<string, Client>();
let root = "";

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "slct-members-"));
  const onFatal = (error: unknown) => {
    throw error;
  };
  // Nobody is replaced because this process was slow: the test says who leads.
  const config = { electionTicks: 1000 };
  const onRemoved = () => undefined;
  for (const id of ids) nodes.set(id, await openMember(id, { root, network, ids, onFatal, onRemoved, config }));
  for (const [id, node] of nodes) {
    const [logger, registry] = [pino({ level: "silent" }), new Registry()];
    const server = createServer(node, { limits: defaultLimits, logger, registry, checkCallback: () => undefined });
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    clients.set(id, new Client(() => ({ url: `http://127.0.0.1:${port}`, attemptsMax: 3 })));
  }
  const { raft, wake } = node("n1").parts;
  raft.campaign();
  wake();
  await until(() => [...nodes.values()].every((one) => one.ready()));
});
afterAll(async () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await Promise.all([...nodes.values()].map((one) => one.close()));
  rmSync(root, { recursive: true });
});

function node(id: string): Member {
  const found = nodes.get(id);
  if (found === undefined) throw new Error(`there is no ${id}`);
  return found;
}

function at(id: string): Client {
  const found = clients.get(id);
  if (found === undefined) throw new Error(`there is no ${id}`);
  return found;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const member = (id: string) => ({ ID: id, Peer: `${id}:1`, API: `http://${id}` });
const leads = () => [...nodes.values()].find(({ parts }) => parts.raft.role === "leader")?.id ?? "";

test.each(ids)("what is so already is 200, what cannot be has its code, asked of %s", async (by) => {
  const http = at(by);
  const leader = leads();
  expect((await http.post("/cluster/members", member("n2"))).status).toBe(200);
  const same = await http.post("/cluster/transfer", { To: leader });
  expect([same.status, same.body]).toEqual([200, { Leader: leader }]);
  expectProblem(await http.post("/cluster/members", { ...member("n2"), Peer: "elsewhere:1" }), 409, "exists");
  expectProblem(await http.post("/cluster/members", { ...member("n2"), API: "http://elsewhere" }), 409, "exists");
  expectProblem(await http.delete("/cluster/members/n9"), 404, "not_found");
  expectProblem(await http.post("/cluster/transfer", { To: "n9" }), 404, "not_found");
});

test("added through a follower: 201, shown as a learner, which cannot lead yet; removed for good", async () => {
  const added = await at("n2").post("/cluster/members", member("n4"));
  expect([added.status, added.body]).toEqual([201, member("n4")]);
  expect((await at("n3").post("/cluster/members", member("n4"))).status).toBe(200);
  const { body } = await at("n3").get("/cluster");
  expect(body.Nodes?.map(({ ID, Role, Voter }) => [ID, Role, Voter])).toEqual([
    ["n1", "leader", true],
    ["n2", "follower", true],
    ["n3", "follower", true],
    ["n4", "learner", false],
  ]);
  expect(body.Nodes?.at(-1)).toMatchObject({ Peer: "n4:1", Address: "http://n4", Reachable: false });
  expectProblem(await at("n3").post("/cluster/transfer", { To: "n4" }), 409, "not_ready");
  for (const by of ["n2", "n1"]) {
    const removed = await at(by).delete("/cluster/members/n4");
    expect([removed.status, removed.body]).toEqual([200, { ID: "n4", Removed: true }]);
  }
  expectProblem(await at("n2").post("/cluster/members", member("n4")), 409, "exists");
  const after = await at("n2").get("/cluster", {
    headers: { "slct-min-index": added.headers.get("slct-index") ?? "" },
  });
  expect([after.body.Nodes?.length, after.body.Removed, after.body.Changing]).toEqual([3, ["n4"], false]);
});

test("leadership goes where it is asked to go, asked of whom it leaves, of whom it comes to, and of the third", async () => {
  for (const [by, to] of [
    ["n1", "n2"],
    ["n3", "n3"],
    ["n2", "n1"],
  ] as const) {
    const answer = await at(by).post("/cluster/transfer", { To: to });
    expect([answer.status, answer.body]).toEqual([200, { Leader: to }]);
    await until(() => leads() === to);
  }
});

test("one change at a time: 409 busy while another is not committed, which then is", async () => {
  const leader = leads();
  // It has committed something in its term.
  expect((await at(leader).put("a", { Selects: [] })).status).toBe(201);
  for (const id of ids) if (id !== leader) network.isolate(id);
  const first = at(leader).post("/cluster/members", member("n5"));
  await until(() => node(leader).parts.raft.status().changing);
  expect((await at(leader).get("/cluster?consistency=stale")).body.Changing).toBe(true);
  expectProblem(await at(leader).post("/cluster/members", member("n6")), 409, "busy");
  expectProblem(await at(leader).delete("/cluster/members/n2"), 409, "busy");
  network.heal();
  expect((await first).status).toBe(201);
  expect((await at(leader).delete("/cluster/members/n5")).status).toBe(200);
});

test("the last voter stays", async () => {
  const leader = leads();
  for (const id of ids) if (id !== leader) expect((await at(leader).delete(`/cluster/members/${id}`)).status).toBe(200);
  expectProblem(await at(leader).delete(`/cluster/members/${leader}`), 409, "busy");
  const { body } = await at(leader).get("/cluster");
  expect(body.Nodes?.map(({ ID }) => ID)).toEqual([leader]);
});
