/**
 * Three nodes with two workers each: nobody can tell, whichever worker a request comes to; a worker that dies takes its own
 * connections with it and nothing else; no worker outlives its node.
 */
import { readFileSync } from "node:fs";
import { Agent, get, request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readArchive } from "../../cluster/archive-reader.js";
import { TestCluster, waitFor } from "./harness.js";
import { gauge, logged } from "./vitals.js";

const workers = 2;
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.open(3, ["--ingress-workers", String(workers)]);
});
afterAll(() => cluster.close());

interface Line {
  readonly event?: string;
  readonly pid?: number;
}

/** Each on a connection of its own, which the node gives to its workers in turn. */
async function ask(
  node: string,
  method: string,
  path: string,
  body?: object,
  withinMs = 60_000,
): Promise<{ status: number; body: unknown }> {
  const asked = request(`${cluster.member(node).api}${path}`, {
    ...{ method, agent: new Agent(), signal: AbortSignal.timeout(withinMs) },
    headers: body === undefined ? {} : { "content-type": "application/json" },
  });
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  const all = await text(answer);
  return { status: answer.statusCode ?? 0, body: all.startsWith("{") || all.startsWith("[") ? JSON.parse(all) : all };
}

/** Processes that the node said it started. */
function workersOf(node: string): number[] {
  const lines = logged(cluster, node, 30) as Line[];
  return lines.flatMap(({ event, pid }) => (event === "worker_started" && pid !== undefined ? [pid] : []));
}

/** A zombie does not: who reaps it is not ours to say. */
function runs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}

const living = (node: string) => workersOf(node).filter(runs);
const waits = (node: string) => gauge(cluster, node, "slct_waits_open");

test("what one worker wrote every other one reads, of this node and of the others", async () => {
  // A node is there with the first of its workers.
  for (const id of cluster.ids) await waitFor("all workers", () => living(id).length === workers);
  for (let n = 0; n < 30; n++) {
    const [writer = "", reader = ""] = [cluster.ids[n % 3], cluster.ids[Math.floor(n / 3) % 3]];
    const put = await ask(writer, "PUT", `/state/r${n}`, { Data: { n }, Selects: [{ ID: "1", Cases: [{ Op: 4 }] }] });
    expect(put.status).toBe(201);
    const read = await ask(reader, "GET", `/state/r${n}`);
    expect(read).toMatchObject({ status: 200, body: { ID: `r${n}`, Data: { n }, Status: "pending" } });
  }
  const taken = await Promise.all(cluster.ids.map((id) => ask(id, "GET", "/state/poll?prefix=r&max=10&wait=10")));
  const ids = taken.flatMap(({ body }) => (body as { ID: string }[]).map(({ ID }) => ID));
  expect(new Set(ids).size).toBe(30);
});

test("what waits is answered, and withdrawn when its client goes", async () => {
  const select = { Cases: [{ Op: 1, Chan: "w" }] };
  const waiting = ask("n1", "POST", "/select?wait=30", select);
  expect((await ask("n2", "POST", "/channel/w/send?wait=30", { Data: "v" })).status).toBe(200);
  expect(await waiting).toMatchObject({ status: 200, body: { Chan: "w", Data: "v" } });
  const leaving = request(`${cluster.member("n1").api}/channel/w/recv?wait=60`, { method: "POST", agent: new Agent() });
  leaving.on("error", () => undefined).end();
  await waitFor("the request to wait", async () => (await waits("n1")) === 1);
  leaving.destroy();
  await waitFor("nothing to wait", async () => (await waits("n1")) === 0);
  expect((await ask("n3", "POST", "/channel/w/send", { Data: "nobody" })).status).toBe(409);
});

test("backups and streams come through", async () => {
  const backup = get(`${cluster.member("n1").api}/cluster/backup`, { agent: new Agent() });
  const [archive] = (await once(backup, "response")) as [IncomingMessage];
  const kinds: string[] = [];
  for await (const part of readArchive(archive)) kinds.push(part.kind);
  expect([kinds[0], kinds.at(-1)]).toEqual(["header", "trailer"]);

  const headers = { accept: "text/event-stream" };
  const [stream] = (await once(
    get(`${cluster.member("n2").api}/events?prefix=e`, { headers, agent: new Agent() }),
    "response",
  )) as [IncomingMessage];
  stream.setEncoding("utf8");
  expect((await ask("n3", "PUT", "/state/e1", {})).status).toBe(201);
  let seen = "";
  for await (const chunk of stream) {
    seen += chunk as string;
    if (seen.includes('"ID":"e1"')) break;
  }
  expect(seen).toContain("event: state.created");
});

