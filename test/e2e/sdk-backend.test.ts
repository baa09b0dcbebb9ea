/**
 * The service as what keeps processes: started by one command, on an empty directory, and killed in the middle.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { freeRun } from "../../scripts/free-ports.js";
import { createClient } from "../../sdk/client.js";
import { process as durable, worker, type Worker } from "../../sdk/sdk.js";
import { TestCluster, waitFor } from "./harness.js";

const devScript = join(import.meta.dirname, "../../dist/scripts/dev.js");
const resultWithinMs = 60_000;

const children: ChildProcess[] = [];
const workers: Worker[] = [];
afterEach(async () => {
  for (const one of workers.splice(0)) await one.stop();
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.kill("SIGTERM")) await once(child, "exit");
  }
});

const greet = durable("backend-greet", { version: 1 }, async (p, name: string) => {
  p.vars["name"] = await p.step("name", () => name.toUpperCase());
  await p.sleep("2s");
  return `Hello ${await p.recv<string>(`backend-${name}`)}`;
});

function startWorker(endpoints: readonly string[]): Worker {
  const one = worker({ processes: [greet], endpoints, lease: "2s", grace: "1s" });
  workers.push(one);
  return one;
}

test("P2 one command starts the service, and nothing has to be made before it is used", async () => {
  const port = await freeRun(1);
  const child = spawn(process.execPath, [devScript, "--port", String(port)], { stdio: "ignore" });
  children.push(child);
  const endpoints = [`http://127.0.0.1:${port}`];
  const client = createClient({ endpoints, retry: { timeoutMs: resultWithinMs } });
  await waitFor("the node", () => client.ready().then(() => true));
  startWorker(endpoints);
  const started = await client.start(greet, "ada");
  await client.send("backend-ada", "Ada", { wait: "30s" });
  expect(await client.result(started, { wait: resultWithinMs })).toBe("Hello Ada");
});

test("P1 P4 the service keeps processes, timers and results: in a directory that was empty, over its own death", async () => {
  const cluster = await TestCluster.open(1);
  try {
    const endpoints = [cluster.member("n1").api];
    const client = createClient({ endpoints, retry: { timeoutMs: resultWithinMs } });
    const first = startWorker(endpoints);
    const started = await client.start(greet, "bob", { id: "bob" });
    await waitFor("the step", async () => (await client.vars(started.id))["name"] === "BOB");
    await first.stop();
    await cluster.kill("n1", "SIGKILL");
    await cluster.start("n1");
    expect(await client.vars(started.id)).toEqual({ name: "BOB" });
    startWorker(endpoints);
    await client.send("backend-bob", "Bob", { wait: "30s" });
    expect(await client.result(started, { wait: resultWithinMs })).toBe("Hello Bob");
    await cluster.kill("n1", "SIGKILL");
    await cluster.start("n1");
    expect(await client.result(started.id, { wait: 0 })).toBe("Hello Bob");
    expect(await client.start(greet, "bob", { id: "bob" })).toEqual({ id: started.id, created: false });
  } finally {
    for (const one of workers.splice(0)) await one.stop();
    await cluster.close();
  }
});
