/**
 * The rows of the security list against three real nodes, each row at the next one. What each row is answered is in
 * the rows; here every row must also leave the cluster as it was: the same processes, the same leader, and every node
 * serves.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Client, expectProblem, ready, unique } from "../api/behaviour/client.js";
import { badBodies, badCases, pollQueries, stateIds } from "../api/rows/bad-requests.js";
import { badTexts, badUtf8 } from "../api/rows/bad-json.js";
import { bodyRows } from "../api/rows/bodies.js";
import { connectionRows } from "../api/rows/connections.js";
import { headerRows } from "../api/rows/headers.js";
import { pathRows } from "../api/rows/paths.js";
import { rowsOf, type Row, type Service } from "../api/rows/service.js";
import { head } from "../cluster/peer-dialer.js";
import { damaged, garbage, throwAt } from "./garbage.js";
import { isAlive, TestCluster } from "./harness.js";
import { agreedHash } from "./replicas.js";
import { clusterFile, gauge, logged, residentMiB } from "./vitals.js";

const limits = { bodyBytesMax: 256 * 1024, bodyBytesSoft: 5000 };
const flags = [
  ...["--body-bytes-max", String(limits.bodyBytesMax), "--body-bytes-soft", String(limits.bodyBytesSoft)],
  ...["--receive-timeout-ms", "400"],
];
const growthMiBMax = 64;
/** Requests that a node has served before its memory is measured: code is compiled, buffers are there. */
const warmUp = 2000;

let cluster: TestCluster;
let before: readonly Vitals[];
let residentBefore: Readonly<Record<string, number>>;
let services: readonly Service[];
let rowsRun = 0;

interface Vitals {
  readonly id: string;
  readonly pid: number;
  readonly term: number;
  readonly leads: number;
}

beforeAll(async () => {
  cluster = await TestCluster.open(3, flags);
  services = cluster.ids.map(serviceOf);
  for (let n = 0; n < warmUp; n += 20) await Promise.all(Array.from({ length: 20 }, () => works(next())));
  residentBefore = residents();
  before = await vitals();
});
afterAll(() => cluster.close());
afterEach(async () => {
  for (const service of services) await works(service);
  expect(await vitals()).toEqual(before);
  expect(before.filter(({ pid }) => isAlive(pid))).toEqual(before);
});

function serviceOf(id: string): Service {
  const { api } = cluster.member(id);
  return {
    port: Number(new URL(api).port),
    http: new Client(() => ({ url: api, attemptsMax: 10 })),
    limits,
    requestsPerSocketMax: 100_000,
    waitCount: () => gauge(cluster, id, "slct_waits_open"),
  };
}

function next(): Service {
  return services[rowsRun++ % services.length] as Service;
}

/** A write and a linearizable read, each in one try. */
async function works({ http }: Service): Promise<void> {
  const id = unique("works");
  const put = await http.put(id, { Data: id, Selects: [ready("1")] });
  const get = await http.get(`/state/${id}`);
  expect([put.status, get.status, get.body.Data]).toEqual([201, 200, id]);
}

function vitals(): Promise<Vitals[]> {
  return Promise.all(
    cluster.ids.map(async (id) => ({
      ...{ id, pid: cluster.member(id).pid },
      ...{ term: await gauge(cluster, id, "slct_raft_term"), leads: await gauge(cluster, id, "slct_raft_leader") },
    })),
  );
}

function residents(): Record<string, number> {
  return Object.fromEntries(cluster.ids.map((id) => [id, Math.round(residentMiB(cluster, id))]));
}

function describeRows(what: string, rows: readonly Row[]): void {
  describe(what, () => {
    test.each(rows.map(({ name, run }) => [name, run] as const))("%s", (_name, run) => run(next()));
  });
}

describeRows("headers and forms", headerRows);
describeRows("connections", connectionRows);
describeRows("bodies", bodyRows);
describeRows("paths", pathRows);

describeRows("JSON", [
  ...rowsOf(
    (name) => name,
    badTexts,
    async ({ http }, _name, text, code) => expectProblem(await http.put(unique("json"), text), 400, code),
  ),
  ...rowsOf(
    (name) => `P7 invalid UTF-8: ${name}`,
    badUtf8,
    async ({ http }, _name, bytes) =>
      expectProblem(await http.put(unique("utf8"), Buffer.from(bytes)), 400, "bad_json"),
  ),
  ...rowsOf(
    (name) => name,
    badBodies,
    async ({ http }, _name, body, code) => expectProblem(await http.put(unique("body"), body), 400, code),
  ),
]);

describeRows("rules", [
  ...rowsOf(
    (name) => name,
    badCases,
    async ({ http }, _name, text) =>
      expectProblem(await http.post("/select", `{"Cases":[${text}]}`), 400, "bad_request"),
  ),
  ...rowsOf(
    (name) => `P8 state ID: ${name}`,
    stateIds,
    async ({ http }, _name, id, status) => expect((await http.put(id, {})).status).toBe(status),
  ),
  ...rowsOf(
    (query) => `P15 poll?${query}`,
    pollQueries,
    async ({ http }, query, status) => expect((await http.get(`/state/poll?${query}`)).status).toBe(status),
  ),
]);

describe("garbage", () => {
  const blobs = 150;
  const request =
    "PUT /state/garbage HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
  const hello = (clusterId: string, from: string, to: string) => {
    const who = { "slct-cluster": clusterId, "slct-node": from, "slct-to": to, "slct-epoch": "1", "slct-lane": "bulk" };
    return head({
      connection: "Upgrade",
      upgrade: "slct-peer/3",
      ...who,
      "slct-instance": "a-directory-of-its-own",
    });
  };

  async function throwAll(ports: readonly number[], make: (n: number) => Buffer): Promise<void> {
    const all = Array.from({ length: blobs }, (_, n) => throwAt(ports[n % ports.length] ?? 0, make(n), n % 2 === 0));
    await Promise.all(all);
  }

  test("random bytes at the API", () =>
    throwAll(
      services.map(({ port }) => port),
      (n) => garbage(`api ${n}`, 1 + n * 50),
    ));

  test("damaged requests at the API", () =>
    throwAll(
      services.map(({ port }) => port),
      (n) => damaged(request, `request ${n}`),
    ));

  test("random bytes at the peer port", () =>
    throwAll(
      clusterFile(cluster).members.map(({ peerPort }) => peerPort),
      (n) => garbage(`peer ${n}`, 1 + n * 50),
    ));

  test("damaged handshakes at the peer port", () =>
    throwAll(
      clusterFile(cluster).members.map(({ peerPort }) => peerPort),
      (n) => damaged(hello("other", "n2", "n1"), `handshake ${n}`),
    ));

  test("strangers at the peer port, who go on with random bytes", () => {
    const { clusterId, members } = clusterFile(cluster);
    return throwAll(
      members.map(({ peerPort }) => peerPort),
      (n) => Buffer.concat([Buffer.from(hello(clusterId, "n9", `n${1 + (n % 3)}`)), garbage(`stranger ${n}`, 1000)]),
    );
  });
});

describe("in the end", () => {
  test("no node logged an error, all hold the same", async () => {
    for (const id of cluster.ids) expect(logged(cluster, id, 50)).toEqual([]);
    await agreedHash(cluster);
  });

  test(`no node grew by ${growthMiBMax} MiB`, () => {
    const after = residents();
    console.log(`resident, MiB: ${JSON.stringify({ before: residentBefore, after })}`);
    for (const id of cluster.ids)
      expect((after[id] ?? 0) - (residentBefore[id] ?? 0), `growth of ${id}`).toBeLessThan(growthMiBMax);
  });
});