test("metrics are those of the node: every worker's counts in one", async () => {
  const name = 'slct_http_answers_total{route="/openapi.json",method="GET",code="ok"}';
  const count = 10;
  for (let n = 0; n < count; n++) expect((await ask("n1", "GET", "/openapi.json")).status).toBe(200);
  for (let n = 0; n < workers; n++) expect(await gauge(cluster, "n1", name)).toBe(count);
  expect(await gauge(cluster, "n1", "slct_raft_voters")).toBe(3);
});

test("a worker that is killed takes its own requests with it, and another one comes", async () => {
  const name = 'slct_http_answers_total{route="/openapi.json",method="GET",code="ok"}';
  const before = await gauge(cluster, "n1", name);
  const ends: number[] = [];
  let failed = 0;
  const all = Array.from({ length: 16 }, () =>
    ask("n1", "POST", "/channel/k/recv?wait=60").then(
      ({ status }) => ends.push(status),
      () => failed++,
    ),
  );
  await waitFor("all to wait", async () => (await waits("n1")) === all.length);
  const [victim = 0] = living("n1");
  process.kill(victim, "SIGKILL");
  const settled = async () => failed > 0 && (await waits("n1")) === all.length - failed;
  // Twice: while connections break one after the other, it could be so by chance.
  for (let n = 0; n < 2; n++) await waitFor("what it left to be withdrawn", settled);
  const rest = all.length - failed;
  expect(rest).toBeGreaterThan(0);
  for (let n = 0; n < rest; n++) expect((await ask("n2", "POST", "/channel/k/send", { Data: n })).status).toBe(200);
  await Promise.all(all);
  expect(ends).toEqual(Array.from({ length: rest }, () => 200));
  expect((await ask("n2", "POST", "/channel/k/send", { Data: "nobody" })).status).toBe(409);

  await waitFor("another worker", () => living("n1").length === workers);
  expect(living("n1")).not.toContain(victim);
  for (let n = 0; n < 2 * workers; n++) expect((await ask("n1", "GET", "/readyz")).status).toBe(200);
  expect(await gauge(cluster, "n1", name)).toBeGreaterThanOrEqual(before);
});

test("workers that are killed while connections come in are replaced, and the node goes on", async () => {
  for (let n = 0; n < 4; n++) {
    const asks = Array.from({ length: 40 }, () => ask("n1", "GET", "/healthz").catch(() => undefined));
    const [victim = 0] = living("n1");
    process.kill(victim, "SIGKILL");
    const answers = await Promise.all(asks);
    expect(answers.filter((answer) => answer !== undefined && answer.status !== 200)).toEqual([]);
    await waitFor("another worker", () => !runs(victim) && living("n1").length === workers);
  }
  const serves = () =>
    ask("n1", "GET", "/readyz", undefined, 2000).then(
      ({ status }) => status === 200,
      () => false,
    );
  await waitFor("an answer", serves);
  expect(logged(cluster, "n1", 60)).toEqual([]);
});

test("SIGTERM to a node ends it and its workers in time; who waits is answered", async () => {
  const ended = living("n3");
  const waiting = ask("n3", "POST", "/channel/t/recv?wait=60");
  await waitFor("it to wait", async () => (await waits("n3")) === 1);
  const startedMs = performance.now();
  await cluster.kill("n3", "SIGTERM");
  expect(performance.now() - startedMs).toBeLessThan(5000);
  expect(await waiting).toMatchObject({ status: 409, body: { code: "not_ready" } });
  expect(ended.filter(runs)).toEqual([]);
  expect(logged(cluster, "n3", 30).at(-1)).toMatchObject({ event: "stopped" });
});

test("no worker outlives its node", async () => {
  const orphans = living("n2");
  expect(orphans).toHaveLength(workers);
  await cluster.kill("n2", "SIGKILL");
  await waitFor("the end of its workers", () => !orphans.some(runs));
});
