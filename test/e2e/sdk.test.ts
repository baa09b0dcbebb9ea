/**
 * Processes of the SDK on a real cluster, while workers and the leader are killed: each ends with the right result, and
 * everything outside that knows its keys has happened once.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient, type Client } from "../../sdk/client.js";
import { nodeHandler, process as durable, serve } from "../../sdk/sdk.js";
import { TestCluster, waitFor } from "./harness.js";
import { order } from "./sdk-orders.js";

const dist = join(import.meta.dirname, "../../dist");
const program = join(dist, "test/e2e/sdk-worker.js");
const orders = 20;
const resultWithinMs = 120_000;

let cluster: TestCluster;
let client: Client;
let endpoints: string[];
const children: ChildProcess[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  cluster = await TestCluster.open(3);
  endpoints = cluster.ids.map((id) => cluster.member(id).api);
  client = createClient({ endpoints });
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await cluster.close();
});

/** Base URL. */
async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startWorker(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, endpoints.join(",")], { stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  await once(createInterface({ input: child.stdout }), "line");
  return child;
}

/** Books each key once, and answers the same as often as it is asked. */
async function openShop() {
  const bookings = new Map<string, string>();
  const url = await listen(
    createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://shop");
      bookings.set(searchParams.get("key") ?? "", pathname.slice(1));
      response.end(String(bookings.size));
    }),
  );
  return { url, bookings };
}

test("every order ends as it should, with workers and the leader killed in the middle", async () => {
  const shop = await openShop();
  const [first, second] = [await startWorker(), await startWorker()];
  const numbers = Array.from({ length: orders }, (_, n) => n);
  const started = await Promise.all(numbers.map((n) => client.start(order, { shop: shop.url, n }, { id: String(n) })));
  const pay = (n: number) => client.send(`e2e-paid-${n}`, n * 10, { wait: "2m" });

  await waitFor("the first booking", () => shop.bookings.size > 0);
  first.kill("SIGKILL");
  const half = Promise.all(numbers.filter((n) => n % 2 === 0).map(pay));
  const leader = await cluster.leader();
  await cluster.kill(leader, "SIGKILL");
  const third = await startWorker();
  await Promise.all([half, ...numbers.filter((n) => n % 2 === 1).map(pay)]);
  second.kill("SIGKILL");

  const results = await Promise.all(started.map((one) => client.result(one, { wait: resultWithinMs })));
  expect(results).toEqual(numbers.map((n) => ({ paid: n * 10, weight: n * 2, rounds: 5 })));
  expect([...shop.bookings.values()].sort()).toEqual(numbers.flatMap((n) => [`reserve-${n}`, `ship-${n}`]).sort());

  const stopped = once(third, "exit");
  third.kill("SIGTERM");
  expect(await stopped).toEqual([0, null]);
  await cluster.start(leader);
});

test("a process that is called back by the service, in both ways of storing", async () => {
  const { webhookSecret } = JSON.parse(readFileSync(join(cluster.dir, "cluster.json"), "utf8")) as {
    webhookSecret: string;
  };
  let steps = 0;
  const greet = durable("e2e-greet", { version: 1 }, async (p, name: string) => {
    const greeting = await p.step("greeting", () => (steps++, `Hello ${name}`));
    await p.sleep("200ms");
    return `${greeting}, ${await p.recv<string>(`e2e-more-${name}`)}`;
  });
  for (const [name, more] of [["answer", {}] as const, ["requests", { endpoints }] as const]) {
    steps = 0;
    const handler = serve({ processes: [greet], secrets: [webhookSecret], ...more });
    const callback = await listen(createServer(nodeHandler(handler)));
    const started = await client.start(greet, name, { callback });
    await client.send(`e2e-more-${name}`, "welcome", { wait: "30s" });
    expect(await client.result(started, { wait: resultWithinMs })).toBe(`Hello ${name}, welcome`);
    expect(steps).toBe(1);
  }
});

test("the program of the README prints what the tutorial says", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(dist, "examples/hello.js"), ...endpoints]);
  expect(stdout).toMatch(/^started hello\/[0-9a-f-]{36}\nbegun for you, and told: welcome\n$/);
});

test("examples play against a cluster with one command each", async () => {
  const play = async (name: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(dist, "examples/run.js"), name, ...endpoints]);
    return stdout.trim().split("\n");
  };
  expect(await play("payment")).toEqual([
    "started: true, again: false",
    "receipt over 30 from ada, after 2 calls, charged 1 time",
  ]);
  expect((await play("http")).map((line) => line.replace(/^.*: (?=\d)/, ""))).toEqual([
    '200 "two mails to ada@example.org"',
    "200 5",
    "200 5",
  ]);
  expect((await play("delivery")).at(-1)).toBe("sold_out, refunded 1");
  const primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29];
  const found = primes.map((prime, n) => `${prime} by ${n % 2 === 0 ? "TypeScript" : "Python"}`);
  expect((await play("sieve")).sort()).toEqual(found.sort());
});
